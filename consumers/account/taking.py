"""Taking the account: the order of the looks is what makes it exact, see `consumers.account.progress`."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from consumers.account import balance
from consumers.account.emitted import Beat, Heartbeats, Stretch, Tally, common, furthest, stretches_between
from consumers.account.explain import EPOCH, History, Window
from consumers.account.found import Found, FoundFile, look, look_within
from consumers.account.progress import Frontier
from consumers.account.stores.store import Foreign, Store
from consumers.account.streams import LineStream, Passed, passed
from consumers.keeper.store import HistoryStore
from consumers.sources.kinesis.checkpoints import Checkpoint
from runtime.clock import Clock
from runtime.errors import ConfigError, StreamAbsent
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
    streams: Sequence[LineStream]  # one for each kind of file at most
    tables: Sequence[Heartbeats]  # named like the stores that hold them
    histories: Sequence[HistoryStore]
    history: History
    clock: Clock


@dataclass(slots=True, kw_only=True)
class StoreLook:
    """One store, closely."""

    frontiers: dict[str, Frontier]  # by kind of file, of the streams that could be looked at; at least one
    closed: dict[str, Stretch]  # of all kinds
    found: Found
    old: set[str]  # files that have rows of before all that was looked at
    differences: list[balance.Difference]
    foreign: Foreign = field(default_factory=Foreign)
    revenue: dict[str, int] = field(default_factory=dict)

    def closed_before(self, end: dt.datetime) -> dt.datetime:
        """All that arrived at these streams earlier is in the store. `end` where nothing is left to take."""
        return min([end, *(at for frontier in self.frontiers.values() if (at := frontier.open_since))])


@dataclass(slots=True, kw_only=True)
class Look:
    """Everything that was seen at one time."""

    taken_at: dt.datetime
    window: Window
    rows_since: dt.datetime  # arrival of the oldest rows that were looked at
    end: dt.datetime  # just after the newest heartbeat; now, where there is none
    emitted: dict[str, Stretch] = field(default_factory=dict)
    last: dict[str, Beat] = field(default_factory=dict)  # the last heartbeat of each file that has one in the window
    newest: dict[str, Beat] = field(default_factory=dict)  # of every file; may be later than what is compared
    # By kind of file: every heartbeat that arrived before is in `newest`. Absent where nobody can tell.
    seen_until: dict[str, dt.datetime] = field(default_factory=dict)
    stores: dict[str, StoreLook] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)  # by store: why it could not be looked at
    blind: dict[str, str] = field(default_factory=dict)  # by kind of file: why its lines could not be compared
    absent: dict[str, str] = field(default_factory=dict)  # by kind: there is no stream, and nobody heard of a file

    @property
    def all_seen_until(self) -> dt.datetime | None:
        """The same for files of whatever kind."""
        return None if self.blind else min(self.seen_until.values(), default=None)


class Looker:
    """Looks once. Trouble with one store is noted, and the others are looked at."""

    def __init__(self, parts: Parts, window: Window) -> None:
        self._parts = parts
        self._since = window.since - _LOOK_BACK
        now = parts.clock.now()
        self._look = Look(taken_at=now, window=window, rows_since=self._since, end=now)
        self._beats: dict[tuple[dt.datetime, dt.datetime], dict[str, Beat]] = {}

    def look(self) -> Look:
        """Raises nothing that a store or the stream may raise."""
        until = {kind: at + _TICK for kind, at in self._newest().items()}
        how_far = self._pass(until)
        window = self._look.window
        ends = {kind: min(at, window.until or at) for kind, at in until.items()}
        first, last = self._last(window.since), self._last_before(ends)
        self._look.newest = self._last(_FOREVER)  # a table may have taken more since its newest one was asked for
        self._look.last = {file: beat for file, beat in last.items() if beat.arrived_at >= window.since}
        self._look.emitted = stretches_between(first, last)
        self._note_streams(how_far)
        for store in self._parts.stores:
            if mine := how_far.of_store(store.name):
                closed_ends = {kind: min(end, mine[kind].before) for kind, end in ends.items() if kind in mine}
                closed = stretches_between(first, self._last_before(closed_ends))
                self._try(store.name, lambda s=store, m=mine, c=closed: self._look_at(s, m, c))  # type: ignore[misc]
        self._compare_revenue()
        self._look.end = max(until.values(), default=self._look.taken_at)
        self._count_foreign(min(self._look.end, window.until or self._look.end))
        return self._look

    def _newest(self) -> dict[str, dt.datetime]:
        """Arrival of the newest heartbeat that any table holds, by kind of file."""
        newest: dict[str, dt.datetime] = {}
        for table in self._parts.tables:
            found = self._try(table.name, lambda t=table: t.newest(self._since))  # type: ignore[misc]
            for kind, at in (found or {}).items():
                newest[kind] = max(at, newest.get(kind, at))
        return newest

    def _pass(self, until: Mapping[str, dt.datetime]) -> Passed:
        found = passed(self._parts.streams, self._taken, lambda kind: until.get(kind, self._look.taken_at))
        if not found.frontiers:  # without a stream nobody knows what is still to come
            whys = dict.fromkeys([*found.absent.values(), *found.away.values()])
            for store in self._parts.stores:
                self._look.trouble.setdefault(store.name, f"the stream: {'; '.join(whys)}")
        return found

    def _taken(self, stream: LineStream) -> Mapping[str, Mapping[str, Checkpoint]]:
        taken: dict[str, Mapping[str, Checkpoint]] = {}
        for store in self._parts.stores:
            positions = self._try(store.name, stream.progress[store.name].taken)
            if positions is not None:
                taken[store.name] = positions
        return taken

    def _note_streams(self, how_far: Passed) -> None:
        heard = frozenset(beat.kind for beat in self._look.newest.values())
        if how_far.frontiers:
            self._look.blind = how_far.blind(heard)
            self._look.absent = {kind: why for kind, why in how_far.absent.items() if kind not in heard}
        for kind, by_store in how_far.frontiers.items():
            # A table of heartbeats that has nothing left to take knows all that there were when this look began.
            seen = [
                by_store[table.name].open_since or self._look.taken_at
                for table in self._parts.tables
                if table.name in by_store and table.name not in self._look.trouble
            ]
            if seen:
                self._look.seen_until[kind] = max(seen)

    def _look_at(self, store: Store, frontiers: dict[str, Frontier], closed: dict[str, Stretch]) -> bool:
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
            frontiers=frontiers,
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
        before = min((each.closed_before(end) for each in looks.values()), default=end)
        for store in self._parts.stores:
            if store.name in looks:
                foreign = self._try(store.name, lambda s=store: s.foreign(self._look.window.since, before))  # type: ignore[misc]
                if foreign is not None:
                    looks[store.name].foreign = foreign

    def _last_before(self, ends: Mapping[str, dt.datetime]) -> dict[str, Beat]:
        """The last heartbeat of each file, among those that arrived before the end for its kind."""
        return {
            file_id: beat
            for kind, end in ends.items()
            for file_id, beat in self._last(end).items()
            if beat.kind == kind
        }

    def _last(self, before: dt.datetime) -> dict[str, Beat]:
        if (self._since, before) not in self._beats:
            tables: list[Iterable[Beat]] = []
            for table in self._parts.tables:
                beats = self._try(table.name, lambda t=table: list(t.last(self._since, before)))  # type: ignore[misc]
                tables.append(beats or ())
            self._beats[self._since, before] = furthest(*tables)
        return self._beats[self._since, before]

    def _try(self, name: str, ask: Callable[[], T]) -> T | None:
        """None where the store is in trouble, which is noted; a store in trouble is not asked again."""
        if name in self._look.trouble:
            return None
        try:
            return ask()
        except StreamAbsent:  # no fault of the store's
            raise
        except (Outage, ConfigError) as error:
            self._look.trouble[name] = str(error)
            self._look.stores.pop(name, None)
            return None


def _tally_of(found: Found, file_id: str) -> Tally:
    file = found.files.get(file_id)
    return file.tally if file else Tally()
