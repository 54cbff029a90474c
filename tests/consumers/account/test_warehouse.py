"""The warehouse's own rows, counted in SQL that Redshift takes."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from consumers.account.emitted import Stretch, Tally
from consumers.account.stores.warehouse import warehouse
from consumers.account.testing.memory import NOON, Stored, beat_of, lines_of
from consumers.account.testing.rows import TABLE_OF, columns_of, heartbeat_of, row_of
from consumers.account.testing.suite import LONG_AGO, StoreConformance
from consumers.warehouse.connection import Session
from consumers.warehouse.testing import Corner
from infra.local.endpoints import Endpoints
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Warehouse

pytestmark = pytest.mark.integration


def insert(session: Session, table: str, row: Any) -> None:
    columns = columns_of(row)
    marks = ", ".join("?" for _ in columns)
    session.execute("put", f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", list(columns.values()))


class _Filled:
    def __init__(self, stack: Endpoints, corner: Corner) -> None:
        self.stack, self.corner = stack, corner
        self.store = warehouse(stack.warehouse, connect=corner)

    def put(self, rows: Sequence[Stored]) -> None:
        with self.corner(self.stack.warehouse) as session:
            for row in rows:
                insert(session, TABLE_OF[row.kind], row_of(row))
            session.commit()


@pytest.fixture
def filled(stack: Endpoints, corner: Corner) -> _Filled:
    return _Filled(stack, corner)


class TestWarehouse(StoreConformance):
    pass


def test_the_furthest_heartbeats_before_a_time(filled: _Filled) -> None:
    rows = lines_of("f", b"one", b"two", b"three")
    minute = dt.timedelta(minutes=1)
    beats = [beat_of(rows[: n + 1], final=n == 2, arrived_at=NOON + n * minute) for n in range(3)]
    other = beat_of(lines_of("g", b"x"), arrived_at=NOON)
    with filled.corner(filled.stack.warehouse) as session:
        for row in [*map(heartbeat_of, [*beats, other]), heartbeat_of(beats[2]._replace(file_id="h"), kind="access")]:
            insert(session, "account", row)
        session.commit()

    store = filled.store
    assert store.newest(LONG_AGO) == NOON + 2 * minute
    assert store.newest(NOON + 3 * minute) is None
    assert sorted(store.last(LONG_AGO, NOON + 2 * minute)) == [beats[1], other]
    assert sorted(store.last(NOON + minute, NOON + 3 * minute)) == [beats[2]]
    part = Stretch(file_id="f", start=beats[0].end, end=beats[1].end, emitted=Tally())
    assert list(store.of_file(part, LONG_AGO)) == beats[:2]


def test_a_warehouse_that_is_away_or_empty_is_named(stack: Endpoints) -> None:
    with pytest.raises(Outage):
        list(warehouse(Warehouse(host="127.0.0.1", port=9, tls=False)).groups(LONG_AGO))
    untouched = Corner("nobody_made_this")
    with pytest.raises(ConfigError, match="migrate"):
        list(warehouse(stack.warehouse, connect=untouched).groups(LONG_AGO))
