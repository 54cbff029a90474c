"""The look at a shard after a place: few reads, and the truth."""

import datetime as dt

import pytest

from consumers.account.peek import StreamPeek
from consumers.account.progress import Waiting
from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.stream import Answer, ShardGone, Throttled
from consumers.sources.kinesis.testing import ARRIVED_AT, ScriptedStream, even_shards, fixed_random
from runtime.outage import Outage
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

SHARDS = even_shards(2)
FIRST, SECOND = (shard.shard_id for shard in SHARDS)
SEEN = Waiting(ARRIVED_AT)


def at(sequence: int, sub_sequence: int = 0) -> Checkpoint:
    return Checkpoint.at(Position(sequence, sub_sequence))


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stream = ScriptedStream(SHARDS, page=2)
        self.stop = StopAfter(1_000, self.clock)
        self.peek = StreamPeek(self.stream, self.clock, fixed_random(), self.stop)


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_after_the_place_is_seen_with_one_read(world: World) -> None:
    world.stream.put(FIRST, b"1", b"2", b"3")
    assert world.peek.waiting_after([(FIRST, at(3)), (SECOND, TRIM_HORIZON)]) == {}
    assert sorted(world.stream.calls) == [
        f"iterator {FIRST} 3",
        f"iterator {SECOND} TRIM_HORIZON",
        f"read {FIRST}:3",
        f"read {SECOND}:1",
    ]


def test_the_record_after_the_place_is_seen(world: World) -> None:
    world.stream.put(FIRST, b"1", b"2", b"3")
    world.stream.put(SECOND, b"1")
    places = [(FIRST, at(2)), (SECOND, TRIM_HORIZON)]
    assert world.peek.waiting_after(places) == dict.fromkeys(places, SEEN)


def test_the_rest_of_an_aggregate_comes_after_a_place_inside_it(world: World) -> None:
    world.stream.put_aggregate(FIRST, b"a", b"b", b"c")
    assert world.peek.waiting_after([(FIRST, at(1, 1))]) == {(FIRST, at(1, 1)): SEEN}
    assert world.peek.waiting_after([(FIRST, at(1, 2))]) == {}


def test_places_at_one_record_share_a_read(world: World) -> None:
    world.stream.put_aggregate(FIRST, b"a", b"b", b"c")
    whole = at(1, 2**31)
    assert world.peek.waiting_after([(FIRST, at(1, 0)), (FIRST, at(1, 2)), (FIRST, whole)]) == {(FIRST, at(1, 0)): SEEN}
    assert len(world.stream.calls) == 2


def test_what_was_seen_once_is_not_asked_again(world: World) -> None:
    world.stream.put(FIRST, b"1", b"2")
    for _ in range(3):
        assert world.peek.waiting_after([(FIRST, at(1))])
    assert len(world.stream.calls) == 2


def test_where_nothing_was_is_asked_again(world: World) -> None:
    world.stream.put(FIRST, b"1")
    assert not world.peek.waiting_after([(FIRST, at(1))])
    world.stream.put(FIRST, b"2")
    assert world.peek.waiting_after([(FIRST, at(1))])


def test_a_throttled_shard_waits_for_its_turn(world: World) -> None:
    world.stream.put(FIRST, b"1", b"2")
    world.stream.trouble.extend([Throttled("budget")] * 3)
    assert world.peek.waiting_after([(FIRST, at(1))])
    assert 0.6 < world.clock.monotonic() < 20


def test_a_shard_that_is_throttled_all_the_time_is_an_outage(world: World) -> None:
    world.stream.trouble.extend([Throttled("budget")] * 100)
    with pytest.raises(Outage, match="1 shards"):
        world.peek.waiting_after([(FIRST, at(1))])
    assert world.clock.monotonic() < 60


def test_a_record_that_is_too_old_leaves_the_oldest_one(world: World) -> None:
    world.stream.put(FIRST, b"1")
    assert world.peek.waiting_after([(FIRST, at(99))]) == {}  # the stream does not know 99: it has only older ones
    world.stream.trim(FIRST, 1)
    world.stream.put(FIRST, b"2")
    assert world.peek.waiting_after([(FIRST, at(1))]) == {(FIRST, at(1)): SEEN}


def test_a_shard_that_is_gone_holds_nothing(world: World) -> None:
    class Gone(ScriptedStream):
        def iterator(self, shard_id: str, start: Checkpoint) -> str:
            raise ShardGone(shard_id)

    peek = StreamPeek(Gone(SHARDS), world.clock, fixed_random(), world.stop)
    assert peek.waiting_after([(FIRST, at(1))]) == {}


def test_a_long_stretch_without_records_is_not_read_to_its_end(world: World) -> None:
    class Empty(ScriptedStream):
        """Answers without records, half an hour behind."""

        def read(self, iterator: str, hash_range: object = None) -> Answer:
            self.calls.append("read")
            return Answer(records=[], next_iterator=iterator, millis_behind=1_800_000)

    stream = Empty(SHARDS)
    peek = StreamPeek(stream, world.clock, fixed_random(), world.stop)
    (bound,) = peek.waiting_after([(FIRST, TRIM_HORIZON)]).values()
    assert dt.timedelta(minutes=30) <= world.clock.now() - bound.since < dt.timedelta(minutes=31)
    assert not bound.is_seen
    assert stream.calls.count("read") == 5
    assert peek.waiting_after([(FIRST, TRIM_HORIZON)])
    assert stream.calls.count("read") == 10  # no record was seen: the next look may get further
