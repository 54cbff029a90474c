"""The agent's laws on a Kinesis with its limits on: whatever happens to files, agent and stream, nothing is lost."""

import json
import tempfile
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.local.kinesis.process import ServerProcess
from producers.agent.state import Kind
from producers.agent.testing import is_heartbeat, original_of
from producers.agent.testing_kinesis import RealStream, shards_of
from producers.agent.testing_laws import assert_in_order, assert_known_again, assert_true
from producers.agent.testing_world import APPENDS, EVENTS, Event, World, assert_complete
from runtime.aws import client
from runtime.effects import Effect
from runtime.settings import Aws
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

NAMES = (f"laws-{number}" for number in count())
FAULTS = st.lists(
    st.builds(
        lambda fault, share, seed, times: {
            "operation": "PutRecords",
            "fault": fault,
            "share": share,
            "seed": seed,
            "times": times,
        },
        st.sampled_from(["throttle", "internal", "reset", "drop_answer"]),
        st.sampled_from([0.2, 0.5, 1.0]),
        st.integers(0, 99),
        st.integers(1, 5),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("kinesis")) as server:
        yield server


def make_faults(server: ServerProcess, rules: list[dict[str, Any]]) -> None:
    body = json.dumps(rules).encode()
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/faults", data=body, method="PUT"), timeout=10).close()


@settings(deadline=None, max_examples=8, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(
    first=st.lists(APPENDS, min_size=1, max_size=3),
    events=st.lists(EVENTS, min_size=5, max_size=40),
    faults=FAULTS,
    kind=st.sampled_from(["order", "access"]),
    aggregate=st.booleans(),
)
def test_every_line_arrives_in_order_and_no_heartbeat_or_checkpoint_runs_ahead(
    server: ServerProcess,
    first: list[Event],
    events: list[Event],
    faults: list[dict[str, Any]],
    kind: Kind,
    aggregate: bool,
) -> None:
    aws = Aws(kinesis_endpoint=server.url, access_key_id="local", secret_access_key="local")
    kinesis, operator, name = client("kinesis", aws, attempts=1), client("kinesis", aws, attempts=9), next(NAMES)
    operator.create_stream(StreamName=name, ShardCount=3)
    operator.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    make_faults(server, faults)

    def stream_of(clock: ManualClock, effect: Effect) -> RealStream:
        return RealStream(kinesis, name, aggregate=aggregate, clock=clock, effect=effect)

    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), [*events], stream_of, kind=kind)
        for event in first:
            world.append(event.name, event.content)
        world.run()
        assert_complete(world, assert_true(world.stream, [*world.past, *world.contents.values()]))
    assert_known_again(world.stream)
    shards = shards_of(operator, name)
    held = [line for lines in shards.values() for line in lines]
    assert set(world.stream.stored) <= set(held)
    written = {line for content in [*world.past, *world.contents.values()] for line in content.split(b"\n")}
    for line in held:  # what was stored without an answer, too
        assert is_heartbeat(line.data) or original_of(line.data)[1] in written
    if aggregate:
        for lines in shards.values():
            assert_in_order(line for line in lines if not is_heartbeat(line.data))
