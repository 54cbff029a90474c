"""A clock that tests set."""

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
