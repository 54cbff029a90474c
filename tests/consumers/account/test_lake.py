"""The lake's own rows, counted by DuckDB over real Iceberg tables."""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import msgspec
import pytest

from consumers.account.stores.lake import LakeRows, lake
from consumers.account.stores.store import CONFLICT, Kind
from consumers.account.testing.memory import NOON, Stored, beat_of, lines_of, tally_of
from consumers.account.testing.rows import TABLE_OF, columns_of, heartbeat_of, row_of
from consumers.account.testing.suite import LONG_AGO, StoreConformance
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.store import LakeStore
from consumers.warehouse.testing import SpanWriter
from contract.rows import OrderRow
from infra.local.endpoints import Endpoints
from runtime.objects.s3 import S3Objects
from runtime.outage import Outage
from runtime.settings import Aws, Lake

pytestmark = pytest.mark.integration


class _Filled:
    def __init__(self, stack: Endpoints, bucket: S3Objects) -> None:
        self.bucket = bucket
        settings = Lake(bucket=bucket.bucket, database=f"account_{uuid.uuid4().hex[:12]}")
        self.history = LakeStore(LakeCatalogue(stack.aws), settings)
        self.history.prepare()
        self.rows = LakeRows(self.history)
        self.store = lake(self.rows)
        self._writer = SpanWriter(bucket)

    def put(self, rows: Sequence[Stored]) -> None:
        tables: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row.kind is Kind.DUPLICATE:
                for order in self._twice(row):
                    tables.setdefault("orders", []).append(columns_of(order))
            else:
                tables.setdefault(TABLE_OF[row.kind], []).append(columns_of(row_of(row)))
        self.history.take([self._writer.write(tables)])

    def _twice(self, row: Stored) -> list[OrderRow]:
        """A duplicate is what the lake makes of two lines with one identity."""
        earlier = row.arrived_at - dt.timedelta(seconds=1)
        first = replace(row, kind=Kind.ORDER, label="GBP", file_id=f"first-of-{row.file_id}", arrived_at=earlier)
        orders = [row_of(first), row_of(replace(row, kind=Kind.ORDER, label="GBP"))]
        assert all(isinstance(order, OrderRow) for order in orders)
        content = "c1" if row.label == CONFLICT else "c0"
        return [orders[0], msgspec.structs.replace(orders[1], content_hash=content)]  # type: ignore[list-item]


@pytest.fixture
def filled(stack: Endpoints, bucket: S3Objects) -> _Filled:
    return _Filled(stack, bucket)


class TestLake(StoreConformance):
    pass


def test_an_empty_lake_holds_nothing(filled: _Filled) -> None:
    assert list(filled.store.groups(LONG_AGO)) == []
    assert filled.store.newest(LONG_AGO) == {}
    assert list(filled.store.last(LONG_AGO, NOON)) == []


def test_the_furthest_heartbeats_before_a_time(filled: _Filled) -> None:
    rows = lines_of("f", b"one", b"two", b"three")
    days = [beat_of(rows[: n + 1], final=n == 2, arrived_at=NOON + n * dt.timedelta(days=1)) for n in range(3)]
    filled.history.take([filled._writer.write({"account": [columns_of(heartbeat_of(beat)) for beat in days]})])
    assert filled.store.newest(LONG_AGO) == {"order": days[2].arrived_at}
    assert list(filled.store.last(LONG_AGO, days[2].arrived_at)) == [days[1]]
    assert list(filled.store.last(days[0].arrived_at, days[1].arrived_at)) == [days[0]]


def test_an_object_that_is_gone_hides_nothing_else(filled: _Filled) -> None:
    rows = lines_of("f", b"one", b"two", b"three")
    for row in rows:
        filled.put([row])
    lost = sorted(key for key in filled.rows.current() if "orders" in key)[1]
    filled.bucket.delete(lost)
    (group,) = filled.store.groups(LONG_AGO)
    assert group.tally == tally_of([rows[0], rows[2]])
    assert filled.rows.absent == {lost}
    assert lost in filled.rows.current()


def test_a_lake_that_is_away_is_an_outage() -> None:
    away = Aws(endpoint="http://127.0.0.1:9", access_key_id="123456789012", secret_access_key="x")
    rows = LakeRows(LakeStore(LakeCatalogue(away), Lake()))
    with pytest.raises(Outage):
        list(lake(rows).groups(LONG_AGO))


def test_a_question_that_this_machine_has_no_room_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *_: object, **__: object) -> None: ...

        def query(self, *_: object, **__: object) -> Iterator[Any]:
            raise duckdb.OutOfMemoryException("1 GiB")
            yield

    monkeypatch.setattr("consumers.account.stores.lake.LakeReader", Full)
    rows = LakeRows(LakeStore(LakeCatalogue(Aws()), Lake()))
    with pytest.raises(Outage, match="OutOfMemoryException"):
        lake(rows).newest(LONG_AGO)
