"""Reading a shard by subscription: renewed, resumed, watched, and bounded."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from consumers.delivery import Position, Record, Trimmed
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.fan_out import FanOut
from consumers.sources.kinesis.stream import Answer, ShardGone, ShardInfo
from consumers.sources.kinesis.subscriptions import ContinuationRefused
from consumers.sources.kinesis.testing import (
    ARRIVED_AT,
    ScriptedConsumer,
    ScriptedSubscription,
    even_shards,
    fixed_random,
)
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

SHARD = "shardId-0"
MUTE_S = 35.0
MIB = 1 << 20
CHILDREN = tuple(even_shards(2))


def event(*numbers: int, after: str | None = "", children: tuple[ShardInfo, ...] = (), nbytes: int = 0) -> Answer:
    """One event; its continuation is its last number, if no other is given."""
    continuation = str(numbers[-1] if numbers else 0) if after == "" else after
    records = [Record(Position(number), ARRIVED_AT, b"x") for number in numbers]
    return Answer(records=records, next_iterator=continuation, millis_behind=0, children=children, nbytes=nbytes)


class Rig:
    def __init__(self, limit: int = 64 * MIB) -> None:
        self.clock = ManualClock()
        self.consumer = ScriptedConsumer()
        self.allowance = Allowance(limit)
        self.bell = threading.Event()
        self.fan_out = FanOut(
            self.consumer,
            self.allowance,
            shard_id=SHARD,
            hash_range=None,
            mute_s=MUTE_S,
            look_s=0.333,
            clock=self.clock,
            rng=fixed_random(),
            ring=self.bell.set,
        )
        self.fan_out.begin(TRIM_HORIZON)

    def subscribed(self) -> ScriptedSubscription:
        """Wait longer than any jitter, so that a subscription is made."""
        self.clock.advance(10)
        assert self.fan_out.take() is None
        return self.consumer.subscription()

    def news(self) -> Answer:
        """What comes with the rings."""
        while True:
            assert self.bell.wait(10)
            self.bell.clear()
            if (answer := self.fan_out.take()) is not None:
                return answer

    def numbers(self) -> list[int]:
        return [record.position.sequence for record in self.news().records]

    def await_end(self) -> None:
        """Until the subscription's thread has nothing more to say."""
        while any(thread.name == f"listen {SHARD}" for thread in threading.enumerate()):
            self.bell.wait(0.01)

    def await_silence(self) -> None:
        """Until the subscription's thread listens for the next event."""
        while self.fan_out._listener is None or self.fan_out._listener.silent_s(self.clock.monotonic() + 1) < 1:
            self.bell.wait(0.001)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.fan_out.close()
    assert rig.allowance.held_bytes == 0
    assert not [thread for thread in threading.enumerate() if thread.name == f"listen {SHARD}"]


def test_an_event_rings_and_is_taken(rig: Rig) -> None:
    subscription = rig.subscribed()
    assert rig.fan_out.wait_s() == 0.333
    subscription.send(event(1, 2))
    assert rig.numbers() == [1, 2]
    assert rig.consumer.calls == [f"{SHARD} at TRIM_HORIZON"]


def test_an_event_without_records_says_how_far_behind_it_is(rig: Rig) -> None:
    rig.subscribed().send(event())
    answer = rig.news()
    assert (answer.records, answer.millis_behind) == ([], 0)


def test_what_came_while_the_reader_was_busy_is_one_answer(rig: Rig) -> None:
    subscription = rig.subscribed()
    subscription.send(event(1, nbytes=3), event(2, nbytes=4))
    subscription.end()
    rig.await_end()
    answer = rig.fan_out.take()
    assert answer is not None
    assert [record.position.sequence for record in answer.records] == [1, 2]
    assert (answer.nbytes, rig.allowance.held_bytes) == (7, 7)


def test_after_five_minutes_reading_goes_on_by_continuation_without_a_word(rig: Rig) -> None:
    subscription = rig.subscribed()
    subscription.send(event(1, 2), event(after="17"))
    rig.numbers()
    subscription.end()
    rig.pass_time(300)
    rig.await_end()
    while rig.fan_out.take() is not None:
        continue
    rig.subscribed().send(event(18))
    assert rig.numbers() == [18]
    assert rig.consumer.calls == [f"{SHARD} at TRIM_HORIZON", f"{SHARD} after 17"]


def test_a_subscription_that_breaks_off_is_said_and_followed_by_another(rig: Rig) -> None:
    subscription = rig.subscribed()
    subscription.send(event(1))
    rig.numbers()
    subscription.fail(Outage("reset by peer"))
    with pytest.raises(Outage, match="reset by peer"):
        rig.news()
    rig.subscribed().send(event(2))
    assert rig.numbers() == [2]
    assert rig.consumer.calls[-1] == f"{SHARD} after 1"


def test_a_shard_is_subscribed_to_once_a_second_at_most_with_a_jitter_that_grows(rig: Rig) -> None:
    called_at_s = []
    for _ in range(30):
        rig.consumer.trouble.append(Outage("LimitExceededException"))
        while True:
            rig.pass_time(max(rig.fan_out.wait_s(), 0.001))
            calls = len(rig.consumer.calls)
            try:
                rig.fan_out.take()
            except Outage:
                break
            if len(rig.consumer.calls) > calls or not rig.consumer.trouble:
                assert rig.bell.wait(10)
                rig.bell.clear()
        called_at_s.append(rig.clock.monotonic())
    gaps = [later - earlier for earlier, later in itertools.pairwise(called_at_s)]
    assert min(gaps) >= 1.0
    assert max(gaps) <= 7.0
    assert sum(gaps[:3]) < sum(gaps[-3:])


