"""Every difference in its place: by file and offset, with the objects that should hold what is missing."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, takewhile

import msgspec

from consumers.account.balance import Difference
from consumers.account.chains import Link, Missing, chunks, links_since, missing_objects
from consumers.account.emitted import Beat, Heartbeats, Stretch
from consumers.account.found import look_within
from consumers.account.locate import located, narrowed, pieces
from consumers.account.originals import Originals
from consumers.account.report import Gap, GapKind, Line
from consumers.account.stores.store import Store, Torn
from consumers.keeper.store import HistoryStore, Place
from consumers.manifests import START, Manifest
from consumers.spans.chain import shards_of
from runtime.errors import ConfigError
from runtime.objects import Objects
from runtime.outage import Outage

MOST_FILES = 50  # are located; the others are named with their counts
MOST_LINES = 100  # are named of a file in a store; the others are counted
_MOST_TORN = 1_000  # orders of a store are named
_MOST_PARTS = 20  # of a file are looked at line by line
_TOGETHER = 1_000  # manifests whose objects are looked for at once: most of a shard's day
_READERS = 8
_HISTORY = ("lake", "warehouse")  # stores that are filled from the lake's objects
# Lines may have been acknowledged a little before the heartbeat that a window begins with, or come twice after it.
_MARGIN = dt.timedelta(hours=1)
_ORIGINALS_KEPT = dt.timedelta(days=30)  # the restricted bucket's lifecycle

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Heartbeats with since <= arrival < until are accounted for. Aware UTC; `until` None: all there are."""

    since: dt.datetime
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The buckets, and what the stores say of them."""

    applications: Sequence[str]  # cold's, one a stream
    lake: Objects
    restricted: Objects
    # Keys of the objects that the lake's tables consist of now: others may have been rewritten into these.
    current: Callable[[], Iterator[str]]
    # Those of them that the last queries found to be gone.
    absent: Callable[[], Iterable[str]]


@dataclass(slots=True, kw_only=True)
class Case:
    """One file, and what each store lacks of it."""

    path: str
    closed: dict[str, Stretch]  # by store that was looked at
    rows_since: dt.datetime  # arrival of its oldest rows, or earlier
    differences: list[Difference] = field(default_factory=list)

    @property
    def whole(self) -> Stretch:
        """The longest of its closed stretches."""
        return max(self.closed.values(), key=lambda stretch: stretch.end)


class Explainer:
    """Looks for the places. Whatever cannot be read is noted, and the rest is told."""

    def __init__(
        self, stores: Sequence[Store], tables: Sequence[Heartbeats], history: History, now: dt.datetime
    ) -> None:
        self._stores = stores
        self._tables = tables
        self._history = history
        self._now = now
        self.notes: list[str] = []
        self._absent: dict[str, Missing] = {}

    def gaps(
        self, cases: Mapping[str, Case], window: Window, histories: Iterable[HistoryStore], trouble: Collection[str]
    ) -> list[Gap]:
        """What is missing from the buckets, and the lines of the `cases`, by file id.

        Manifests are looked at whose records arrived in the `window`, or an hour before or after it. `histories` say
        what they have taken, unless they are in `trouble`.
        """
        chosen = dict(sorted(cases.items())[:MOST_FILES])
        originals: Originals | None = Originals(self._history.restricted, chosen)
        gaps: list[Gap] = []
        try:
            taken = [history.taken() for history in histories if history.name not in trouble]
            gaps += self._walk(originals, window, taken)
        except (Outage, ConfigError) as error:
            originals = None
            self._note(f"the buckets: {error}")
        named = {gap.key for gap in gaps}
        gaps += [_absent_gap(key) for key in sorted(self._history.absent()) if key not in named]
        for file_id, case in cases.items():
            lines = self._lines_of(case, originals) if file_id in chosen else {}
            gaps += _gaps_of(file_id, case, lines)
        return gaps

    def torn(self, window: Window, closed_before: Mapping[str, dt.datetime], beats: Mapping[str, Beat]) -> list[Gap]:
        """Orders of the `window` whose order lines are not those that they were made of.

        In: by store, until when everything that arrived is there; the last heartbeat of each file.
        """
        gaps: list[Gap] = []
        for store in self._stores:
            if store.name not in closed_before:
                continue
            try:
                found = list(store.torn(window.since, closed_before[store.name], _MOST_TORN))
            except (Outage, ConfigError) as error:
                self._note(f"order lines of {store.name}: {error}")
                continue
            for file_id, of_file in groupby(found, key=lambda each: each.file_id):
                gaps.append(_torn_gap(store.name, file_id, list(of_file), beats.get(file_id)))
        return gaps

    def _walk(self, originals: Originals | None, window: Window, taken: Sequence[Mapping[Place, int]]) -> list[Gap]:
        """Along every chain: notes where originals are. Returns the objects that should be there and are not."""
        lake, applications = self._history.lake, self._history.applications
        places = {(application, shard) for application in applications for shard in shards_of(lake, application)}
        places |= {place for ends in taken for place in ends if place[0] in applications}
        gaps: list[Gap] = []
        with ThreadPoolExecutor(_READERS, thread_name_prefix="manifests") as pool:
            for application, shard_id in sorted(places):
                ends = [each.get((application, shard_id), START) for each in taken]
                since = window.since - _MARGIN
                links = links_since(lake, application, shard_id, since, pool, max(ends, default=START))
                for chunk in chunks(takewhile(partial(_is_in, window), links), _TOGETHER):
                    for link in chunk:
                        if originals is not None:
                            originals.note(link)
                    gaps += [_manifest_gap(link) for link in chunk if link.manifest is None]
                    gaps += self._missing([(link.key, link.manifest) for link in chunk if link.manifest], ends)
        return gaps

    def _missing(self, links: list[tuple[str, Manifest]], ends: Sequence[int]) -> list[Gap]:
        kept_since = self._now - _ORIGINALS_KEPT
        old = {key for key, manifest in links if manifest.last_arrived_at < kept_since}
        by_all = {key for key, manifest in links if ends and all(manifest.last <= end for end in ends)}
        try:
            found = list(missing_objects(links, self._history.lake, self._history.restricted))
        except ConfigError as error:  # a role that may not list originals still sees the rows
            self._note(f"the restricted bucket: {error}")
            found = list(missing_objects(links, self._history.lake, None))
        found = [each for each in found if each.manifest not in old or each.table not in ("raw", "letters")]
        suspects = {each.key for each in found if each.manifest in by_all and each.table not in ("raw", "letters")}
        if suspects:
            # All stores have taken them: they are missed only if a table still consists of them.
            suspects -= suspects.intersection(self._history.current())
        found = [each for each in found if each.key not in suspects]
        self._absent |= {each.key: each for each in found}
        return [_object_gap(each) for each in found]

    def _lines_of(self, case: Case, originals: Originals | None) -> dict[str | None, list[Line]]:
        """What is wrong with the lines of one file, by store; None: in no store."""
        found: dict[str | None, list[Line]] = {}
        try:
            for part in self._parts(case):
                held = None if originals is None else originals.lines(part)
                rows = {
                    store.name: (case.closed[store.name].end, list(store.lines(part, case.rows_since)))
                    for store in self._stores
                    if store.name in case.closed
                }
                for store, line in located(part, held, rows):
                    found.setdefault(store, []).append(self._with_objects(store, line, originals))
        except (Outage, ConfigError) as error:
            self._note(f"{case.path}: the lines could not be compared one by one: {error}")
        return found

    def _parts(self, case: Case) -> list[Stretch]:
        """The parts of the file that are to be looked at line by line, in order; none lies in another."""
        whole = case.whole
        parts: dict[tuple[int, int], Stretch] = {}
        beats = sorted(self._beats(whole, case.rows_since), key=lambda beat: (beat.end, beat.arrived_at))
        for piece in pieces(whole, beats):
            if piece.skipped:
                parts[piece.start, piece.end] = piece
        by_name = {store.name: store for store in self._stores}
        for difference in case.differences:
            store = by_name[difference.store]

            def is_exact(piece: Stretch, store: Store = store) -> bool:
                found = look_within(store, [piece], case.rows_since).get(piece.file_id)
                return found is not None and found.tally == piece.emitted

            cut = pieces(difference.stretch, beats)
            for part in narrowed(cut, is_exact, most=_MOST_PARTS):
                parts[part.start, part.end] = part
        return _apart(parts.values())[:_MOST_PARTS]

    def _beats(self, stretch: Stretch, since: dt.datetime) -> Iterable[Beat]:
        by_end: dict[int, Beat] = {}
        for table in self._tables:
            try:
                for beat in table.of_file(stretch, since):
                    by_end[beat.end] = beat
            except (Outage, ConfigError) as error:
                self._note(f"heartbeats of {table.name}: {error}")
        return by_end.values()

    def _with_objects(self, store: str | None, line: Line, originals: Originals | None) -> Line:
        """Where the row of a line that history lacks should be: in an object that is gone, if there is one."""
        if store not in _HISTORY or line.manifest is None or originals is None or line.trouble != "missing":
            return line
        listed = originals.data_of(line.manifest)
        absent = self._absent.keys() | set(self._history.absent())
        return msgspec.structs.replace(line, objects=[key for key in listed if key in absent] or listed)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _is_in(window: Window, link: Link) -> bool:
    manifest = link.manifest
    return manifest is None or window.until is None or manifest.first_arrived_at < window.until + _MARGIN


def _apart(parts: Iterable[Stretch]) -> list[Stretch]:
    """Without those that lie in a longer one, in order."""
    kept: list[Stretch] = []
    for part in sorted(parts, key=lambda each: (each.start, -each.end)):
        if not kept or part.end > kept[-1].end:
            kept.append(part)
    return kept


def _gaps_of(file_id: str, case: Case, lines: Mapping[str | None, Sequence[Line]]) -> list[Gap]:
    whole, gaps = case.whole, []
    holes = lines.get(None, ())
    hole_bytes = sum(line.end - line.offset for line in holes)
    is_source = whole.skipped > 0 and (hole_bytes == whole.skipped or not holes)
    if whole.skipped:
        text = f"the agent passed over {whole.skipped} bytes: no line of them was sent"
        gaps.append(_gap(GapKind.SKIPPED, None, file_id, case.path, whole, text, holes if is_source else []))
    for difference in case.differences:
        of_store = [*lines.get(difference.store, ()), *([] if is_source else holes)]
        gap = _gap(GapKind.LINES, difference.store, file_id, case.path, difference.stretch, str(difference), of_store)
        gaps.append(msgspec.structs.replace(gap, emitted=difference.stretch.emitted, found=difference.found))
    return gaps


def _gap(
    kind: GapKind, store: str | None, file_id: str, path: str, stretch: Stretch, text: str, lines: Sequence[Line]
) -> Gap:
    ordered = sorted(lines, key=lambda line: line.offset)
    return Gap(
        kind=kind,
        text=text,
        store=store,
        file_id=file_id,
        path=path,
        start=stretch.start,
        end=stretch.end,
        lines=ordered[:MOST_LINES],
        more=max(0, len(ordered) - MOST_LINES),
    )


def _torn_gap(store: str, file_id: str, orders: Sequence[Torn], beat: Beat | None) -> Gap:
    lines = [
        Line(trouble="torn", offset=each.offset, end=each.offset + each.bytes + 1, id=each.row_id) for each in orders
    ]
    return Gap(
        kind=GapKind.TORN,
        text=f"{len(orders)} orders do not have the order lines that they were made of"
        f" (the first: {orders[0].held} of {orders[0].lines})",
        store=store,
        file_id=file_id,
        path=beat.path if beat else None,
        lines=lines[:MOST_LINES],
        more=max(0, len(lines) - MOST_LINES),
    )


def _manifest_gap(link: Link) -> Gap:
    return Gap(kind=GapKind.OBJECT, text=f"manifest {link.trouble}", key=link.key)


def _absent_gap(key: str) -> Gap:
    return Gap(kind=GapKind.OBJECT, text="absent, though a table of the lake consists of it", key=key)


def _object_gap(missing: Missing) -> Gap:
    return Gap(
        kind=GapKind.OBJECT, text=f"{missing.table}: absent, though {missing.manifest} lists it", key=missing.key
    )
