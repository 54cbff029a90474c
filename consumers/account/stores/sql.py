"""The account's questions as SQL that Redshift and DuckDB both speak: rows in, groups and lines out.

Texts name tables and columns of the contract only; everything else is a parameter, written `?`.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from consumers.account.emitted import KINDS, Beat, Stretch, Tally
from consumers.account.stores.store import ACCEPTED, CONFLICT, Foreign, FoundLine, Group, Kind, Torn

Row = Mapping[str, Any]


class Query(Protocol):
    """A way to run a query. Times are aware UTC, in and out."""

    def __call__(self, name: str, text: str, parameters: Sequence[Any], since: dt.datetime) -> Iterator[Row]:
        """Rows by column name. `since`: the text asks for nothing that arrived earlier."""
        ...


_FIRST_WANTED = (
    "SELECT CAST(? AS VARCHAR(128)) AS of_file, CAST(? AS BIGINT) AS from_offset, CAST(? AS BIGINT) AS to_offset"
)
_OF_HEARD = f"kind IN ({', '.join('?' for _ in KINDS)})"
_OF_LINES = "event_type <> 'heartbeat'"  # a refused heartbeat is no line of its file


class _Rows(NamedTuple):
    """Rows of one kind."""

    kind: Kind
    table: str
    which: str
    label: str
    revenue: str
    identity: str

    @property
    def mended(self) -> str:
        """How many were letters before."""
        return "SUM(CASE WHEN origin_attempt > 0 THEN 1 ELSE 0 END)" if self.kind in ACCEPTED else "0"


class Tables:
    """Where the rows are that count: tables, or views that leave out what was delivered twice."""

    def __init__(self, *, orders: str, lines: str, hits: str, letters: str, duplicates: str, account: str) -> None:
        self.account = account
        self.orders, self.lines, self.hits, self.letters = orders, lines, hits, letters
        conflict = f"CASE WHEN conflict THEN '{CONFLICT}' ELSE '' END"
        # What becomes of a line of a file of KINDS: whatever it may be has an entry here, and in OpenSearch's list.
        self.kinds = (
            _Rows(Kind.ORDER, orders, "origin_file IS NOT NULL", "currency", "revenue", "event_id"),
            _Rows(Kind.HIT, hits, "origin_file IS NOT NULL", "CAST('' AS VARCHAR(1))", "0", "event_id"),
            _Rows(Kind.LETTER, letters, f"origin_file IS NOT NULL AND {_OF_LINES}", "reason", "0", "letter_id"),
            _Rows(Kind.DUPLICATE, duplicates, "origin_file IS NOT NULL", conflict, "0", "event_id"),
        )


class SqlStore:
    """A Store and its Heartbeats (see `Store`), by a way to run a query."""

    at_once = 1_000  # a statement of Redshift takes 32,767 parameters

    def __init__(self, name: str, query: Query, tables: Tables) -> None:
        self._name = name
        self._query = query
        self._tables = tables

    @property
    def name(self) -> str:
        return self._name

    def groups(self, since: dt.datetime) -> Iterator[Group]:
        return self._groups("totals", "", "", (), since)

    def groups_within(self, stretches: Sequence[Stretch], since: dt.datetime) -> Iterator[Group]:
        if not stretches:
            return iter(())
        # A join costs a look at each row, a thousand conditions cost a thousand.
        wanted = f"WITH wanted AS ({_FIRST_WANTED}{' UNION ALL SELECT ?, ?, ?' * (len(stretches) - 1)}) "
        join = " JOIN wanted ON origin_file = of_file AND origin_offset >= from_offset AND origin_offset < to_offset"
        bounds = [value for each in stretches for value in (each.file_id, each.start, each.end)]
        return self._groups("stretches", wanted, join, bounds, since)

    def foreign(self, since: dt.datetime, before: dt.datetime) -> Foreign:
        missing = "origin_file IS NULL AND arrived_at >= ? AND arrived_at < ?"
        orders = list(
            self._query(
                "foreign orders",
                "SELECT currency AS label, COUNT(*) AS found, SUM(revenue) AS revenue"
                f" FROM {self._tables.orders} WHERE {missing} GROUP BY currency ORDER BY currency",
                (since, before),
                since,
            )
        )

        def count(name: str, table: str) -> int:
            text = f"SELECT COUNT(*) AS found FROM {table} WHERE {missing}"
            (row,) = self._query(name, text, (since, before), since)
            return int(row["found"])

        return Foreign(
            orders=sum(int(row["found"]) for row in orders),
            hits=count("foreign hits", self._tables.hits),
            letters=count("foreign letters", self._tables.letters),
            revenue={row["label"]: int(row["revenue"]) for row in orders},
        )

    def lines(self, stretch: Stretch, since: dt.datetime) -> Iterator[FoundLine]:
        each = (
            f"SELECT '{rows.kind.value}' AS kind, {rows.identity} AS row_id, origin_offset, origin_bytes, origin_crc"
            f" FROM {rows.table} WHERE {rows.which} AND origin_file = ? AND origin_offset >= ? AND origin_offset < ?"
            " AND arrived_at >= ?"
            for rows in self._tables.kinds
        )
        text = " UNION ALL ".join(each) + " ORDER BY origin_offset"
        bounds = (stretch.file_id, stretch.start, stretch.end, since)
        for row in self._query("lines", text, bounds * len(self._tables.kinds), since):
            yield FoundLine(
                offset=int(row["origin_offset"]),
                bytes=int(row["origin_bytes"]),
                crc=int(row["origin_crc"]),
                kind=Kind(row["kind"]),
                row_id=row["row_id"],
            )

    def torn(self, since: dt.datetime, before: dt.datetime, most: int) -> Iterator[Torn]:
        text = (
            "SELECT o.event_id, o.origin_file, o.origin_offset, o.origin_bytes, o.line_count,"
            f" COALESCE(l.held, 0) AS held FROM {self._tables.orders} o LEFT JOIN"
            " (SELECT event_id, event_date, COUNT(*) AS held, SUM(units) AS units, SUM(amount) AS amount"
            f" FROM {self._tables.lines} WHERE event_time >="
            f" (SELECT MIN(event_time) FROM {self._tables.orders} WHERE arrived_at >= ?)"
            " GROUP BY event_id, event_date) l"
            " ON l.event_id = o.event_id AND l.event_date = o.event_date"
            " WHERE o.origin_file IS NOT NULL AND o.arrived_at >= ? AND o.arrived_at < ?"
            " AND (l.held IS NULL OR l.held <> o.line_count OR l.units <> o.units OR l.amount"
            " + CASE WHEN o.kind = 'return' THEN -1 ELSE 1 END * (o.tax + o.shipping) <> o.revenue)"
            " ORDER BY o.origin_file, o.origin_offset"
        )
        for row in islice(self._query("torn orders", text, (since, since, before), since), most):
            yield Torn(
                file_id=row["origin_file"],
                offset=int(row["origin_offset"]),
                bytes=int(row["origin_bytes"]),
                row_id=row["event_id"],
                lines=int(row["line_count"]),
                held=int(row["held"]),
            )

    def newest(self, since: dt.datetime) -> Mapping[str, dt.datetime]:
        text = (
            f"SELECT kind, MAX(arrived_at) AS newest FROM {self._tables.account}"
            f" WHERE {_OF_HEARD} AND arrived_at >= ? GROUP BY kind"
        )
        return {row["kind"]: row["newest"] for row in self._query("newest heartbeats", text, (*KINDS, since), since)}

    def last(self, since: dt.datetime, before: dt.datetime) -> Iterator[Beat]:
        text = (
            f"SELECT {_BEAT} FROM (SELECT {_BEAT}, ROW_NUMBER() OVER (PARTITION BY file_id"
            f" ORDER BY end_offset DESC, arrived_at DESC) AS place FROM {self._tables.account}"
            f" WHERE {_OF_HEARD} AND arrived_at >= ? AND arrived_at < ?) ranked WHERE place = 1"
        )
        return map(_beat, self._query("last heartbeats", text, (*KINDS, since, before), since))

    def of_file(self, stretch: Stretch, since: dt.datetime) -> Iterator[Beat]:
        text = (
            f"SELECT {_BEAT} FROM {self._tables.account} WHERE {_OF_HEARD} AND file_id = ? AND arrived_at >= ?"
            " AND end_offset BETWEEN ? AND ? ORDER BY end_offset, arrived_at"
        )
        parameters = (*KINDS, stretch.file_id, since, stretch.start, stretch.end)
        return map(_beat, self._query("heartbeats of a file", text, parameters, since))

    def _groups(
        self, name: str, first: str, join: str, parameters: Sequence[Any], since: dt.datetime
    ) -> Iterator[Group]:
        kinds = self._tables.kinds
        # One statement, so that all kinds are seen at one moment.
        each = (
            f"SELECT '{rows.kind.value}' AS kind, origin_file, {rows.label} AS label, COUNT(*) AS found,"
            " SUM(origin_bytes) AS size, SUM(origin_crc) AS crc, MIN(origin_offset) AS first_offset,"
            f" MAX(origin_offset) AS last_offset, SUM({rows.revenue}) AS revenue, MIN(arrived_at) AS arrived_at,"
            f" {rows.mended} AS mended"
            f" FROM {rows.table}{join} WHERE {rows.which} AND arrived_at >= ? GROUP BY 2, 3"
            for rows in kinds
        )
        for row in self._query(name, first + " UNION ALL ".join(each), [*parameters, *[since] * len(kinds)], since):
            yield Group(
                kind=Kind(row["kind"]),
                file_id=row["origin_file"],
                label=row["label"],
                tally=Tally(int(row["found"]), int(row["size"]), int(row["crc"])),
                first=int(row["first_offset"]),
                last=int(row["last_offset"]),
                revenue=int(row["revenue"]),
                arrived_at=row["arrived_at"],
                mended=int(row["mended"]),
            )


_BEAT = "file_id, path, end_offset, lines, bytes, crc_sum, file_size, final, arrived_at, kind"


def _beat(row: Row) -> Beat:
    return Beat(
        file_id=row["file_id"],
        path=row["path"],
        end=int(row["end_offset"]),
        tally=Tally(int(row["lines"]), int(row["bytes"]), int(row["crc_sum"])),
        size=int(row["file_size"]),
        final=bool(row["final"]),
        arrived_at=row["arrived_at"],
        kind=row["kind"],
    )
