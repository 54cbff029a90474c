"""The warehouse's own rows, counted in SQL that Redshift takes."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from consumers.account.emitted import Stretch, Tally
from consumers.account.stores.store import Kind
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


def insert(session: Session, table: str, rows: Sequence[Any]) -> None:
    """Rows of one shape, in few statements."""
    by_names: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for columns in map(columns_of, rows):
        by_names.setdefault(tuple(columns), []).append(columns)
    for names, alike in by_names.items():
        one = f"({', '.join('?' for _ in names)})"
        for start in range(0, len(alike), 500):
            some = alike[start : start + 500]
            text = f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(one for _ in some)}"
            session.execute("put", text, [value for columns in some for value in columns.values()])


class _Filled:
    def __init__(self, stack: Endpoints, corner: Corner) -> None:
        self.stack, self.corner = stack, corner
        self.store = warehouse(stack.warehouse, connect=corner)

    def put(self, rows: Sequence[Stored]) -> None:
        with self.corner(self.stack.warehouse) as session:
            for kind in Kind:
                insert(session, TABLE_OF[kind], [row_of(row) for row in rows if row.kind is kind])
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
    access = beat_of(lines_of("i", b"x"), kind="access", arrived_at=NOON + minute)
    other = beat_of(lines_of("g", b"x"), arrived_at=NOON)
    with filled.corner(filled.stack.warehouse) as session:
        unheard = beats[2]._replace(file_id="h", kind="of another release")
        insert(session, "account", [*map(heartbeat_of, [*beats, other, access, unheard])])
        session.commit()

    store = filled.store
    assert store.newest(LONG_AGO) == {"order": NOON + 2 * minute, "access": NOON + minute}
    assert store.newest(NOON + 3 * minute) == {}
    assert sorted(store.last(LONG_AGO, NOON + 2 * minute)) == [beats[1], other, access]
    assert sorted(store.last(NOON + minute, NOON + 3 * minute)) == [beats[2], access]
    part = Stretch(file_id="f", start=beats[0].end, end=beats[1].end, emitted=Tally())
    assert list(store.of_file(part, LONG_AGO)) == beats[:2]


def test_a_warehouse_that_is_away_or_empty_is_named(stack: Endpoints) -> None:
    with pytest.raises(Outage):
        list(warehouse(Warehouse(host="127.0.0.1", port=9, tls=False)).groups(LONG_AGO))
    untouched = Corner("nobody_made_this")
    with pytest.raises(ConfigError, match="migrate"):
        list(warehouse(stack.warehouse, connect=untouched).groups(LONG_AGO))
