"""A field that a release adds to its orders, on real stores that hold orders of the release before."""

import dataclasses
import datetime as dt
import random
import uuid
from typing import Annotated

import msgspec
import pytest

from consumers.lake import read as lake_read
from consumers.lake import store as lake_store
from consumers.lake.testing import OwnLake
from consumers.sinks.opensearch import mappings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.stages.documents import document_of
from consumers.stages.judge import Judged
from consumers.stages.testing import batch, encoded, judge
from consumers.stages.testing import order as shop_order
from consumers.warehouse.migrations import migrate, migrations_of
from consumers.warehouse.schema import Schema
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner, SpanWriter, lines_of, order
from contract.rows import OrderRow, since
from contract.tables import ORDERS, SPANNED, VERSION, WAREHOUSE, Table, columns_of
from infra.local.endpoints import Endpoints
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration

DAY = dt.date(2026, 11, 27)
AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)


class GrownRow(OrderRow, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An order of the next release."""

    gift: Annotated[str | None, since(VERSION + 1)] = None


GROWN = dataclasses.replace(ORDERS, columns=columns_of(GrownRow))


def grown(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    return tuple(GROWN if table is ORDERS else table for table in tables)


NEXT = Schema(tables=grown(WAREHOUSE), version=VERSION + 1)
NEXT_MIGRATIONS = migrations_of(NEXT)


def test_lake_and_warehouse_gain_it_and_old_orders_have_none(stack: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, corner = OwnLake(stack.aws), Corner(f"field_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    spans = SpanWriter(lake.objects, schema=NEXT)
    rows = [
        order(f"e-{number}", day=DAY, arrived_at=AT, line=("f", number), gift=gift)
        for number, gift in enumerate([None, "blue"])
    ]
    older, newer = (
        spans.write({"orders": [row], "lines": lines_of(row)}, version=version)
        for row, version in zip(rows, (VERSION, VERSION + 1), strict=True)
    )

    lake.store().take([older])
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
        migrate(session, ManualClock(), lambda done: None, NEXT_MIGRATIONS)
    monkeypatch.setattr(lake_store, "SPANNED", grown(SPANNED))
    monkeypatch.setattr(lake_read, "SPANNED", grown(SPANNED))
    assert lake.unprepared().bring_up_to_date(dry_run=True) == ["columns gift of orders"]
    lake.store().take([newer])
    WarehouseStore(
        stack.warehouse,
        bucket=lake.settings.bucket,
        objects=lake.objects,
        clock=ManualClock(),
        connect=corner,
        schema=NEXT,
        migrations=NEXT_MIGRATIONS,
    ).take([older, newer])

    asked = "SELECT event_id, gift FROM orders ORDER BY event_id"
    wanted = [{"event_id": "e-0", "gift": None}, {"event_id": "e-1", "gift": "blue"}]
    assert lake.rows(asked) == wanted
    with corner(stack.warehouse) as session:
        assert [dict(row) for row in session.query("read", asked)] == wanted


def test_the_live_store_gains_it_in_indices_that_are_there(stack: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"field-{uuid.uuid4().hex[:8]}"
    client = connect(stack.opensearch)
    sink = OpenSearchSink(client, random.Random(1), lambda count: None)
    (judged,) = judge().judge(batch([encoded(shop_order())]))
    assert isinstance(judged.row, OrderRow)
    later = GrownRow(**{**msgspec.structs.asdict(judged.row), "event_id": "e-2", "gift": "blue"})
    found = []
    for row in (judged.row, later):
        monkeypatch.setattr(mappings, "OrderRow", type(row))
        template = mappings.templates(refresh_ms=500, replicas="0-1")["storepulse-orders"]
        ensure_templates(client, {name: {**template, "index_patterns": [f"{name}-*"]}})
        document = document_of(Judged(row, None), 14)
        assert document is not None
        assert not sink.write([msgspec.structs.replace(document, index=f"{name}-0")])
        found.append(client.get(index=f"{name}-0", id=row.event_id)["_source"].get("gift"))
    assert found == [None, "blue"]
    assert client.indices.get_mapping(index=f"{name}-0")[f"{name}-0"]["mappings"]["properties"]["gift"] == {
        "type": "keyword"
    }
    client.indices.delete_index_template(name=name)
