"""Reading a shard by polls: within the budget, resumed inside aggregates, patient when refused."""

import pytest

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.polling import Polling
from consumers.sources.kinesis.stream import Answer, IteratorExpired, Throttled
from consumers.sources.kinesis.testing import ScriptedStream, even_shards, fixed_random
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

(ONE,) = even_shards(1)
SHARD = ONE.shard_id
POLL_S = 0.333


class Rig:
    """A scripted shard and its polls."""

    def __init__(self, page: int = 2) -> None:
        self.clock = ManualClock()
        self.stream = ScriptedStream([ONE], page=page)
        self.polling = Polling(
            stream=self.stream, shard_id=SHARD, hash_range=None, poll_s=POLL_S, clock=self.clock, rng=fixed_random()
        )
        self.polling.begin(TRIM_HORIZON)

    def take(self) -> Answer | None:
        self.clock.advance(self.polling.wait_s())
        return self.polling.take()

    def positions(self) -> list[Position]:
        answer = self.take()
        assert answer
        return [record.position for record in answer.records]


def test_a_shard_is_read_three_times_a_second_however_often_it_is_asked() -> None:
    rig = Rig(page=1)
    rig.stream.put(SHARD, *[b"%d" % number for number in range(100)])
    taken = 0
    for _ in range(1_000):
        taken += rig.polling.take() is not None
        rig.clock.advance(0.01)
    assert taken == len([call for call in rig.stream.calls if call.startswith("read")])
    assert 29 <= taken <= 31


def test_an_empty_answer_says_how_far_behind_it_is() -> None:
    answer = Rig().take()
    assert answer is not None
    assert (answer.records, answer.millis_behind) == ([], 0)


def test_an_expired_iterator_is_replaced_at_the_last_record_not_after_it() -> None:
    rig = Rig(page=1)
    rig.stream.put_aggregate(SHARD, b"1a", b"1b")
    rig.stream.put(SHARD, b"2")
    assert rig.positions() == [Position(1, 0), Position(1, 1)]
    rig.stream.trouble.append(IteratorExpired("five minutes"))
    assert rig.take() is None
    again = rig.take()
    assert again is not None
    assert again.resumed_at == Position(1, 1)
    assert again.records[0].position == Position(1, 0)
    assert rig.positions() == [Position(2)]


def test_the_answer_that_must_bring_the_record_is_marked_also_when_empty_ones_come_first() -> None:
    rig = Rig()
    rig.polling.begin(Checkpoint.at(Position(0)))
    assert getattr(rig.take(), "resumed_at", None) == Position(0)
    rig.stream.put(SHARD, b"1", b"2", b"3")
    assert [getattr(rig.take(), "resumed_at", None) for _ in range(2)] == [Position(0), None]


def test_refused_reads_wait_longer_and_longer_but_never_as_long_as_each_other() -> None:
    rig, waits = Rig(), []
    for _ in range(40):
        rig.stream.trouble.append(Throttled("slower"))
        with pytest.raises(Throttled):
            rig.take()
        waits.append(rig.polling.wait_s() - POLL_S)
    assert all(0 <= wait <= 5.0 for wait in waits)
    assert sum(waits[:3]) < sum(waits[-3:])
    assert len({round(wait, 6) for wait in waits}) == len(waits)
    rig.take()
    assert rig.polling.wait_s() == pytest.approx(POLL_S)


@pytest.mark.parametrize("trouble", [Outage("connection reset"), Throttled("slower")])
def test_after_a_read_that_failed_the_same_records_come(trouble: Exception) -> None:
    rig = Rig()
    rig.stream.put(SHARD, b"1", b"2", b"3")
    assert rig.positions() == [Position(1), Position(2)]
    rig.stream.trouble.append(trouble)
    with pytest.raises(type(trouble)):
        rig.take()
    assert rig.positions() == [Position(3)]


def test_the_end_of_an_answer_without_children_is_not_the_end_of_the_shard() -> None:
    class Unsure(ScriptedStream):
        def read(self, iterator: str, hash_range: object = None) -> Answer:
            answer = super().read(iterator, None)
            return Answer(records=answer.records, next_iterator=None, millis_behind=0)

    rig = Rig()
    rig.stream = Unsure([ONE])
    rig.stream.put(SHARD, b"1")
    rig.polling._stream = rig.stream
    assert rig.positions() == [Position(1)]
    assert rig.positions() == [Position(1)]
    assert rig.stream.calls == [
        f"iterator {SHARD} TRIM_HORIZON",
        f"read {SHARD}:1",
        f"iterator {SHARD} 1",
        f"read {SHARD}:1",
    ]
