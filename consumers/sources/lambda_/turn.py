"""One invocation: the records of an event through a path, within the time that the function has."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from consumers.delivery import Backpressure, Batch, Path, Position, Record, Shard
from consumers.sources.lambda_.settings import LambdaSourceSettings
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage

T = TypeVar("T")


class Context(Protocol):
    """What Lambda passes beside the event."""

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is cut off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a batch."""

    failed: int | None = None  # lowest sequence that is not durable; None: all of it is
    unfinished: int = 0  # user records at and after it that are not
    why: str = ""  # nothing more was durable


class _OutOfTime(Exception):
    """The invocation has to answer with what it has."""


class Turn:
    """The time of one invocation, and how it is spent."""

    def __init__(
        self,
        context: Context,
        settings: LambdaSourceSettings,
        clock: Clock,
        wait: Callable[[float], object],
        rng: random.Random,
    ) -> None:
        """`wait` takes seconds."""
        self._settings = settings
        self._clock = clock
        self._wait = wait
        self._rng = rng
        self._end_s = clock.monotonic() + context.get_remaining_time_in_millis() / 1000 - settings.margin_s

    def take(self, batch: Batch, open_path: Callable[[Shard], Path]) -> Taken:
        """Offer the batch, a run of it after the other, and settle: nothing is held until the next invocation.

        Backpressure and Outage, of `open_path` too, are waited for; when that takes too long, or the function's time is
        nearly over, the rest is left to the next invocation. Raises whatever else the path raises: then nothing was
        promised, and all of it comes again.
        """
        try:
            path = self._patiently(lambda: open_path(batch.shard))
            known = self._patiently(lambda: path.resume(None))
        except _OutOfTime as over:
            return _taken(None, batch.records, str(over))
        durable, why = self._offer(path, batch, known)
        try:
            durable = _later(durable, self._patiently(path.settle))
        except _OutOfTime as over:
            why = why or str(over)
        return _taken(durable, batch.records, why)

    def _offer(self, path: Path, batch: Batch, durable: Position | None) -> tuple[Position | None, str]:
        """Offer what is after `durable`. Returns what is durable now, and why not all was offered, or nothing."""
        for number, run in enumerate(_runs(_after(durable, batch.records), self._settings.run_records)):
            if number and self._clock.monotonic() >= self._end_s:
                return durable, "the function's time is nearly over: raise its timeout, or lower the batch size"
            try:
                durable = _later(durable, self._accepted(path, Batch(shard=batch.shard, records=run)))
            except _OutOfTime as over:
                return durable, str(over)
        return durable, ""

    def _accepted(self, path: Path, run: Batch) -> Position | None:
        return self._patiently(lambda: path.accept(run))

    def _patiently(self, step: Callable[[], T]) -> T:
        """What `step` returns. Raises _OutOfTime where it still meets trouble when there is no more time for it."""
        give_up_s = min(self._end_s, self._clock.monotonic() + self._settings.patience_s)
        attempt = 0
        while True:
            try:
                return step()
            except Backpressure as pressure:
                wait_s, why = pressure.wait_s, str(pressure)
            except Outage as outage:
                wait_s, why = full_jitter(attempt, self._rng), str(outage)
            if self._clock.monotonic() + wait_s >= give_up_s:
                raise _OutOfTime(why)
            self._wait(wait_s)
            attempt += 1


def _taken(durable: Position | None, records: Sequence[Record], why: str) -> Taken:
    left = _after(durable, records)
    if not left:
        return Taken()
    why = why or "the path settled on less than it accepted"
    return Taken(failed=left[0].position.sequence, unfinished=len(left), why=why)


def _runs(records: Sequence[Record], most: int) -> Iterator[Sequence[Record]]:
    return (records[first : first + most] for first in range(0, len(records), most))


def _after(durable: Position | None, records: Sequence[Record]) -> Sequence[Record]:
    return [record for record in records if durable is None or record.position > durable]


def _later(one: Position | None, other: Position | None) -> Position | None:
    return max((each for each in (one, other) if each is not None), default=None)
