"""What one process did with each shard since the last look: counted around its paths, in no call to anybody."""

import datetime as dt
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.delivery import Backpressure, Batch, Path, Position
from consumers.sources.kinesis.source import ShardStatus
from runtime.clock import Clock

_MOST_TIMES = 100  # of accepting, a minute: what one line of Embedded Metric Format takes
_MOST_OPEN = 1_000  # batches that were accepted and are not durable


@dataclass(slots=True, kw_only=True)
class ShardFigures:
    """Of one shard, since the last look."""

    records: int = 0
    nbytes: int = 0  # of the records' data
    accept_ms: list[float] = field(default_factory=list)  # of some of the batches, evenly
    lag_ms: int | None = None  # of the last answer
    checkpoint_age_ms: float = 0.0  # since the oldest record arrived that the path was offered and is not durable


@dataclass(slots=True, kw_only=True)
class LeaseFigures:
    """Of one worker: what it holds now, and what changed hands since the last look."""

    held: int = 0
    taken: int = 0  # from nobody
    stolen: int = 0  # from another that lived, or had not renewed in time
    lost: int = 0  # to another


class MeasuredPath:
    """A path, and what goes through it. One caller at a time; `take` from any thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._figures = ShardFigures()
        self._stride, self._skipped = 1, 0  # of the times of accepting that are kept
        self._open: deque[tuple[Position, dt.datetime]] = deque()  # end of a batch, arrival of its first record
        self._held: dt.datetime | None = None  # arrival of the first record of a batch that the path holds back

    def resume(self, checkpoint: Position | None) -> Position | None:
        return self._path.resume(checkpoint)

    def accept(self, batch: Batch) -> Position | None:
        started_s = self._clock.monotonic()
        try:
            durable = self._path.accept(batch)
        except Backpressure:
            with self._lock:
                self._held = batch.records[0].arrived_at
            raise
        took_ms = (self._clock.monotonic() - started_s) * 1000
        with self._lock:
            self._held = None
            self._figures.records += len(batch.records)
            self._figures.nbytes += sum(len(record.data) for record in batch.records)
            self._time(took_ms)
            if len(self._open) < _MOST_OPEN:
                self._open.append((batch.end, batch.records[0].arrived_at))
            else:
                self._open[-1] = (batch.end, self._open[-1][1])
            self._close(durable)
        return durable

    def tick(self) -> Position | None:
        return self._closed(self._path.tick())

    def settle(self) -> Position | None:
        return self._closed(self._path.settle())

    def take(self) -> ShardFigures:
        """The figures since the last call, without lag."""
        with self._lock:
            taken, self._figures = self._figures, ShardFigures()
            self._stride, self._skipped = 1, 0
            oldest = self._open[0][1] if self._open else self._held
            if oldest is not None:
                since = (self._clock.now() - oldest).total_seconds() * 1000
                taken.checkpoint_age_ms = max(0.0, round(since))
            return taken

    def _closed(self, durable: Position | None) -> Position | None:
        with self._lock:
            self._close(durable)
        return durable

    def _close(self, durable: Position | None) -> None:
        while durable is not None and self._open and self._open[0][0] <= durable:
            self._open.popleft()

    def _time(self, took_ms: float) -> None:
        """Keep every second, fourth, ... one, as they grow many."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        times = self._figures.accept_ms
        times.append(round(took_ms, 3))
        if len(times) == _MOST_TIMES:
            del times[::2]
            self._stride *= 2


class Hands:
    """Who holds which lease, as a worker's source says: what changes hands between two looks is counted."""

    def __init__(self) -> None:
        self._owners: dict[str, str | None] = {}
        self._figures = LeaseFigures()

    def see(self, me: str, statuses: Sequence[ShardStatus]) -> None:
        """To be called every second or so: what changes hands twice in between is not seen."""
        owners = {status.shard_id: status.owner for status in statuses}
        for shard_id, owner in owners.items():
            before = self._owners.get(shard_id)
            if owner == me and before is None:
                self._figures.taken += 1
            elif owner == me and before != me:
                self._figures.stolen += 1
            elif before == me and owner is not None and owner != me:
                self._figures.lost += 1
        self._figures.held = sum(owner == me for owner in owners.values())
        self._owners = owners

    def take(self) -> LeaseFigures:
        """The figures since the last call."""
        taken, self._figures = self._figures, LeaseFigures(held=self._figures.held)
        return taken
