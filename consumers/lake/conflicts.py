"""Identities with several contents, as the lake's orders have them. See `consumers.keeper.conflicts`."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import duckdb

from consumers.identities import ORDERS
from consumers.keeper.conflicts import Conflict, Line, Row, line_of
from consumers.lake.added import added_after, day_of, state_of
from consumers.lake.read import ADDED, LakeReader, ObjectsMissing
from consumers.lake.store import LakeStore
from contract import tables
from runtime.errors import ConfigError
from runtime.outage import Outage

_MEMORY_MIB = 512  # of DuckDB, which then writes to the temporary folder

_EVENT = ORDERS.event
# Step by step to fewer rows, and what a step finds none for is not read: identities are narrow, contents less so. Of a
# day that was looked at before, only what was added since may be new; memory goes by that, and not by the day.
_CONFLICTS = (
    f"WITH twice AS (SELECT {_EVENT} FROM orders {{}} GROUP BY {_EVENT} HAVING COUNT(*) > 1),"
    f" differing AS (SELECT {_EVENT} FROM orders SEMI JOIN twice USING ({_EVENT}) GROUP BY {_EVENT}"
    f" HAVING MIN({ORDERS.content}) <> MAX({ORDERS.content}))"
    f" SELECT o.* FROM orders o JOIN differing USING ({_EVENT}) ORDER BY {_EVENT}, {ORDERS.earliest}"
)
_WITH_ADDED = f"SEMI JOIN orders{ADDED} USING ({_EVENT})"
_ORDER_LINES = "SELECT * FROM lines_once WHERE event_id IN ({}) ORDER BY event_id, line_number"


class LakeContents:
    """See `Contents`."""

    def __init__(self, store: LakeStore) -> None:
        self._store = store

    def prepare(self) -> None:
        self._store.prepare()

    def changed_days(self, after: int | None, since: dt.date) -> tuple[set[dt.date], int]:
        """A state is the table's sequence number."""
        stored = self._store.table(tables.ORDERS.name)
        days = {day_of(file) for file in added_after(stored, after)}
        return {day for day in days if after is not None or day >= since}, state_of(stored)

    def conflicts(self, day: dt.date, after: int | None) -> Iterator[Conflict]:
        text = _CONFLICTS.format("" if after is None else _WITH_ADDED)
        for (event_id, event_date), rows in groupby(
            self._query(text, (), day, after), lambda row: (row["event_id"], row["event_date"])
        ):
            lines: dict[Line, Row] = {}
            for row in rows:
                lines.setdefault(line_of(row), row)
            yield Conflict(event_id=event_id, event_date=event_date, lines=list(lines.values()))

    def with_order_lines(self, conflicts: Sequence[Conflict]) -> list[Conflict]:
        ids = [conflict.event_id for conflict in conflicts]
        text = _ORDER_LINES.format(", ".join("?" for _ in ids))
        rows = list(self._query(text, ids, conflicts[0].event_date))
        return [
            replace(each, order_lines=[row for row in rows if row["event_id"] == each.event_id]) for each in conflicts
        ]

    def _query(self, text: str, parameters: Sequence[str], day: dt.date, after: int | None = None) -> Iterator[Row]:
        reader = LakeReader(self._store, memory_mib=_MEMORY_MIB)
        try:
            yield from reader.query(text, parameters, days=(day, day), after=after)
        except ObjectsMissing as missing:
            raise ConfigError(f"{missing}: conflicts of {day} are not settled") from missing
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise Outage(f"DuckDB over the lake: {type(error).__name__}") from error
