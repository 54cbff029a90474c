"""A snapshot read from Parquet says what its entries say, whichever way an order takes."""

import datetime as dt
import io
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.reference.parquet import Corrupt, customer_list_of, price_list_of
from consumers.stages.facts import InForce
from consumers.stages.reference_testing import customer_list, price_list
from consumers.stages.testing import order
from consumers.stages.validate import RULES, Case, faults_of
from contract.order import Order
from contract.reference import Customer, Kind, Price, Snapshot
from producers.reference.publish import publish, to_parquet
from runtime.objects.testing import MemoryObjects
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
TIMES = [NOW + dt.timedelta(hours=hours) for hours in (-49, -25, -24, -1, 0, 1)]

prices = st.builds(
    Price,
    sku=st.sampled_from("AB"),
    channel=st.sampled_from(["", "web"]),
    currency=st.sampled_from(["GBP", "EUR"]),
    price=st.sampled_from([None, 0, 1, 2, 3]),
    min_quantity=st.sampled_from([1, 1, 2]),
    valid_from=st.sampled_from([None, None, *TIMES]),
    valid_to=st.sampled_from([None, None, *TIMES]),
    promotion=st.sampled_from([None, None, "sale"]),
)
lines = st.fixed_dictionaries(
    {"sku": st.sampled_from("ABC"), "quantity": st.integers(1, 2), "unit_price": st.integers(0, 3)}
)
customers = st.builds(
    Customer,
    customer_id=st.sampled_from(["C-1", "C-2", "C-3"]),
    status=st.sampled_from(["active", "blocked"]),
    region=st.sampled_from([None, "GB", "DE"]),
)


def snapshot_of(kind: Kind, rows: int) -> Snapshot:
    return Snapshot(kind=kind, version="1", rows=rows, parts=[], published_at=NOW, effective_at=NOW)


@settings(max_examples=400)
@given(
    st.lists(prices, min_size=1, max_size=6),
    st.lists(customers, min_size=1, unique_by=lambda customer: customer.customer_id),
    st.lists(lines, min_size=1, max_size=2),
    st.fixed_dictionaries(
        {
            "channel": st.sampled_from(["web", "app"]),
            "currency": st.sampled_from(["GBP", "EUR", "JPY"]),
            "kind": st.sampled_from(["sale", "return"]),
            "customer_id": st.sampled_from([None, "C-1", "C-4"]),
            "event_time": st.sampled_from([time.isoformat() for time in TIMES]),
        }
    ),
)
def test_the_short_way_and_the_rules_agree(
    entries: list[Price], known: list[Customer], bought: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    total = sum(line["quantity"] * line["unit_price"] for line in bought)
    event = msgspec.json.decode(
        msgspec.json.encode(order(lines=bought, shipping=0, total=total, **changes)), type=Order
    )
    read = InForce(
        prices=price_list_of(snapshot_of("catalogue", len(entries)), [to_parquet("catalogue", entries)]),
        customers=customer_list_of(snapshot_of("customers", len(known)), [to_parquet("customers", known)]),
    )
    plain = InForce(prices=price_list(entries), customers=customer_list(*known))
    arrived_at = TIMES[-1]
    by_rules = [rule.reason for rule in RULES if rule.broken_at(Case(event, plain, arrived_at))]
    assert [fault.reason for fault in faults_of(event, read, arrived_at)] == by_rules


def test_a_plain_price_takes_the_short_way() -> None:
    entries = [
        Price(sku="A", currency="GBP", price=1),
        Price(sku="B", currency="GBP", price=2, valid_from=NOW - dt.timedelta(days=9)),
        Price(sku="B", currency="GBP", price=1, valid_to=NOW - dt.timedelta(days=9)),
        Price(sku="C", currency="GBP", price=2, valid_from=NOW),
        Price(sku="C", currency="GBP", price=1, valid_to=NOW),
        Price(sku="D", currency="GBP", price=3),
        Price(sku="D", currency="GBP", price=2, min_quantity=2),
        Price(sku="E", currency="GBP", price=3),
        Price(sku="E", currency="GBP", price=2, promotion="sale"),
        Price(sku="F", currency="GBP", price=None),
    ]
    read = price_list_of(snapshot_of("catalogue", len(entries)), [to_parquet("catalogue", entries)])
    assert read.books["", "GBP"].plain == {"A": 1, "B": 2, "E": 3, "F": -1}


def test_several_parts_are_one_list() -> None:
    ids = [f"C-{number}" for number in range(10)]
    bodies = [to_parquet("customers", [Customer(customer_id=each) for each in part]) for part in (ids[:4], ids[4:])]
    assert set(customer_list_of(snapshot_of("customers", 10), bodies).places) == set(ids)
    with pytest.raises(Corrupt, match="10 customers where the summary has 11"):
        customer_list_of(snapshot_of("customers", 11), bodies)


def frame_bytes(frame: pl.DataFrame) -> bytes:
    body = io.BytesIO()
    frame.write_parquet(body)
    return body.getvalue()


def test_columns_that_are_absent_odd_or_empty_are_corrupt() -> None:
    good = pl.read_parquet(to_parquet("customers", [Customer(customer_id="C-1")]))
    odd = {
        "column region is absent": good.drop("region"),
        "column status is": good.with_columns(status=pl.lit(1)),
        "column customer_id has rows without a value": good.with_columns(customer_id=pl.lit(None, pl.String)),
    }
    for said, frame in odd.items():
        with pytest.raises(Corrupt, match=said):
            customer_list_of(snapshot_of("customers", 1), [frame_bytes(frame)])
    more = frame_bytes(good.with_columns(new=pl.lit(1)))  # a later release may add a column
    assert customer_list_of(snapshot_of("customers", 1), [more]).standing("C-1") is not None
    with pytest.raises(Corrupt, match="no Parquet"):
        customer_list_of(snapshot_of("customers", 1), [b"PAR1"])


def test_a_summary_names_what_lies_in_the_bucket() -> None:
    bucket = MemoryObjects()
    snapshot = publish("customers", [Customer(customer_id="C-1")], bucket, ManualClock(NOW))
    assert customer_list_of(snapshot, [bucket.get(part.key) for part in snapshot.parts]).places == {"C-1": 0}
