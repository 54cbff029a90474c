"""Looks for new snapshots while a process judges."""

import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.reference.in_force import SnapshotReference
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop, Trouble, wait_at_start
from runtime.settings import Reference

_log = logging.getLogger(__name__)


def await_reference(
    reference: SnapshotReference, settings: Reference, stop: Stop, clock: Clock, rng: random.Random
) -> bool:
    """The first look: nothing is judged before it. False if `stop` came first. Raises ConfigError."""
    return wait_at_start(
        reference.look,
        stop,
        trouble=Trouble("reference data", clock),
        patience_s=settings.start_patience_s,
        advice="start S3 (a local one: `make up`), or change [reference] bucket or [aws] endpoint;"
        " [reference] start_patience_s waits longer",
        clock=clock,
        rng=rng,
    )


@contextmanager
def polling(reference: SnapshotReference, settings: Reference, clock: Clock) -> Iterator[None]:
    """Look again every `poll_s` seconds, in a thread of its own, as long as the context lasts."""
    over = threading.Event()
    trouble = Trouble("reference data", clock)

    def poll() -> None:
        while not over.wait(settings.poll_s):
            look_again(reference, trouble)

    thread = threading.Thread(target=poll, name="reference", daemon=True)  # a load on its way does not hold up an end
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1.0)


class Lookout:
    """The same, for a host whose threads stand still between its turns: it looks when it is asked to."""

    def __init__(self, reference: SnapshotReference, settings: Reference, clock: Clock) -> None:
        self._reference = reference
        self._poll_s = settings.poll_s
        self._clock = clock
        self._trouble = Trouble("reference data", clock)
        self._next_look_s: float | None = None  # monotonic; None before the first that succeeded

    def look(self) -> None:
        """Where the last look is `poll_s` ago. Raises Outage, ConfigError, before the first one has succeeded."""
        now_s = self._clock.monotonic()
        if self._next_look_s is None:
            self._reference.look()
        elif now_s < self._next_look_s:
            return
        else:
            look_again(self._reference, self._trouble)
        self._next_look_s = now_s + self._poll_s


def look_again(reference: SnapshotReference, trouble: Trouble) -> None:
    """One look of a process that judges already: whatever is wrong, the snapshots that are known go on judging."""
    try:
        reference.look()
    except (Outage, ConfigError) as error:
        was_stale = "; stale: a newer snapshot may be in force by now" if reference.is_stale else ""
        trouble.goes_on(f"{error}; the last one known goes on judging{was_stale}")
    except Exception:  # a fault of ours in one snapshot: say so each time, and judge on
        _log.exception("reference data: the look failed; the last one known goes on judging")
    else:
        trouble.over()
