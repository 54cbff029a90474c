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

    def advance(self, seconds: float) -> None:
        """Be that much later from now on: days pass in a test."""
        ...


class SystemClock:
    """The machine's own clocks, and what they were advanced by."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + round(self._ahead_s * 1000)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds
