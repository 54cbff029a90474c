"""Taking the account: the order of the looks is what makes it exact, see `consumers.account.progress`."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from consumers.account import balance
from consumers.account.emitted import Beat, Heartbeats, Stretch, Tally, common, furthest, stretches_between
from consumers.account.explain import EPOCH, History, Window
from consumers.account.found import Found, FoundFile, look, look_within
from consumers.account.progress import Frontier, Peek, Progress, frontiers
from consumers.account.stores.store import Foreign, Store
from consumers.keeper.store import HistoryStore
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import ShardInfo
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage

# How far before a window its rows and its first heartbeats are looked for: an agent may hold a line back for as long
# as the stream is away. What is older is asked for only where something does not fit.
_LOOK_BACK = dt.timedelta(days=7)
_TICK = dt.timedelta(microseconds=1)
_FOREVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the account is taken of."""

    stores: Sequence[Store]
    progress: Mapping[str, Progress]  # by name of the store
    tables: Sequence[Heartbeats]  # named like the stores that hold them
    histories: Sequence[HistoryStore]
    shards: Callable[[], list[ShardInfo]]
    peek: Peek
    history: History
    clock: Clock


@dataclass(slots=True, kw_only=True)
class StoreLook:
    """One store, closely."""

    frontier: Frontier
    closed: dict[str, Stretch]
    found: Found
    old: set[str]  # files that have rows of before all that was looked at
    differences: list[balance.Difference]
    foreign: Foreign = field(default_factory=Foreign)
    revenue: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Look:
    """Everything that was seen at one time."""

    taken_at: dt.datetime
    window: Window
    rows_since: dt.datetime  # arrival of the oldest rows that were looked at
    emitted: dict[str, Stretch] = field(default_factory=dict)
    last: dict[str, Beat] = field(default_factory=dict)  # the last heartbeat of each file that has one in the window
    newest: dict[str, Beat] = field(default_factory=dict)  # of every file; may be later than what is compared
    seen_until: dt.datetime | None = None  # every heartbeat that arrived before is in `newest`; None: nobody can tell
    stores: dict[str, StoreLook] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)  # by store: why it could not be looked at


class Looker:
    """Looks once. Trouble with one store is noted, and the others are looked at."""

    def __init__(self, parts: Parts, window: Window) -> None:
        self._parts = parts
        self._since = window.since - _LOOK_BACK
        self._look = Look(taken_at=parts.clock.now(), window=window, rows_since=self._since)
        self._beats: dict[tuple[dt.datetime, dt.datetime], dict[str, Beat]] = {}

    def look(self) -> Look:
        """Raises nothing that a store or the stream may raise."""
        newest = [found for table in self._parts.tables if (found := self._newest(table))]
        if not newest:
            return self._empty()
        until = max(newest) + _TICK
        passed = self._frontiers(until)
        window = self._look.window
        end = min(until, window.until or until)
        first = self._last(window.since)
        self._look.newest = self._last(_FOREVER)  # a table may have taken more since its newest one was asked for
        self._look.last = {file: beat for file, beat in self._last(end).items() if beat.arrived_at >= window.since}
        self._look.emitted = stretches_between(first, self._last(end))
        self._see_until(passed)
        for store in self._parts.stores:
            if store.name in passed:
                closed = stretches_between(first, self._last(min(end, passed[store.name].before)))
                self._try(store.name, lambda s=store, c=closed: self._look_at(s, passed[s.name], c))  # type: ignore[misc]
        self._compare_revenue()
        self._count_foreign(end)
        return self._look

    def _newest(self, table: Heartbeats) -> dt.datetime | None:
        return self._try(table.name, lambda: table.newest(self._since))

    def _frontiers(self, until: dt.datetime) -> dict[str, Frontier]:
        taken: dict[str, Mapping[str, Checkpoint]] = {}
        for store in self._parts.stores:
            progress = self._parts.progress[store.name]
            positions = self._try(store.name, progress.taken)
            if positions is not None:
                taken[store.name] = positions
        found = self._try("", lambda: frontiers(self._parts.shards(), taken, self._parts.peek, until))
        if found is None:  # without the stream nobody knows what is still to come
            why = self._look.trouble.pop("")
            self._look.trouble |= dict.fromkeys(taken, f"the stream: {why}")
        return found or {}

    def _see_until(self, passed: Mapping[str, Frontier]) -> None:
        """A table of heartbeats that has nothing left to take knows all that there were when this look began."""
        seen = [
            passed[table.name].before if passed[table.name].behind else self._look.taken_at
            for table in self._parts.tables
            if table.name in passed and table.name not in self._look.trouble
        ]
        self._look.seen_until = max(seen, default=None)

    def _look_at(self, store: Store, frontier: Frontier, closed: dict[str, Stretch]) -> bool:
        found = look(store, closed, self._since, self._look.newest)
        files = dict(found.files)
        wrong = balance.differences(store.name, closed, files)
        old: set[str] = set()
        if wrong:
            # A file may have rested for longer than is looked back, or a line been delivered long before it was
            # acknowledged: such rows are older.
            files |= look_within(store, [difference.stretch for difference in wrong], EPOCH)
            old = {file_id for file_id, file in files.items() if file.tally != _tally_of(found, file_id)}
            wrong = balance.differences(store.name, closed, files)
        self._look.stores[store.name] = StoreLook(
            frontier=frontier,
            closed=closed,
            found=Found.of(files, found.unnamed),
            old=old,
            differences=wrong,
        )
        return True

    def _compare_revenue(self) -> None:
        """Of the lines that all stores have closed: each may be at another place."""
        looks = self._look.stores
        shared = common(each.closed for each in looks.values())
        for store in self._parts.stores:
            if store.name in looks:
                self._try(store.name, lambda s=store: self._sum_revenue(s, shared))  # type: ignore[misc]

    def _sum_revenue(self, store: Store, shared: Mapping[str, Stretch]) -> bool:
        seen = self._look.stores[store.name]
        shorter = [stretch for file_id, stretch in shared.items() if stretch.end < seen.closed[file_id].end]
        files: dict[str, FoundFile] = {
            file_id: seen.found.files[file_id] for file_id in shared if file_id in seen.found.files
        }
        for stretch in shorter:
            files.pop(stretch.file_id, None)
        files |= look_within(store, shorter, EPOCH if seen.old else self._since)
        seen.revenue = balance.revenue_of(files.values())
        return True

    def _count_foreign(self, end: dt.datetime) -> None:
        looks = self._look.stores
        before = min([end, *(each.frontier.before for each in looks.values())])
        for store in self._parts.stores:
            if store.name in looks:
                foreign = self._try(store.name, lambda s=store: s.foreign(self._look.window.since, before))  # type: ignore[misc]
                if foreign is not None:
                    looks[store.name].foreign = foreign

    def _last(self, before: dt.datetime) -> dict[str, Beat]:
        if (self._since, before) not in self._beats:
            tables: list[Iterable[Beat]] = []
            for table in self._parts.tables:
                beats = self._try(table.name, lambda t=table: list(t.last(self._since, before)))  # type: ignore[misc]
                tables.append(beats or ())
            self._beats[self._since, before] = furthest(*tables)
        return self._beats[self._since, before]

    def _empty(self) -> Look:
        """No heartbeats: nothing was emitted, or nobody can tell; rows may be there all the same."""
        everything = self._frontiers(self._look.taken_at)
        self._see_until(everything)
        for store in self._parts.stores:
            if store.name in everything:
                self._try(store.name, lambda s=store: self._look_at(s, everything[s.name], {}))  # type: ignore[misc]
        return self._look

    def _try(self, name: str, ask: Callable[[], T]) -> T | None:
        """None where the store is in trouble, which is noted; a store in trouble is not asked again."""
        if name in self._look.trouble:
            return None
        try:
            return ask()
        except (Outage, ConfigError) as error:
            self._look.trouble[name] = str(error)
            self._look.stores.pop(name, None)
            return None


def _tally_of(found: Found, file_id: str) -> Tally:
    file = found.files.get(file_id)
    return file.tally if file else Tally()
