"""The stand-in, and the SQL in a DuckDB that holds the contract's tables."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from consumers.account.stores.sql import Row, SqlStore, Tables
from consumers.account.testing.memory import MemoryStore, Stored
from consumers.account.testing.rows import TABLE_OF, columns_of, row_of
from consumers.account.testing.suite import StoreConformance
from contract.tables import ACCOUNT, DUPLICATES, LETTERS, ORDERS, Kind

pytestmark = pytest.mark.unit

_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIME: "TIMESTAMPTZ",
}


@pytest.fixture
def prefix() -> str:
    return f"host-{uuid.uuid4().hex[:8]}"


class _InMemory:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def put(self, rows: Sequence[Stored]) -> None:
        self.store.rows += rows


class TestMemory(StoreConformance):
    @pytest.fixture
    def filled(self) -> _InMemory:
        return _InMemory()


class _InDuckDb:
    def __init__(self) -> None:
        self.database = duckdb.connect()
        for table in (ORDERS, LETTERS, DUPLICATES, ACCOUNT):
            columns = ", ".join(f"{column.name} {_TYPES[column.kind]}" for column in table.columns)
            self.database.execute(f"CREATE TABLE {table.name} ({columns})")
        tables = Tables(orders="orders", letters="letters", duplicates="duplicates", account="account")
        self.store = SqlStore("duckdb", self._query, tables)

    def put(self, rows: Sequence[Stored]) -> None:
        for table in set(TABLE_OF.values()):
            of_table = [columns_of(row_of(row)) for row in rows if TABLE_OF[row.kind] == table]
            if of_table:
                found = pa.Table.from_pylist(of_table)  # noqa: F841 DuckDB reads it by its name
                self.database.execute(f"INSERT INTO {table} BY NAME SELECT * FROM found")

    def _query(self, name: str, text: str, parameters: Sequence[Any], since: object) -> Iterator[Row]:
        found = self.database.execute(text, list(parameters))
        names = [column[0] for column in found.description or ()]
        return iter([dict(zip(names, row, strict=True)) for row in found.fetchall()])


class TestSql(StoreConformance):
    @pytest.fixture
    def filled(self) -> _InDuckDb:
        return _InDuckDb()
