"""One replay: orders of an export into a spool, as fast as it goes or in time."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from contract.order import Order
from producers.replay.mapping import Mapping
from producers.replay.spool import ReplaySpool
from runtime.clock import Clock
from runtime.errors import ConfigError

# Counts into the file's name: raise it when the same export would yield other lines than before.
_FORMAT = 1
_CHUNK_BYTES = 256 * 1024
# Waits shorter than this are saved up: a system call an order would be slower than the highest rates asked for.
_GRAIN_S = 0.005

Pacing = Callable[[int, dt.datetime], float]  # (number of the order, its time) to seconds after the start
Wait = Callable[[float], bool]  # wait this long (s); True: stop now


def at_full_speed(number: int, time: dt.datetime) -> float:
    """Everything is due at once."""
    return 0.0


def at_rate(orders_per_s: float) -> Pacing:
    """Orders evenly spread, whatever their times."""
    return lambda number, time: number / orders_per_s


def in_step(factor: float, first: dt.datetime) -> Pacing:
    """Orders as they came in, `factor` times as fast; the one at `first` now."""
    return lambda number, time: (time - first).total_seconds() / factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is replayed. Another export, mapping or range of days is another job with a spool file of its own."""

    file: Path
    mapping: Mapping
    first: dt.date | None = None  # shop-local days, both included
    last: dt.date | None = None

    def spool_name(self) -> str:
        """Raises ConfigError where the export cannot be read."""
        try:
            with self.file.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{self.file}: not readable: {error.strerror}") from error
        terms = (_FORMAT, content, self.mapping, self.first, self.last)
        digest = hashlib.sha256(msgspec.json.encode(terms, order="deterministic")).hexdigest()
        return f"replay-{self.mapping.namespace}-{digest[:12]}.ndjson"


def write(
    orders: Iterable[Order],
    spool: ReplaySpool,
    *,
    clock: Clock,
    wait: Wait,
    pacing: Pacing = at_full_speed,
    on_written: Callable[[int], None] = lambda orders: None,
) -> bool:
    """Append `orders` to the spool as they fall due. False if `wait` said to stop before the last one.

    Holds at most a chunk of 256 KiB and one order. Killed at any point, the spool is where the next run goes on.
    """
    encoder = msgspec.json.Encoder()
    start_s = clock.monotonic()
    pending: list[bytes] = []
    size = 0

    def flush() -> None:
        nonlocal size
        if pending:
            spool.append(pending)
            on_written(len(pending))
            pending.clear()
            size = 0

    for number, order in enumerate(orders):
        ahead_s = pacing(number, order.event_time) - (clock.monotonic() - start_s)
        if ahead_s > _GRAIN_S or size >= _CHUNK_BYTES:
            flush()
            if wait(max(0.0, ahead_s)):
                return False
        pending.append(encoder.encode(order) + b"\n")
        size += len(pending[-1])
    flush()
    return True