def test_a_mute_subscription_is_given_up_after_35_seconds_and_said(rig: Rig) -> None:
    subscription = rig.subscribed()
    subscription.send(event(1))
    rig.numbers()
    rig.await_silence()
    rig.pass_time(MUTE_S - 0.1)
    assert rig.fan_out.take() is None
    rig.pass_time(0.1)
    with pytest.raises(Outage, match="no event for 35 s"):
        rig.fan_out.take()
    assert subscription.is_closed.is_set()
    rig.subscribed().send(event(2))
    assert rig.numbers() == [2]
    assert rig.consumer.calls[-1] == f"{SHARD} after 1"


def test_a_call_that_is_never_answered_is_mute_too(rig: Rig) -> None:
    never = threading.Event()

    def hang(*_: object) -> ScriptedSubscription:
        never.wait(10)
        return ScriptedSubscription()

    rig.consumer.subscribe = hang  # type: ignore[method-assign]
    rig.fan_out.take()
    rig.pass_time(MUTE_S)
    threading.Timer(0.05, never.set).start()
    with pytest.raises(Outage, match="no event"):
        rig.fan_out.take()


def test_while_the_reader_is_slow_a_subscription_is_not_mute_and_memory_stays_bounded() -> None:
    rig = Rig(limit=6 * MIB)
    subscription = rig.subscribed()
    subscription.send(*[event(number, nbytes=MIB) for number in range(1, 21)])
    rig.numbers()
    rig.pass_time(MUTE_S * 10)
    seen = 0
    while seen < 20:
        answer = rig.fan_out.take()
        seen = answer.records[-1].position.sequence if answer else seen
    assert rig.allowance.most_bytes <= 6 * MIB
    assert len(rig.consumer.calls) == 1
    rig.fan_out.close()
    assert rig.allowance.held_bytes == 0


def test_the_end_of_the_shard_names_its_children(rig: Rig) -> None:
    rig.subscribed().send(event(1, after=None, children=CHILDREN))
    answer = rig.news()
    assert (answer.next_iterator, answer.children) == (None, CHILDREN)


def test_an_end_without_children_is_asked_again_at_the_last_record(rig: Rig) -> None:
    rig.subscribed().send(event(1, after=None))
    assert rig.numbers() == [1]
    rig.await_end()
    assert rig.fan_out.take() is None
    rig.subscribed().send(event(1, 2))
    answer = rig.news()
    assert answer.resumed_at == Position(1)
    assert rig.consumer.calls[-1] == f"{SHARD} at 1"


def test_a_checkpoint_is_subscribed_at_and_its_record_must_come_first(rig: Rig) -> None:
    rig.fan_out.begin(Checkpoint.at(Position(7, 2)))
    rig.subscribed().send(event(after="7"), event(7, 8), event(9))
    answers = []
    while not answers or answers[-1].records[-1:] != event(9).records:
        if answer := rig.fan_out.take():
            answers.append(answer)
        rig.bell.wait(0.01)
    assert rig.consumer.calls == [f"{SHARD} at 7"]
    with_records = [answer for answer in answers if answer.records]
    assert with_records[0].resumed_at == Position(7, 2)
    assert all(answer.resumed_at is None for answer in with_records[1:])


def test_a_continuation_older_than_an_hour_gives_way_to_the_last_record(rig: Rig) -> None:
    """After a long outage the stream may have trimmed both; only a record of its own shows the gap."""
    subscription = rig.subscribed()
    subscription.send(event(5, after="17"))
    rig.numbers()
    subscription.fail(Outage("the data centre"))
    with pytest.raises(Outage):
        rig.news()
    rig.pass_time(3601)
    rig.subscribed()
    assert rig.consumer.calls[-1] == f"{SHARD} at 5"


def test_a_continuation_that_is_refused_gives_way_to_the_last_record(rig: Rig) -> None:
    subscription = rig.subscribed()
    subscription.send(event(5, after="17"))
    rig.numbers()
    subscription.end()
    rig.await_end()
    assert rig.fan_out.take() is None
    rig.consumer.trouble.append(ContinuationRefused("continuation refused"))
    rig.pass_time(10)
    rig.bell.clear()
    assert rig.fan_out.take() is None
    with pytest.raises(Outage, match="continuation refused"):
        rig.news()
    rig.subscribed().send(event(5, 18))
    assert rig.news().resumed_at == Position(5)
    assert rig.consumer.calls[-2:] == [f"{SHARD} after 17", f"{SHARD} at 5"]


@pytest.mark.parametrize("trouble", [Trimmed("no such record"), ShardGone("gone"), RuntimeError("a bug")])
def test_what_a_retry_does_not_mend_is_raised_as_it_is(rig: Rig, trouble: Exception) -> None:
    rig.consumer.trouble.append(trouble)
    rig.fan_out.take()
    with pytest.raises(type(trouble)):
        rig.news()


def test_a_subscription_that_ends_at_once_is_an_outage_not_a_busy_loop(rig: Rig) -> None:
    rig.subscribed().end()
    with pytest.raises(Outage, match="without an event"):
        rig.news()
    assert rig.fan_out.wait_s() > 0


def test_a_new_beginning_drops_the_subscription_and_what_it_brought(rig: Rig) -> None:
    first = rig.subscribed()
    first.send(event(1, nbytes=5))
    assert rig.bell.wait(10)
    rig.fan_out.begin(Checkpoint.at(Position(3)))
    assert first.is_closed.is_set()
    assert rig.allowance.held_bytes == 0
    rig.bell.clear()
    rig.pass_time(1)
    rig.subscribed().send(event(3))
    assert rig.numbers() == [3]
