import datetime as dt
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contract.order import Order
from contract.schema import order_schema
from producers.replay.export import read_export
from producers.replay.mapping import Mapping
from producers.replay.orders import invoices_of, to_utc

pytestmark = pytest.mark.unit


@pytest.fixture
def orders(export: Path, mapping: Mapping) -> dict[str, Order]:
    return {order.order_id: order for order in invoices_of(read_export(export, mapping), mapping).orders()}


def test_rows_of_an_invoice_are_one_order_at_its_first_time(orders: dict[str, Order]) -> None:
    order = orders["1"]
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [("TEA", 6, 255), ("MUG", 1, 339)]
    assert (order.total, order.kind, order.customer_id, order.region) == (1869, "sale", "17850", "GB")
    assert order.event_time == dt.datetime(2010, 12, 1, 8, 26, tzinfo=dt.UTC)
    assert order.event_id == "corner-shop:1"


def test_summer_time_becomes_utc_in_the_spool(orders: dict[str, Order]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(orders["2"]))["event_time"] == "2011-07-01T08:00:00Z"


def test_a_guest_from_nowhere_has_neither_customer_nor_region(orders: dict[str, Order]) -> None:
    assert (orders["2"].customer_id, orders["2"].region) == (None, None)


def test_negative_quantities_are_a_return_of_positive_ones(orders: dict[str, Order]) -> None:
    order = orders["C3"]
    assert (order.kind, order.lines[0].quantity, order.total) == ("return", 2, 510)


def test_a_fraction_of_a_penny_is_spooled_as_it_is(orders: dict[str, Order]) -> None:
    order = orders["4"]
    assert (order.lines[0].unit_price, order.lines[1].unit_price, order.total) == (0.1, 255, 765.1)
    assert b'"unit_price":0.1,' in msgspec.json.encode(order)


def test_a_negative_price_is_spooled_as_it_is(orders: dict[str, Order]) -> None:
    order = orders["A5"]
    assert (order.kind, order.lines[0].unit_price, order.total) == ("sale", -1106206, -1106206)


def test_only_what_is_spooled_as_it_is_is_outside_the_published_schema(orders: dict[str, Order]) -> None:
    schema = Draft202012Validator(order_schema())
    outside = [name for name, order in orders.items() if not schema.is_valid(msgspec.to_builtins(order))]
    assert outside == ["4", "A5"]


def test_an_invoice_of_both_signs_is_a_sale_with_the_quantities_as_they_are(mapping: Mapping) -> None:
    (order,) = invoices_of(rows(("1", "TEA", 2, "1"), ("1", "TEA", -3, "1")), mapping).orders()
    assert (order.kind, [line.quantity for line in order.lines], order.total) == ("sale", [2, -3], -100)


def test_an_invoice_of_nothing_is_a_sale_of_nothing(mapping: Mapping) -> None:
    (order,) = invoices_of(rows(("1", "TEA", 0, "1")), mapping).orders()
    assert (order.kind, order.lines[0].quantity, order.total) == ("sale", 0, 0)


def test_invoices_come_by_time_and_then_by_place_in_the_file(mapping: Mapping) -> None:
    late, early = dt.datetime(2011, 1, 2), dt.datetime(2011, 1, 1)
    table = rows(("b", "X", 1, "1"), ("c", "X", 1, "1"), ("a", "X", 1, "1"), ("b", "Y", 1, "1")).with_columns(
        time=pl.Series([late, early, early, late])
    )
    invoices = invoices_of(table, mapping)
    assert [order.order_id for order in invoices.orders()] == ["c", "a", "b"]
    assert [order.order_id for order in invoices.orders(1)] == ["a", "b"]
    assert (invoices.count, invoices.lines) == (3, 4)


