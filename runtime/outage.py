"""Trouble that passes by itself: its name, when it is worth a word, and how long a start waits for it."""

import logging
import random
from collections.abc import Callable
from typing import Protocol

from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.errors import ConfigError

# A throttled service is well and unwell by turns within every second: that is one thing to say, not sixty.
QUIET_S = 60.0
_REMEMBERED = 50
_LONGEST_WAIT_S = 2.0  # between two looks at a service that is not there yet: most are back within seconds

_log = logging.getLogger(__name__)


class Outage(Exception):
    """A service is away: wait, then send the same request again. Whether it took effect is unknown.

    The text is one line, the same for the same trouble.
    """


class Stop(Protocol):
    """What threading.Event offers: how a loop learns that it shall end, and waits."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Trouble:
    """The state of one thing that may be away for hours.

    Said when it begins or changes and when it is over, the same trouble at most once a minute.
    """

    def __init__(self, what: str, clock: Clock) -> None:
        self._what = what
        self._clock = clock
        self._why: str | None = None
        self._since_s = 0.0  # monotonic
        self._is_announced = False
        self._said_at_s: dict[str, float] = {}

    def goes_on(self, why: str) -> None:
        """It is away, because of `why`."""
        now_s = self._clock.monotonic()
        if self._why is None:
            self._since_s = now_s
        if why != self._why and now_s - self._said_at_s.get(why, -QUIET_S) >= QUIET_S:
            _log.warning("%s: %s; waiting, nothing is lost", self._what, why)
            self._is_announced = True
            if len(self._said_at_s) == _REMEMBERED:
                self._said_at_s.clear()
            self._said_at_s[why] = now_s
        self._why = why

    def over(self) -> None:
        """It is there."""
        if self._is_announced:
            _log.info("%s: well again after %.1f s", self._what, self._clock.monotonic() - self._since_s)
        self._why, self._is_announced = None, False


def wait_at_start(
    begin: Callable[[], None],
    stop: Stop,
    *,
    trouble: Trouble,
    patience_s: float,
    advice: str,
    clock: Clock,
    rng: random.Random,
) -> bool:
    """Call `begin` until it raises no Outage. False if `stop` was set first.

    Raises ConfigError, with `advice` on what to change, once `patience_s` have passed, and whatever else `begin`
    raises.
    """
    give_up_s = clock.monotonic() + patience_s
    attempt = 0
    while not stop.is_set():
        try:
            begin()
        except Outage as outage:
            trouble.goes_on(str(outage))
            if clock.monotonic() >= give_up_s:
                raise ConfigError(f"{outage}; waited {patience_s:g} s for it: {advice}") from outage
        else:
            trouble.over()
            return True
        left_s = give_up_s - clock.monotonic()
        stop.wait(min(full_jitter(attempt, rng, cap_s=_LONGEST_WAIT_S), max(0.0, left_s)))
        attempt += 1
    return False
