"""The lake as the account sees it: DuckDB over the tables' objects, with one row for each identity.

An object that is gone is left out and remembered, so that one loss hides nothing else.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import duckdb
from pyiceberg.expressions import GreaterThanOrEqual
from pyiceberg.utils.datetime import days_to_date

from consumers.account.stores.sql import Row, SqlStore, Tables
from consumers.lake.catalogue import naming_trouble
from consumers.lake.read import Days, LakeReader, ObjectsMissing
from consumers.lake.store import LakeStore
from contract.tables import ACCOUNT, HITS, LETTERS, ORDERS, SPANNED
from runtime.outage import Outage

TABLES = Tables(
    orders="orders_once",
    lines="lines_once",
    hits="hits_once",
    letters="letters_open",
    duplicates="duplicates",
    account=ACCOUNT.name,
)

_LAST_DAY = dt.date(9999, 12, 31)


class LakeRows:
    """Runs the account's queries. `absent` grows: keys of objects that tables consist of and the bucket lacks."""

    def __init__(self, store: LakeStore) -> None:
        self._store = store
        self.absent: set[str] = set()

    def query(self, name: str, text: str, parameters: Sequence[Any], since: dt.datetime) -> Iterator[Row]:
        """See `Query`."""
        if f" {ACCOUNT.name} " in text:
            days: Days | None = (since.date(), _LAST_DAY)
        else:
            days = self._days_since(since)
        while True:
            rows = LakeReader(self._store, leave_out=self.absent).query(text, parameters, days=days)
            try:
                first = next(rows, None)
            except ObjectsMissing as missing:
                self.absent |= set(missing.keys)
                continue
            except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
                raise Outage(f"DuckDB over the lake: {type(error).__name__}") from error
            return chain(() if first is None else (first,), rows)

    def current(self) -> Iterator[str]:
        """Keys of all objects that the tables consist of now."""
        for table in SPANNED:
            stored = self._store.table(table.name)
            with naming_trouble():
                for task in stored.scan().plan_files():
                    yield task.file.file_path.removeprefix("s3://").partition("/")[2]

    def _days_since(self, since: dt.datetime) -> Days | None:
        """The days with rows that arrived since: all rows of an identity lie in one, so its views need no other."""
        days: list[dt.date] = []
        for table in (ORDERS, HITS, LETTERS):
            stored = self._store.table(table.name)
            with naming_trouble():
                recent = GreaterThanOrEqual("arrived_at", since.isoformat())  # type: ignore[arg-type, call-arg]
                days += [days_to_date(task.file.partition[0]) for task in stored.scan(row_filter=recent).plan_files()]
        return (min(days), max(days)) if days else (_LAST_DAY, _LAST_DAY)


def lake(rows: LakeRows) -> SqlStore:
    """The lake's Store and its Heartbeats."""
    return SqlStore("lake", rows.query, TABLES)
