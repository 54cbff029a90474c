import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Row
from consumers.stages.documents import is_letter
from consumers.stages.testing import ARRIVED_AT, batch, documents, encoded, heartbeat, order, verdict
from contract.rows import LetterRow, OrderRow

pytestmark = pytest.mark.unit


def document(data: bytes) -> Row:
    (row,) = documents(batch([data]))
    return row


def test_an_order_is_its_row_as_json_in_its_days_index() -> None:
    record = encoded(order(), offset=5)
    row = document(record)
    stored = msgspec.json.decode(row.document, type=OrderRow)
    assert stored == verdict(record)
    assert (row.index, row.row_id, row.origin) == ("orders-2026.11.27", "e-1", ("i-1-abc", 5))
    assert row.content_hash == stored.content_hash
    assert not is_letter(row)


def test_a_letter_is_its_row_as_json_in_its_days_index() -> None:
    record = encoded(order(total=1), offset=5)
    row = document(record)
    assert msgspec.json.decode(row.document, type=LetterRow) == verdict(record)
    assert (row.index, row.row_id, row.origin) == ("letters-2026.11.27", "e-1", ("i-1-abc", 5))
    assert is_letter(row)


def test_a_foreign_producers_document_has_no_origin() -> None:
    assert document(msgspec.json.encode(order())).origin is None


def test_the_live_store_holds_no_heartbeats() -> None:
    assert documents(batch([msgspec.json.encode(heartbeat())])) == []


@pytest.mark.parametrize(
    ("event_time", "index"),
    [
        ("2026-11-27T08:00:00Z", "orders-2026.11.27"),
        ("2026-11-13T00:00:00Z", "orders-2026.11.13"),
        ("2026-11-12T23:59:59Z", "orders-late"),
        ("2026-12-11T23:59:59Z", "orders-2026.12.11"),
        ("2026-12-12T00:00:00Z", "orders-late"),
        ("2010-12-01T08:26:00Z", "orders-late"),
    ],
)
def test_orders_dated_outside_the_window_share_one_index(event_time: str, index: str) -> None:
    assert document(encoded(order(event_time=event_time))).index == index


moments = st.datetimes(dt.datetime(2026, 11, 20), dt.datetime(2026, 12, 4), timezones=st.just(dt.UTC))
event_days = st.integers(-16, 16).map(lambda days: (ARRIVED_AT + dt.timedelta(days=days)).isoformat())


@given(event_days, st.sampled_from([2025, 1]), moments, moments, st.integers(1, 9))
def test_the_same_line_sent_twice_is_stored_once_whenever_it_arrives(
    event_time: str, total: int, first: dt.datetime, second: dt.datetime, position: int
) -> None:
    changes: dict[str, Any] = {"event_id": ..., "event_time": event_time, "total": total}
    record = encoded(order(**changes), offset=5)
    (once,) = documents(batch([record], arrived_at=first))
    (again,) = documents(batch([record], arrived_at=second, first=position))
    assert (once.index, once.row_id) == (again.index, again.row_id)
