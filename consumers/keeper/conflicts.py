"""The duty that settles conflicts: of two contents with one identity, every store shows the one that arrived first.

Each store takes in what comes to it first, and two shards come to two stores in any order. The lake holds all contents
and decides (`consumers.identities`); the other stores are corrected. One duty a store: one that is away holds up none.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from runtime.clock import Clock
from runtime.outage import Stop

_log = logging.getLogger(__name__)

# How far back a keeper that begins looks, by the day of the event: letters are sent again for 30 days, and a stream
# holds them for 7. Older days are looked at when something is added to them.
LOOK_BACK = dt.timedelta(days=37)
_TOGETHER = 100  # conflicts in one request, and in one transaction
_AT_ONCE = float("-inf")
_AGAIN_S = 600.0  # for a store that has not taken all of it yet, and may never: it has expired there

Row = Mapping[str, Any]  # by column name, times aware UTC
Line = tuple[str | None, int | None, dt.datetime | None]  # file and offset, else the time of arrival


def line_of(row: Row) -> Line:
    """What all deliveries of one line share."""
    file: str | None = row["origin_file"]
    return (None, None, row["arrived_at"]) if file is None else (file, row["origin_offset"], None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One identity with several contents."""

    event_id: str
    event_date: dt.date
    lines: Sequence[Row]  # a row of `orders` for each line of it, by arrival: the first one counts
    order_lines: Sequence[Row] = ()  # the `lines` of the first one, where they were asked for

    @property
    def first(self) -> Row:
        return self.lines[0]

    @property
    def is_whole(self) -> bool:
        """Whether the lines of the first order are there: the lake takes in one table after the other."""
        return len(self.order_lines) == int(self.first["line_count"])

    def by_line(self) -> dict[Line, Row]:
        """Every line of it."""
        return {line_of(row): row for row in self.lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store shows of some conflicts."""

    wrong: Sequence[Conflict]  # it shows one that is not the first, and the lake knows it
    waiting: int  # it has not taken them, or has taken more than the lake


class Corrected(Protocol):
    """A store that can be corrected. Every method raises Outage, ConfigError: then the next turn does it all."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def look(self, conflicts: Sequence[Conflict]) -> Found:
        """Changes nothing."""
        ...

    def correct(self, conflicts: Sequence[Conflict], check: Callable[[], None]) -> int:
        """Show the first one of each, whose order lines are here; how many were changed.

        Asks `check` before each step that others see. May be repeated, and killed between any two steps.
        """
        ...


class Contents(Protocol):
    """The lake's orders, all of them. Raises Outage, ConfigError."""

    def prepare(self) -> None:
        """See `consumers.keeper.duties.Duty`."""
        ...

    def changed_days(self, after: int | None, since: dt.date) -> tuple[set[dt.date], int]:
        """Days of orders that were added after that state, and the state now. None: all days from `since` on."""
        ...

    def conflicts(self, day: dt.date, after: int | None) -> Iterator[Conflict]:
        """Those of one day that were added to after that state, None: all; without their order lines."""
        ...

    def with_order_lines(self, conflicts: Sequence[Conflict]) -> list[Conflict]:
        """The same, of one day, with them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """At a day, to be taken."""

    after: int | None  # the lake's state up to which the store was right
    due_s: float = _AT_ONCE  # monotonic


class ConflictDuty:
    """One store's. See `consumers.keeper.duties.Duty`. Remembers days, never conflicts."""

    def __init__(self, store: Corrected, lake: Contents, clock: Clock) -> None:
        self.name = f"conflicts in {store.name}"
        self._store = store
        self._lake = lake
        self._clock = clock
        self._state: int | None = None
        self._days: dict[dt.date, _Look] = {}
        self._corrected = 0

    def prepare(self) -> None:
        self._lake.prepare()

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        changed, state = self._lake.changed_days(self._state, self._clock.now().date() - LOOK_BACK)
        for day in changed:
            self._days[day] = replace(self._days.get(day, _Look(after=self._state)), due_s=_AT_ONCE)
        self._state = state
        for day, look in sorted(self._days.items()):
            if stop.is_set():
                return
            if look.due_s <= self._clock.monotonic():
                self._day(day, look.after, check, stop)

    def report(self) -> str:
        corrected, self._corrected = self._corrected, 0
        return f"{self.name}: {corrected} corrected" if corrected else ""

    def _day(self, day: dt.date, after: int | None, check: Callable[[], None], stop: Stop) -> None:
        """Looked at again after a change: what came meanwhile from elsewhere may have met the old state."""
        corrected = waiting = 0
        conflicts = self._lake.conflicts(day, after)
        while batch := list(islice(conflicts, _TOGETHER)):
            found = self._store.look(batch)
            waiting += found.waiting
            if found.wrong:
                if stop.is_set():
                    return
                check()
                whole = [each for each in self._lake.with_order_lines(found.wrong) if each.is_whole]
                waiting += len(found.wrong) - len(whole)
                corrected += self._store.correct(whole, check) if whole else 0
        self._corrected += corrected
        if corrected:
            _log.info("%s: %d corrected, of %s", self.name, corrected, day)
            self._days[day] = _Look(after=after)
        elif waiting:
            self._days[day] = _Look(after=after, due_s=self._clock.monotonic() + _AGAIN_S)
        else:
            del self._days[day]
