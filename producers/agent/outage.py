"""Trouble that passes: said when it begins or changes and when it is over, the same trouble at most once a minute."""

import logging

from runtime.clock import Clock

# A throttled stream is well and unwell by turns within every second: that is one thing to say, not sixty.
QUIET_S = 60.0
_REMEMBERED = 50

_log = logging.getLogger(__name__)


class Outage:
    """The state of one thing that may be away for hours."""

    def __init__(self, what: str, clock: Clock) -> None:
        self._what = what
        self._clock = clock
        self._why: str | None = None
        self._is_announced = False
        self._said_at: dict[str, float] = {}

    def goes_on(self, why: str) -> None:
        """It is away, because of `why`."""
        now = self._clock.monotonic()
        if why != self._why and now - self._said_at.get(why, -QUIET_S) >= QUIET_S:
            _log.warning("%s: %s; waiting, nothing is lost", self._what, why)
            self._is_announced = True
            if len(self._said_at) == _REMEMBERED:
                self._said_at.clear()
            self._said_at[why] = now
        self._why = why

    def over(self) -> None:
        """It is there."""
        if self._is_announced:
            _log.info("%s: well again", self._what)
        self._why, self._is_announced = None, False
