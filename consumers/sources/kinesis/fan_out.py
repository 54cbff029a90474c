"""Reads a shard by enhanced fan-out: a subscription that is renewed for as long as the shard is read."""

import random
from collections.abc import Callable, Sequence

import msgspec

from consumers.delivery import Record
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.intake import Intake
from consumers.sources.kinesis.listener import Listener
from consumers.sources.kinesis.stream import Answer
from consumers.sources.kinesis.subscriptions import Consumer, Continuation, ContinuationRefused
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage

_BETWEEN_CALLS_S = 1.0  # API reference, SubscribeToShard: one call a second for a consumer and shard
# A continuation behind the trim horizon would be a silent jump; no stream forgets within an hour (24 at least).
_CONTINUED_WITHIN_S = 3600.0


class FanOut:
    """An intake that is rung for news. The allowance is exceeded by no more than one event a shard.

    One subscription at a time, each with a thread of its own that ends with it. Where the reader is slow the thread
    stops to listen, and Kinesis to send. A subscription that ends, fails or goes mute is followed by another from where
    the last answer ended, or at the last record where that is refused, without end: what is wrong is said by the
    Outage that `take` raises.
    """

    def __init__(
        self,
        consumer: Consumer,
        allowance: Allowance,
        *,
        shard_id: str,
        hash_range: HashRange | None,
        mute_s: float,
        look_s: float,
        clock: Clock,
        rng: random.Random,
        ring: Callable[[], None],
    ) -> None:
        """`look_s`: the longest that a reader without news is told to wait."""
        self._consumer = consumer
        self._allowance = allowance
        self._shard_id = shard_id
        self._hash_range = hash_range
        self._mute_s = mute_s
        self._look_s = look_s
        self._clock = clock
        self._rng = rng
        self._ring = ring
        self._start: Checkpoint = TRIM_HORIZON
        self._continuation: Continuation | None = None
        self._heard_s = 0.0  # monotonic, when the continuation came
        self._stands_at: Checkpoint | None = None  # whose record must come first
        self._listener: Listener | None = None
        self._is_barren = False  # the subscription has brought nothing so far
        self._attempts = 0  # subscriptions in a row that brought nothing
        self._called_s = -_BETWEEN_CALLS_S  # monotonic
        self._next_call_s = 0.0
        self._held_bytes = 0  # of the answer that the reader has

    def begin(self, start: Checkpoint) -> None:
        self._hang_up()
        self._start, self._continuation = start, None
        self._next_call_s = max(self._clock.monotonic(), self._called_s + _BETWEEN_CALLS_S)

    def take(self) -> Answer | None:
        self._allowance.give_back(self._held_bytes)
        self._held_bytes = 0
        if self._listener is None:
            if self._clock.monotonic() >= self._next_call_s:
                self._call()
            return None
        is_over = self._listener.is_over  # asked first: nothing comes after it
        answers = self._listener.heard()
        if answers:
            return self._taken(answers)
        if is_over:
            self._end(self._listener.failure)
        elif self._listener.silent_s(self._clock.monotonic()) >= self._mute_s:
            self._end(Outage(f"no event for {self._mute_s:g} s; subscribing again"))
        return None

    def ahead(self) -> None:
        return

    def wait_s(self) -> float:
        if self._listener is None:
            return min(self._look_s, max(0.0, self._next_call_s - self._clock.monotonic()))
        return 0.0 if self._listener.has_news else self._look_s

    def close(self) -> None:
        self._hang_up()
        self._allowance.give_back(self._held_bytes)
        self._held_bytes = 0

    def _call(self) -> None:
        now_s = self._called_s = self._clock.monotonic()
        if self._continuation is not None and now_s - self._heard_s > _CONTINUED_WITHIN_S:
            self._continuation = None
        self._stands_at = self._start if self._continuation is None else None
        self._is_barren = True
        start = self._continuation or self._start
        self._listener = Listener(
            lambda: self._consumer.subscribe(self._shard_id, start, self._hash_range),
            self._allowance,
            self._clock,
            self._ring,
            name=f"listen {self._shard_id}",
        )

    def _taken(self, answers: Sequence[Answer]) -> Answer:
        answer = answers[0] if len(answers) == 1 else _joined(answers)
        self._held_bytes = answer.nbytes
        self._is_barren, self._attempts = False, 0
        self._continuation = Continuation(answer.next_iterator) if answer.next_iterator else None
        self._heard_s = self._clock.monotonic()
        stands_at = self._stands_at.position if self._stands_at else None
        if answer.records:
            self._start, self._stands_at = Checkpoint.at(answer.records[-1].position), None
        return msgspec.structs.replace(answer, resumed_at=stands_at) if stands_at else answer

    def _end(self, failure: Exception | None) -> None:
        """The subscription is over. Raises what ended it; an ordinary end, after five minutes, is nothing to say."""
        self._hang_up()
        now_s = self._clock.monotonic()
        self._next_call_s = max(now_s, self._called_s + _BETWEEN_CALLS_S)
        if failure is None and self._is_barren:
            failure = Outage("a subscription that ended without an event")
        if isinstance(failure, ContinuationRefused):
            self._continuation = None
        if failure is not None:
            self._attempts += 1
            self._next_call_s += full_jitter(self._attempts, self._rng, base_s=0.1)
            raise failure

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class FanOuts:
    """All shards of a stream by one registered consumer, within one allowance."""

    def __init__(
        self,
        consumer: Consumer,
        allowance: Allowance,
        *,
        mute_s: float,
        look_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._consumer = consumer
        self._allowance = allowance
        self._mute_s = mute_s
        self._look_s = look_s
        self._clock = clock
        self._rng = rng

    def prepare(self) -> None:
        self._consumer.register()

    def open(self, shard_id: str, hash_range: HashRange | None, ring: Callable[[], None]) -> Intake:
        return FanOut(
            self._consumer,
            self._allowance,
            shard_id=shard_id,
            hash_range=hash_range,
            mute_s=self._mute_s,
            look_s=self._look_s,
            clock=self._clock,
            rng=self._rng,
            ring=ring,
        )


def _joined(answers: Sequence[Answer]) -> Answer:
    """One answer of several: a path that was busy is given all that came meanwhile at once."""
    records: list[Record] = [record for answer in answers for record in answer.records]
    return msgspec.structs.replace(
        answers[-1],
        records=records,
        strays=sum(answer.strays for answer in answers),
        nbytes=sum(answer.nbytes for answer in answers),
    )
