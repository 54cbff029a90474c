"""What a shard holds after a checkpoint, and where it was at a time."""

import datetime as dt
import random

import pytest

from consumers.delivery import Position
from consumers.fleet.look import Look, Looker
from consumers.fleet.places import Places
from consumers.fleet.reads import Reads
from consumers.fleet.testing import TimedStream
from consumers.sources.kinesis.checkpoints import LATEST, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.stream import Throttled
from consumers.sources.kinesis.testing import even_shards
from runtime.outage import Outage
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
(SHARD,) = even_shards(1)
ID = SHARD.shard_id


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


def at(sequence: int, sub_sequence: int = 0) -> Checkpoint:
    return Checkpoint.at(Position(sequence, sub_sequence))


@pytest.fixture
def stream() -> TimedStream:
    return TimedStream([SHARD], NOW)


@pytest.fixture
def reads(stream: TimedStream) -> Reads:
    return Reads(stream, random.Random(7), StopAfter(1_000, ManualClock()))


@pytest.fixture
def looker(reads: Reads) -> Looker:
    return Looker(reads)


@pytest.fixture
def places(reads: Reads) -> Places:
    return Places(reads)


def test_few_records_are_counted(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(40), ago(30), ago(20)])
    look = looker.look(ID, at(1))
    assert look == Look(checkpoint_at=ago(40), waiting_since=ago(30), records=2)


def test_at_the_tip_nothing_waits(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(40)])
    assert looker.look(ID, at(1)) == Look(checkpoint_at=ago(40))


def test_the_rest_of_a_half_done_aggregate_waits(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(40)], users=10)
    look = looker.look(ID, at(1, 3))
    assert (look.waiting_since, look.records, look.is_counted) == (ago(40), 6, True)


def test_many_records_are_estimated_from_the_first_ones(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(1000 - second) for second in range(1000)])
    look = looker.look(ID, at(100))
    assert look.waiting_since == ago(900)
    assert not look.is_counted
    assert 700 < look.records < 1200


def test_a_shard_that_was_never_read_is_looked_at_from_its_beginning(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(40), ago(30)])
    assert looker.look(ID, TRIM_HORIZON) == Look(waiting_since=ago(40), records=2)
    assert looker.look(ID, LATEST) == Look()


def test_what_was_trimmed_is_a_gap(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(second) for second in range(50, 40, -1)])
    stream.trim(ID, 4)
    assert "no longer holds record 2, the oldest is 5" in str(looker.look(ID, at(2)).gap)
    assert "does not know its record 99" in str(looker.look(ID, at(99)).gap)


def test_throttled_it_waits_for_its_turn_and_gives_up_in_the_end(stream: TimedStream, looker: Looker) -> None:
    stream.put(ID, [ago(40), ago(30)])
    stream.trouble = [Throttled("full")] * 3
    assert looker.look(ID, at(1)).records == 1
    stream.trouble = [Throttled("full")] * 100
    with pytest.raises(Outage, match="used up"):
        looker.look(ID, at(1))


def test_the_first_record_of_a_time_is_read_again(stream: TimedStream, places: Places) -> None:
    stream.put(ID, [ago(second) for second in range(100, 0, -1)], users=3)
    checkpoint = places.checkpoint_before(ID, ago(50))
    assert checkpoint == at(50, 2)  # the one that arrived 51 s ago, all of it: the next is the first wanted


@pytest.mark.parametrize("quiet_s", [0.2, 5, 900, 40_000])
def test_a_quiet_time_before_leads_back_to_the_last_record(stream: TimedStream, places: Places, quiet_s: float) -> None:
    stream.put(ID, [*(ago(quiet_s + 60 + second) for second in (300, 200, 100)), ago(30)])
    assert places.checkpoint_before(ID, ago(60)) == at(3)


def test_a_burst_before_a_quiet_time_costs_at_most_a_page(stream: TimedStream, places: Places) -> None:
    stream.put(ID, [ago(3600 + number / 100) for number in range(1000, 0, -1)])
    stream.put(ID, [ago(30)])
    position = places.checkpoint_before(ID, ago(60)).position
    assert position is not None
    assert 1000 - 100 - 5 <= position.sequence <= 1000


def test_within_one_millisecond_nothing_of_the_time_is_left_out(stream: TimedStream, places: Places) -> None:
    stream.put(ID, [ago(60.5)] * 20 + [ago(60)] * 20)
    position = places.checkpoint_before(ID, ago(60)).position
    assert position is not None
    assert position.sequence <= 20


def test_a_shard_that_begins_later_is_read_from_its_beginning(stream: TimedStream, places: Places) -> None:
    assert places.checkpoint_before(ID, ago(60)) == TRIM_HORIZON
    stream.put(ID, [ago(60), ago(30)])
    assert places.checkpoint_before(ID, ago(60)) == TRIM_HORIZON
    assert places.checkpoint_before(ID, ago(59.5)) == at(1)


def test_whether_anything_has_arrived_since(stream: TimedStream, places: Places) -> None:
    stream.put(ID, [ago(60 + number / 1000) for number in range(100, 0, -1)])
    assert places.first_from(ID, ago(60)) is None  # though the iterator stands before the hundred
    stream.put(ID, [ago(59.9)])
    first = places.first_from(ID, ago(60))
    assert first is not None
    assert first.position == Position(101)
