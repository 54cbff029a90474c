"""The only place that reads the time; tests pass `testing.ManualClock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for rates."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()
