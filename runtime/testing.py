"""A clock that tests set, and a stop that ends what waits by it."""

import threading
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until `advance` is called."""

    def __init__(self, start: datetime = datetime(2026, 11, 27, 8, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds


class StopAfter(threading.Event):
    """A stop whose waits take no time: they move the clock on. Set by the `waits`-th of them."""

    def __init__(self, waits: int, clock: ManualClock) -> None:
        super().__init__()
        self._left = waits
        self._clock = clock

    def is_set(self) -> bool:
        return self._left <= 0

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        self._clock.advance(timeout or 0.0)
        return self.is_set()