def test_days_are_the_shops_own_and_both_included(mapping: Mapping) -> None:
    just_after_midnight_in_summer = dt.datetime(2011, 7, 2, 0, 30)  # 2 July in London, 1 July in UTC
    local = rows(("1", "X", 1, "1")).with_columns(time=pl.Series([just_after_midnight_in_summer]))
    zoned = local.with_columns(pl.col("time").dt.replace_time_zone("Europe/London").dt.convert_time_zone("UTC"))
    for table in (local, zoned):
        counts = [
            invoices_of(table, mapping, first=dt.date(2011, 7, day), last=dt.date(2011, 7, day)).count
            for day in (1, 2, 3)
        ]
        assert counts == [0, 1, 0]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2011-03-27T00:59:00", "2011-03-27T00:59:00"),
        ("2011-03-27T01:30:00", "2011-03-27T01:30:00"),  # skipped: as if the clocks had not been put forward yet
        ("2011-03-27T02:00:00", "2011-03-27T01:00:00"),
        ("2011-10-30T00:59:00", "2011-10-29T23:59:00"),
        ("2011-10-30T01:30:00", "2011-10-30T00:30:00"),  # shown twice: the first
        ("2011-10-30T02:00:00", "2011-10-30T02:00:00"),
    ],
)
def test_clock_changes_have_one_answer(mapping: Mapping, local: str, utc: str) -> None:
    table = rows(("1", "X", 1, "1")).with_columns(time=pl.Series([dt.datetime.fromisoformat(local)]))
    (order,) = invoices_of(table, mapping).orders()
    assert order.event_time == dt.datetime.fromisoformat(utc + "+00:00")


def test_a_time_with_a_zone_is_only_put_in_utc() -> None:
    noon = dt.datetime(2011, 7, 1, 12, tzinfo=dt.UTC)
    assert to_utc(noon.astimezone(dt.timezone(dt.timedelta(hours=5))), None) == noon  # type: ignore[arg-type]


def rows(*lines: tuple[str, str, int, str]) -> pl.DataFrame:
    """Export rows (invoice, SKU, quantity, price) at one time, of a guest."""
    names = ("invoice", "sku", "quantity", "unit_price")
    return pl.DataFrame(lines, schema=names, orient="row").with_columns(
        time=pl.lit(dt.datetime(2011, 1, 1)), customer=pl.lit(None, pl.String), country=pl.lit(None, pl.String)
    )


EXPORT_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "C3", "A4", "é"]),
        st.sampled_from(["TEA", "tea", "POST", "日本"]),
        st.integers(-80_995, 80_995),
        st.decimals(-40_000, 40_000, places=3).map(str) | st.decimals(0, 100, places=2).map(str),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)  # writes and reads a file each time
@given(EXPORT_ROWS)
def test_lines_units_and_money_of_any_export_reconcile_with_its_rows(
    mapping: Mapping, tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, int, str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "reconciled.csv"
    table = rows(*lines).select(
        No="invoice", Code="sku", Qty="quantity", Price="unit_price", When=pl.lit("2011-01-01 10:00")
    )
    table.with_columns(Who=pl.lit(""), Where=pl.lit("EIRE")).write_csv(file)
    orders = list(invoices_of(read_export(file, mapping), mapping).orders())

    assert {order.order_id for order in orders} == {invoice for invoice, *_ in lines}
    for order in orders:
        sign = -1 if order.kind == "return" else 1
        own = [line for line in lines if line[0] == order.order_id]
        assert [(line.sku, sign * line.quantity) for line in order.lines] == [(sku, n) for _, sku, n, _ in own]
        assert [exact(line.unit_price) for line in order.lines] == [100 * Decimal(price) for *_, price in own]
        assert sign * exact(order.total) == sum(n * 100 * Decimal(price) for *_, n, price in own)
        assert all(
            isinstance(value, int) or value % 1 for value in (order.total, *(line.unit_price for line in order.lines))
        )


def exact(amount: int | float) -> Decimal:
    return Decimal(repr(amount))
