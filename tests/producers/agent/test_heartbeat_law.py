"""Whatever happens to files, stream and agent: a heartbeat is true, and comes after what it vouches for."""

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from producers.agent.state import Kind
from producers.agent.testing import FakeStream, Fault
from producers.agent.testing_laws import assert_in_order, assert_known_again, assert_true
from producers.agent.testing_shards import FakeShards
from producers.agent.testing_world import APPENDS, EVENTS, Event, World, assert_complete
from runtime.effects import Effect
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    first=st.lists(APPENDS, min_size=1, max_size=3),
    events=st.lists(EVENTS, max_size=60),
    faults=st.lists(st.sampled_from(Fault), max_size=20),
    kind=st.sampled_from(["order", "access"]),
    reshard_after=st.none() | st.lists(st.integers(1, 12), max_size=3),
)
@example(
    first=[Event("append", "a", b"y\n" * 600)],
    events=[Event("nothing")] * 8 + [Event("time", seconds=310.0)] * 2 + [Event("delete", "a"), Event("crash")],
    faults=[Fault.NONE, Fault.DROP_ANSWER],
    kind="order",
    reshard_after=None,
)
@example(  # a compressed file gets the number of a text that is compressed too
    first=[Event("append", "a", b"\xffx")],
    events=[
        Event("append", "b", b"\xff\xff\xff"),
        *[Event("nothing")] * 2,
        Event("crash"),
        Event("nothing"),
        Event("compress", "a"),
        Event("time", seconds=5.0),
        Event("stop"),
        Event("compress", "b"),
        Event("append", "a", b"x"),
        Event("stop"),
        Event("nothing"),
        Event("append", "b", b"\xff\xff\xff"),
        Event("append", "b", b'{"n":1}\n'),
        Event("stop"),
    ],
    faults=[],
    kind="order",
    reshard_after=None,
)
@example(  # one compressed file ends in the look in which another one was told to wait for it
    first=[Event("append", "a", b"\n")],
    events=[Event("nothing")] * 14
    + [Event("append", "a", b"y\n" * 600), Event("compress", "a"), Event("append", "b", b"\n"), Event("compress", "b")],
    faults=[Fault.NONE, Fault.THROTTLE_SOME],
    kind="order",
    reshard_after=None,
)
def test_a_heartbeat_is_true_and_comes_after_its_lines(
    first: list[Event], events: list[Event], faults: list[Fault], kind: Kind, reshard_after: list[int] | None
) -> None:
    with tempfile.TemporaryDirectory() as name:

        def stream_of(clock: ManualClock, effect: Effect) -> FakeStream:
            rng = random.Random(0)
            if reshard_after is None:
                return FakeStream(faults, rng=rng, effect=effect)
            return FakeShards(faults, clock=clock, reshard_after=reshard_after, rng=rng, effect=effect)

        world = World(Path(name), [*events], stream_of, kind=kind)
        for event in first:
            world.append(event.name, event.content)
        world.run()
        last = assert_true(world.stream, [*world.past, *world.contents.values()])
        assert all(beat.kind == kind for beat in last.values())
        assert_complete(world, last)
        assert_known_again(world.stream)
        if reshard_after == []:
            assert_in_order(world.stream.lines)
