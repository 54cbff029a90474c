"""How far what others publish is known, and when something newer may have been missed."""

from collections import deque
from datetime import datetime, timedelta

from consumers.stages.facts import ALWAYS, NEVER
from runtime.clock import Clock

_GAPS = 64  # remembered


class Known:
    """What comes into force is published `lead` before: a look shows all of it until then. Not locked: that is its
    owner's."""

    def __init__(self, lead: timedelta, clock: Clock) -> None:
        self._lead = lead
        self._clock = clock
        self._until: datetime | None = None  # None before the first look
        self._gaps: deque[tuple[datetime, datetime]] = deque(maxlen=_GAPS)  # between looks too far apart

    def looked(self, at: datetime) -> None:
        """A look that began then succeeded."""
        if self._until is not None and self._until < at:
            self._gaps.append((self._until, at))
        self._until = at + self._lead

    @property
    def is_stale(self) -> bool:
        """Whether something newer may be in force by now."""
        return self._until is None or self._clock.now() > self._until

    def missed_since(self, first: datetime, last: datetime) -> datetime | None:
        """From when on something newer may have been missed that was in force between the two; None if nothing."""
        gaps = [*self._gaps, (self._until or ALWAYS, NEVER)]
        return min((since for since, until in gaps if since < last and first < until), default=None)
