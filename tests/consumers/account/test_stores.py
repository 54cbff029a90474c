"""The stand-in, and the SQL in a DuckDB that holds the contract's tables."""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from consumers.account.stores.sql import Row, SqlStore
from consumers.account.stores.store import Torn
from consumers.account.stores.warehouse import TABLES
from consumers.account.testing.memory import NOON, MemoryStore, Stored
from consumers.account.testing.rows import TABLE_OF, columns_of, row_of
from consumers.account.testing.suite import StoreConformance
from consumers.mended import letters_open
from consumers.warehouse.testing import lines_of, order
from contract.tables import ACCOUNT, DUPLICATES, HITS, LETTERS, LINES, ORDERS, Kind

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
        for table in (ORDERS, LINES, HITS, LETTERS, DUPLICATES, ACCOUNT):
            columns = ", ".join(f"{column.name} {_TYPES[column.kind]}" for column in table.columns)
            self.database.execute(f"CREATE TABLE {table.name} ({columns})")
        self.database.execute(f"CREATE VIEW letters_open AS {letters_open('letters', 'orders', 'hits', 'duplicates')}")
        self.store = SqlStore("duckdb", self._query, TABLES)

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


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ("DELETE FROM lines WHERE event_id = 'e2' AND line_number = 1", 1),
        ("DELETE FROM lines WHERE event_id = 'e2'", 0),
        ("INSERT INTO lines SELECT * FROM lines WHERE event_id = 'e2' AND line_number = 2", 3),
        ("UPDATE lines SET units = units + 1 WHERE event_id = 'e2' AND line_number = 1", 2),
        ("UPDATE lines SET amount = amount - 1 WHERE event_id = 'e2' AND line_number = 1", 2),
    ],
)
def test_orders_whose_order_lines_are_not_those_that_they_were_made_of(change: str, held: int) -> None:
    sold = [order(f"e{n}", day=NOON.date(), arrived_at=NOON, line=("f", 10 * n), content=2) for n in range(4)]
    sold[1] |= {"kind": "return", "revenue": -237, "units": -2, "tax": 30, "shipping": 7, "total": 237}
    sold[3] |= {"arrived_at": NOON + dt.timedelta(days=1)}
    goods = [line for row in sold for line in lines_of(row)]
    goods = [line | {"units": -1, "amount": -100} if line["kind"] == "return" else line for line in goods]
    database = _InDuckDb()
    for table, rows in (("orders", sold), ("lines", goods)):
        found = pa.Table.from_pylist(rows)  # noqa: F841 DuckDB reads it by its name
        database.database.execute(f"INSERT INTO {table} BY NAME SELECT * FROM found")
    until = NOON + dt.timedelta(days=1)
    assert list(database.store.torn(NOON, until, 10)) == []
    database.database.execute("DELETE FROM lines WHERE event_id = 'e3'")  # arrived later
    database.database.execute(change)
    wanted = Torn(file_id="f", offset=20, bytes=9, row_id="e2", lines=2, held=held)
    assert list(database.store.torn(NOON, until, 10)) == [wanted]
    assert list(database.store.torn(NOON, until, 0)) == []
