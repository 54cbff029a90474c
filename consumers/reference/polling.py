"""Looks for new snapshots while a process judges."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble

_log = logging.getLogger(__name__)


class Watched(Protocol):
    """What others publish, and this process knows a copy of."""

    @property
    def is_stale(self) -> bool:
        """Whether something newer may be in force by now."""
        ...

    def look(self) -> None:
        """Take in what is new. Raises Outage, ConfigError: what is known stays."""
        ...


@contextmanager
def polling(watched: Watched, poll_s: float, clock: Clock, what: str = "reference data") -> Iterator[None]:
    """Look again every `poll_s` seconds, in a thread of its own, as long as the context lasts."""
    over = threading.Event()
    trouble = Trouble(what, clock)

    def poll() -> None:
        while not over.wait(poll_s):
            look_again(watched, trouble)

    thread = threading.Thread(target=poll, name=what, daemon=True)  # a load on its way does not hold up an end
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1.0)


class Lookout:
    """The same, for a host whose threads stand still between its turns: it looks when it is asked to."""

    def __init__(self, watched: Watched, poll_s: float, clock: Clock, what: str = "reference data") -> None:
        self._watched = watched
        self._poll_s = poll_s
        self._clock = clock
        self._trouble = Trouble(what, clock)
        self._next_look_s: float | None = None  # monotonic; None before the first that succeeded

    def look(self) -> None:
        """Where the last look is `poll_s` ago. Raises Outage, ConfigError, before the first one has succeeded."""
        now_s = self._clock.monotonic()
        if self._next_look_s is None:
            self._watched.look()
        elif now_s < self._next_look_s:
            return
        else:
            look_again(self._watched, self._trouble)
        self._next_look_s = now_s + self._poll_s


def look_again(watched: Watched, trouble: Trouble) -> None:
    """One look of a process that judges already: whatever is wrong, what is known goes on judging."""
    try:
        watched.look()
    except (Outage, ConfigError) as error:
        was_stale = "; stale: a newer one may be in force by now" if watched.is_stale else ""
        trouble.goes_on(f"{error}; the last one known goes on judging{was_stale}")
    except Exception:  # a fault of ours in one snapshot: say so each time, and judge on
        _log.exception("the look failed; the last one known goes on judging")
    else:
        trouble.over()
