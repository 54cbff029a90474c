"""A store in memory, its rows, and progress that a test decides on."""

import datetime as dt
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from consumers.account.emitted import ORDER, Beat, Stretch, Tally
from consumers.account.progress import Place, Waiting
from consumers.account.stores.store import ACCEPTED, CONFLICT, Foreign, FoundLine, Group, Kind, Torn
from consumers.sources.kinesis.checkpoints import Checkpoint
from runtime.outage import Outage

NOON = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One row of a store, as far as the account looks. A hit has no label."""

    kind: Kind = Kind.ORDER
    row_id: str
    file_id: str | None
    offset: int = 0
    bytes: int = 0
    crc: int = 0
    label: str = "GBP"
    revenue: int = 0
    arrived_at: dt.datetime = NOON
    of_heartbeat: bool = False  # the letter of a refused heartbeat
    attempt: int = 0  # 1.. for an event that was a letter, and was sent again
    is_torn: bool = False  # an order that has lost its order line

    @property
    def group(self) -> tuple[Kind, str | None, str]:
        return self.kind, self.file_id, self.label


def lines_of(file_id: str, *contents: bytes, start: int = 0, arrived_at: dt.datetime = NOON) -> list[Stored]:
    """A row a line, in a file that holds these lines one after the other; each is an order worth its length."""
    rows = []
    for content in contents:
        rows.append(
            Stored(
                row_id=f"{file_id}-{start}",
                file_id=file_id,
                offset=start,
                bytes=len(content),
                crc=zlib.crc32(content),
                revenue=len(content),
                arrived_at=arrived_at,
            )
        )
        start += len(content) + 1
    return rows


def hit(row: Stored) -> Stored:
    """The hit of a line that would have been an order."""
    return replace(row, kind=Kind.HIT, label="", revenue=0)


def refused(row: Stored, reason: str = "not_json") -> Stored:
    """The letter of a line that would have been an order."""
    return replace(row, kind=Kind.LETTER, label=reason, revenue=0)


def repeated(row: Stored, *, conflict: bool = False) -> Stored:
    """The duplicate of a line that would have been an order."""
    return replace(row, kind=Kind.DUPLICATE, label=CONFLICT if conflict else "", revenue=0)


def tally_of(rows: Iterable[Stored]) -> Tally:
    found = list(rows)
    return Tally(len(found), sum(row.bytes for row in found), sum(row.crc for row in found))


def beat_of(
    rows: Sequence[Stored],
    *,
    kind: str = ORDER,
    final: bool = True,
    arrived_at: dt.datetime = NOON,
    size: int = 0,
) -> Beat:
    """What an agent says of a file once it has sent these lines, which are all of them from its start."""
    last = rows[-1]
    end = last.offset + last.bytes + 1
    return Beat(
        file_id=str(last.file_id),
        path=f"shop-1/spool/{last.file_id}.ndjson",
        end=end,
        tally=tally_of(rows),
        size=max(size, end),
        final=final,
        arrived_at=arrived_at,
        kind=kind,
    )


def named(*file_ids: str) -> dict[str, Beat]:
    """Heartbeats of files that are still being written."""
    return {
        file_id: Beat(file_id=file_id, path="", end=0, tally=Tally(), size=0, final=False, arrived_at=NOON)
        for file_id in file_ids
    }


class MemoryStore:
    """A Store, and a table of Heartbeats. While `away` is set every call raises Outage. `asked` logs the calls."""

    at_once = 10

    def __init__(self, name: str = "memory", rows: Iterable[Stored] = (), beats: Iterable[Beat] = ()) -> None:
        self._name = name
        self.rows = list(rows)
        self.beats = list(beats)
        self.away = ""
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    def groups(self, since: dt.datetime) -> Iterator[Group]:
        self._ask("groups")
        yield from grouped(row for row in self._lines() if row.arrived_at >= since)

    def groups_within(self, stretches: Sequence[Stretch], since: dt.datetime) -> Iterator[Group]:
        assert len({stretch.file_id for stretch in stretches}) == len(stretches) <= self.at_once
        self._ask(f"groups_within {len(stretches)}")
        by_file = {stretch.file_id: stretch for stretch in stretches}
        rows = (row for row in self._lines() if row.arrived_at >= since and row.file_id in by_file)
        yield from grouped(row for row in rows if _is_in(by_file[str(row.file_id)], row))

    def foreign(self, since: dt.datetime, before: dt.datetime) -> Foreign:
        self._ask("foreign")
        rows = [row for row in self.rows if row.file_id is None and since <= row.arrived_at < before]
        orders = [row for row in rows if row.kind is Kind.ORDER]
        revenue: dict[str, int] = {}
        for row in sorted(orders, key=lambda row: row.label):
            revenue[row.label] = revenue.get(row.label, 0) + row.revenue
        hits, letters = (sum(row.kind is kind for row in rows) for kind in (Kind.HIT, Kind.LETTER))
        return Foreign(orders=len(orders), hits=hits, letters=letters, revenue=revenue)

    def torn(self, since: dt.datetime, before: dt.datetime, most: int) -> Iterator[Torn]:
        self._ask("torn")
        found = (row for row in self._lines() if row.is_torn and since <= row.arrived_at < before)
        for row in sorted(found, key=lambda row: (str(row.file_id), row.offset))[:most]:
            yield Torn(str(row.file_id), row.offset, row.bytes, row.row_id, lines=1, held=0)

    def lines(self, stretch: Stretch, since: dt.datetime) -> Iterator[FoundLine]:
        self._ask("lines")
        found = [row for row in self._lines() if row.file_id == stretch.file_id and row.arrived_at >= since]
        for row in sorted((row for row in found if _is_in(stretch, row)), key=lambda row: row.offset):
            yield FoundLine(offset=row.offset, bytes=row.bytes, crc=row.crc, kind=row.kind, row_id=row.row_id)

    def newest(self, since: dt.datetime) -> Mapping[str, dt.datetime]:
        self._ask("newest")
        newest: dict[str, dt.datetime] = {}
        for beat in self.beats:
            if beat.arrived_at >= since:
                newest[beat.kind] = max(beat.arrived_at, newest.get(beat.kind, beat.arrived_at))
        return newest

    def last(self, since: dt.datetime, before: dt.datetime) -> Iterator[Beat]:
        self._ask("last")
        found: dict[str, Beat] = {}
        for beat in sorted(self.beats, key=lambda beat: (beat.end, beat.arrived_at)):
            if since <= beat.arrived_at < before:
                found[beat.file_id] = beat
        yield from found.values()

    def of_file(self, stretch: Stretch, since: dt.datetime) -> Iterator[Beat]:
        self._ask("of_file")
        mine = (beat for beat in self.beats if beat.file_id == stretch.file_id and beat.arrived_at >= since)
        yield from sorted(
            (b for b in mine if stretch.start <= b.end <= stretch.end), key=lambda b: (b.end, b.arrived_at)
        )

    def _lines(self) -> Iterator[Stored]:
        accepted = {(row.file_id, row.offset) for row in self.rows if row.attempt and row.kind is not Kind.LETTER}
        for row in self.rows:
            is_mended = row.kind is Kind.LETTER and (row.file_id, row.offset) in accepted
            if row.file_id is not None and not row.of_heartbeat and not is_mended:
                yield row

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise Outage(self.away)


@dataclass(slots=True, kw_only=True)
class Taken:
    """Progress and Peek that a test decides on."""

    positions: dict[str, Checkpoint] = field(default_factory=dict)
    arrivals: dict[Place, dt.datetime] = field(default_factory=dict)
    is_seen: bool = True
    away: str = ""

    def taken(self) -> Mapping[str, Checkpoint]:
        if self.away:
            raise Outage(self.away)
        return self.positions

    def waiting_after(self, places: Collection[Place]) -> Mapping[Place, Waiting]:
        if self.away:
            raise Outage(self.away)
        return {place: Waiting(at, self.is_seen) for place, at in self.arrivals.items() if place in places}


def grouped(rows: Iterable[Stored]) -> Iterator[Group]:
    by_group: dict[tuple[Kind, str | None, str], list[Stored]] = {}
    for row in rows:
        by_group.setdefault(row.group, []).append(row)
    for (kind, file_id, label), of_group in by_group.items():
        yield Group(
            kind=kind,
            file_id=str(file_id),
            label=label,
            tally=tally_of(of_group),
            first=min(row.offset for row in of_group),
            last=max(row.offset for row in of_group),
            revenue=sum(row.revenue for row in of_group) if kind is Kind.ORDER else 0,
            arrived_at=min(row.arrived_at for row in of_group),
            mended=sum(row.attempt > 0 for row in of_group) if kind in ACCEPTED else 0,
        )


def _is_in(stretch: Stretch, row: Stored) -> bool:
    return stretch.start <= row.offset < stretch.end
