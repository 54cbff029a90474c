"""A duty's own thread: its turns when they are due, while the lease is ours; its trouble is its own."""

import logging
import random
from collections.abc import Callable
from typing import Protocol

from consumers.delivery import LeaseLost
from consumers.keeper.cadence import Cadence
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop, Trouble

_log = logging.getLogger(__name__)

_LOOK_S = 0.5  # between two looks at lease and stop
_LONGEST_WAIT_S = 10.0  # for a service that is away; a turn may be due a quarter of an hour later
_OPERATOR_S = 60.0  # before what only an operator, or a new release, mends is tried again


class Duty(Protocol):
    """One thing that must happen once. One caller at a time."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def prepare(self) -> None:
        """See that turns can be taken: before the first, and again after a ConfigError. Raises ConfigError, Outage."""
        ...

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        """Do what is to be done by now. Asks `check`, which raises LeaseLost, before each step that others see; ends
        soon after `stop`. Raises ConfigError, Outage: the next turn does it all."""
        ...

    def report(self) -> str:
        """What was done since the last report: one line; empty where that is nothing to tell."""
        ...


class Attendance:
    """Calls one duty, over and over."""

    def __init__(
        self, duty: Duty, cadence: Cadence, check: Callable[[], None], clock: Clock, rng: random.Random
    ) -> None:
        self.duty = duty
        self.refused: ConfigError | None = None  # why it has never begun
        self._cadence = cadence
        self._check = check
        self._clock = clock
        self._rng = rng
        self._trouble = Trouble(duty.name, clock)
        self._is_prepared = self._has_begun = False
        self._last_s = float("-inf")  # monotonic: when the last good turn began
        self._not_before_s = float("-inf")  # monotonic
        self._failures = 0

    def run(self, stop: Stop) -> None:
        """Until `stop` is set. Raises nothing."""
        while not stop.is_set():
            self.step(stop)
            stop.wait(_LOOK_S)

    def step(self, stop: Stop) -> None:
        """One look: a turn if it is due."""
        started_s = self._clock.monotonic()
        due_s = max(self._last_s + self._cadence.every_s(self._clock.now()), self._not_before_s)
        if started_s < due_s:
            return
        try:
            self._turn(stop)
        except LeaseLost:
            return
        except Outage as outage:
            self._trouble.goes_on(str(outage))
            self._put_off(full_jitter(self._failures, self._rng, base_s=0.5, cap_s=_LONGEST_WAIT_S))
        except ConfigError as error:
            self._is_prepared = False  # tables may have gone: they are looked after again
            self._trouble.goes_on(str(error))
            self._put_off(_OPERATOR_S)
        except Exception:  # a fault of our own: the other duties go on, and a turn can be taken again from the start
            _log.exception("%s failed; again in %.0f s", self.duty.name, _OPERATOR_S)
            self._put_off(_OPERATOR_S)
        else:
            self._trouble.over()
            self._failures = 0
            self._last_s = started_s

    def _turn(self, stop: Stop) -> None:
        self._check()
        if not self._is_prepared:
            self._prepare()
        self.duty.turn(self._check, stop)

    def _prepare(self) -> None:
        try:
            self.duty.prepare()
        except ConfigError as error:
            self.refused = None if self._has_begun else error
            raise
        self.refused, self._is_prepared, self._has_begun = None, True, True

    def _put_off(self, wait_s: float) -> None:
        self._failures += 1
        self._not_before_s = self._clock.monotonic() + wait_s
