"""The agent's laws on a real topic: whatever happens to files, agent and stream, nothing is lost or invented."""

import contextlib
import random
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.kafka.topics import make_topics
from producers.agent.state import Kind, read_ledger
from producers.agent.testing import Fault, is_heartbeat, original_of
from producers.agent.testing_kafka import FaultyKafka, TopicReader
from producers.agent.testing_laws import assert_in_order, assert_known_again, assert_true
from producers.agent.testing_process import WAIT_S, acknowledged, running_agent, start, wait_for
from producers.agent.testing_world import APPENDS, EVENTS, Event, World, assert_complete
from runtime.effects import Effect
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

NewTopic = Callable[[int], str]
MOST_MIB = 150  # of memory, whatever the backlog


@pytest.fixture(scope="module")
def topic(kafka: str) -> str:
    """Of all examples."""
    make_topics(kafka, ["laws"], threading.Event())
    return "laws"


@pytest.fixture(scope="module")
def reader(kafka: str, topic: str) -> Iterator[TopicReader]:
    reader = TopicReader(kafka, topic)
    yield reader
    reader.close()


@settings(deadline=None, max_examples=25, suppress_health_check=[*HealthCheck])
@given(
    first=st.lists(APPENDS, min_size=1, max_size=3),
    events=st.lists(EVENTS, min_size=5, max_size=40),
    faults=st.lists(st.sampled_from(Fault), max_size=12),
    kind=st.sampled_from(["order", "access"]),
)
def test_every_line_arrives_in_order_and_no_heartbeat_or_checkpoint_runs_ahead(
    kafka: str,
    topic: str,
    reader: TopicReader,
    first: list[Event],
    events: list[Event],
    faults: list[Fault],
    kind: Kind,
) -> None:
    def stream_of(_: ManualClock, effect: Effect) -> FaultyKafka:
        return FaultyKafka(kafka, topic, faults, rng=random.Random(0), effect=effect)

    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), [*events], stream_of, kind=kind)
        with contextlib.closing(world.stream):
            for event in first:
                world.append(event.name, event.content)
            world.run()
        assert_complete(world, assert_true(world.stream, [*world.past, *world.contents.values()]))
        assert_known_again(world.stream)
        assert_in_order(world.stream.lines)
        assert_held(reader, world.stream)


def assert_held(reader: TopicReader, stream: FaultyKafka) -> None:
    """The topic holds what was acknowledged, as it was sent; of each key, in one partition and in order."""
    expected: dict[str, list[bytes]] = {}
    for record in stream.stored:
        expected.setdefault(record.key, []).append(record.data)
    sent = {record.data for record in stream.stored}
    for records in reader.read():
        found: dict[str, list[bytes]] = {}
        for key, data in records:
            if data in sent:  # else of an example that failed
                found.setdefault(key, []).append(data)
        assert all(expected.pop(key) == data for key, data in found.items())
    assert not expected


def settings_file(folder: Path, kafka: str, topic: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(
        f'[kafka]\nservers = "{kafka}"\n[streams]\ntransactions = "{topic}"\ntransport = "kafka"\n'
        f'[agent]\nspool = "{folder / "spool"}"\nstate = "{folder / "state"}"\n'
    )
    (folder / "spool").mkdir()
    return file


def append(folder: Path, first: int, last: int, *, size: int = 100) -> None:
    with (folder / "spool" / f"{first}.ndjson").open("ab") as file:
        for number in range(first, last):
            file.write(b'{"customer_id":"C-%d","n":%d,"x":"%b"}\n' % (number % 97, number, b"x" * size))


def assert_all_arrived(folder: Path, kafka: str, topic: str) -> None:
    """Every line of every file is in the topic, byte for byte, under one file id; nothing else is."""
    expected = set()
    for record in read_ledger(folder / "state").files:
        offset = 0
        for line in Path(record.path).read_bytes().split(b"\n")[:-1]:
            expected.add((record.file_id, offset, line))
            offset += len(line) + 1
    reader = TopicReader(kafka, topic)
    arrived = set()
    for _, data in [record for records in reader.read() for record in records]:
        if not is_heartbeat(data):
            stamp, original = original_of(data)
            assert original is not None and (stamp.n, stamp.c) == (len(original), zlib.crc32(original))
            arrived.add((stamp.f, stamp.o, original))
    reader.close()
    assert arrived == expected


def test_nothing_is_lost_when_the_agent_is_killed_again_and_again(
    tmp_path: Path, kafka: str, new_topic: NewTopic
) -> None:
    topic = new_topic(3)
    settings = settings_file(tmp_path, kafka, topic)
    for round_number in range(3):
        append(tmp_path, round_number * 8_000, (round_number + 1) * 8_000)
        with running_agent(settings):
            before = acknowledged(tmp_path)
            wait_for(lambda before=before: acknowledged(tmp_path) > before)  # type: ignore[misc]
    assert start(settings, "agent", "--once").wait(WAIT_S) == 0
    assert acknowledged(tmp_path) == 24_000
    assert_all_arrived(tmp_path, kafka, topic)


def test_memory_does_not_grow_with_the_backlog(tmp_path: Path, kafka: str, new_topic: NewTopic) -> None:
    settings = settings_file(tmp_path, kafka, new_topic(4))
    append(tmp_path, 0, 100_000, size=300)  # 35 MB
    peak = 0
    with start(settings, "agent", "--once") as agent:
        process = psutil.Process(agent.pid)
        while agent.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, process.memory_info().rss)
            with contextlib.suppress(subprocess.TimeoutExpired):
                agent.wait(0.1)
        assert agent.returncode == 0
    assert acknowledged(tmp_path) == 100_000
    assert peak < MOST_MIB << 20
