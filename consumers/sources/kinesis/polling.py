"""Reads a shard by polls: GetRecords, a few times a second."""

import random
from collections.abc import Callable

import msgspec

from consumers.delivery import Position
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.intake import Intake
from consumers.sources.kinesis.prefetch import Prefetch
from consumers.sources.kinesis.stream import Answer, IteratorExpired, Stream, Throttled
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage

_EARLY_S = 0.001  # a timer may wake so much too soon


class Polling:
    """An intake without a thread: one read a `take`, and none before `poll_s` have passed since the last."""

    def __init__(
        self,
        *,
        stream: Stream,
        shard_id: str,
        hash_range: HashRange | None,
        poll_s: float,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._stream = stream
        self._shard_id = shard_id
        self._hash_range = hash_range
        self._poll_s = poll_s
        self._clock = clock
        self._rng = rng
        self._start = TRIM_HORIZON
        self._iterator: str | None = None
        self._stands_at: Position | None = None  # whose record the iterator must bring first
        self._refused = 0  # reads in a row
        self._next_read_s = 0.0  # monotonic

    def begin(self, start: Checkpoint) -> None:
        self._start, self._iterator, self._stands_at = start, None, None

    def take(self) -> Answer | None:
        now_s = self._clock.monotonic()
        if now_s < self._next_read_s - _EARLY_S:
            return None
        self._next_read_s = now_s + self._poll_s
        try:
            self._iterator = self._iterator or self._new_iterator()
            answer = self._stream.read(self._iterator, self._hash_range)
        except IteratorExpired:
            self._iterator = None
            return None
        except (Throttled, Outage):
            self._refused += 1
            self._next_read_s += full_jitter(self._refused, self._rng, base_s=0.1)
            raise
        self._refused = 0
        self._iterator = answer.next_iterator
        resumed_at = self._stands_at
        if answer.records:
            self._start, self._stands_at = Checkpoint.at(answer.records[-1].position), None
        return msgspec.structs.replace(answer, resumed_at=resumed_at) if resumed_at else answer

    def ahead(self) -> None:
        return

    def wait_s(self) -> float:
        return max(0.0, self._next_read_s - self._clock.monotonic())

    def close(self) -> None:
        return

    def _new_iterator(self) -> str:
        """At the last record, not after it: from there, the rest of a half-done aggregate would be lost."""
        iterator = self._stream.iterator(self._shard_id, self._start)
        self._stands_at = self._start.position
        return iterator


class Polls:
    """All shards of a stream by polls, one answer ahead of a path that works, within one allowance."""

    def __init__(
        self, stream: Stream, allowance: Allowance, *, poll_s: float, clock: Clock, rng: random.Random
    ) -> None:
        self._stream = stream
        self._allowance = allowance
        self._poll_s = poll_s
        self._clock = clock
        self._rng = rng

    def prepare(self) -> None:
        return

    def open(self, shard_id: str, hash_range: HashRange | None, ring: Callable[[], None]) -> Intake:
        polling = Polling(
            stream=self._stream,
            shard_id=shard_id,
            hash_range=hash_range,
            poll_s=self._poll_s,
            clock=self._clock,
            rng=self._rng,
        )
        return Prefetch(polling, self._allowance, name=f"ahead {shard_id}")
