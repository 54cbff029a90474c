"""Identities with several contents, as the lake's orders have them. See `consumers.keeper.conflicts`."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import duckdb
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.utils.datetime import days_to_date

from consumers.identities import ORDERS
from consumers.keeper.conflicts import Conflict, Line, Row, line_of
from consumers.lake.catalogue import naming_trouble
from consumers.lake.read import LakeReader, ObjectsMissing
from consumers.lake.store import LakeStore
from contract import tables
from runtime.errors import ConfigError
from runtime.outage import Outage

_MEMORY_MIB = 512  # of DuckDB, which then writes to the temporary folder

_EVENT = ORDERS.event
_CONFLICTS = (
    f"SELECT o.* FROM orders o JOIN (SELECT {_EVENT} FROM orders GROUP BY {_EVENT}"
    f" HAVING COUNT(DISTINCT {ORDERS.content}) > 1) c USING ({_EVENT})"
    f" ORDER BY {_EVENT}, {ORDERS.earliest}"
)
_ORDER_LINES = "SELECT * FROM lines_once WHERE event_id IN ({}) ORDER BY event_id, line_number"


class LakeContents:
    """See `Contents`."""

    def __init__(self, store: LakeStore) -> None:
        self._store = store

    def prepare(self) -> None:
        self._store.prepare()

    def changed_days(self, after: int | None, since: dt.date) -> tuple[set[dt.date], int]:
        """A state is the table's sequence number: each file has that of the commit that added it."""
        stored = self._store.table(tables.ORDERS.name)
        head = stored.current_snapshot()
        if head is None:
            return set(), 0
        state = head.sequence_number or 0
        days: set[dt.date] = set()
        if after == state:
            return days, state
        with naming_trouble():
            for manifest in head.manifests(stored.io):
                if after is not None and manifest.sequence_number <= after:
                    continue
                for entry in manifest.fetch_manifest_entry(stored.io):
                    if entry.status is ManifestEntryStatus.DELETED:
                        continue
                    day = days_to_date(entry.data_file.partition[0])
                    is_new = day >= since if after is None else (entry.sequence_number or state) > after
                    if is_new:
                        days.add(day)
        return days, state

    def conflicts(self, day: dt.date) -> Iterator[Conflict]:
        for (event_id, event_date), rows in groupby(
            self._query(_CONFLICTS, (), day), lambda row: (row["event_id"], row["event_date"])
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

    def _query(self, text: str, parameters: Sequence[str], day: dt.date) -> Iterator[Row]:
        reader = LakeReader(self._store, memory_mib=_MEMORY_MIB)
        try:
            yield from reader.query(text, parameters, days=(day, day))
        except ObjectsMissing as missing:
            raise ConfigError(f"{missing}: conflicts of {day} are not settled") from missing
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise Outage(f"DuckDB over the lake: {type(error).__name__}") from error
