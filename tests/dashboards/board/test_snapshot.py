from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contract.reasons import Reason
from contract.rows import OrderRow
from dashboards.board.known import Known, Refusal, Seller, Tally
from dashboards.board.queries import MINUTE, MINUTES_SHOWN
from dashboards.board.search import OrderHit
from dashboards.board.snapshot import OtherCurrency, Storefront, Sum, snapshot

pytestmark = pytest.mark.unit

NOW = datetime(2026, 7, 1, 8, 30, 45, tzinfo=UTC)
THIS = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)


def hit(row: OrderRow) -> OrderHit:
    return msgspec.convert(row, OrderHit, from_attributes=True)


def test_an_empty_shop_shows_zeros(shop: Storefront) -> None:
    shown = snapshot(Known(), NOW, shop, [])
    assert shown.hour == shown.last_minute == shown.this_minute == Sum(revenue="0.00", orders="0")
    assert len(shown.minutes) == MINUTES_SHOWN
    assert shown.fresh_s is None
    assert (shown.refused, shown.others, shown.sellers, shown.orders, shown.trouble) == (0, [], [], [], [])


def test_the_hour_is_the_sum_of_its_minutes_to_the_penny(shop: Storefront) -> None:
    known = Known(
        minutes={
            THIS: {"GBP": Tally(1, 1)},
            THIS - MINUTE: {"GBP": Tally(-2025, 0)},
            THIS - 59 * MINUTE: {"GBP": Tally(1_000_000_99, 1234)},
            THIS - 60 * MINUTE: {"GBP": Tally(7, 7)},
        }
    )
    shown = snapshot(known, NOW, shop, [])
    assert shown.this_minute == Sum(revenue="0.01", orders="1")
    assert shown.last_minute == Sum(revenue="-20.25", orders="0")
    assert shown.hour == Sum(revenue="999,980.75", orders="1,235")


def test_other_currencies_stand_beside_and_are_never_added(shop: Storefront) -> None:
    known = Known(
        minutes={
            THIS: {"GBP": Tally(100, 1), "JPY": Tally(5000, 2), "EUR": Tally(1, 1)},
            THIS - MINUTE: {"JPY": Tally(500, 1)},
        }
    )
    shown = snapshot(known, NOW, shop, [])
    assert shown.hour == Sum(revenue="1.00", orders="1")
    assert shown.others == [
        OtherCurrency(currency="EUR", revenue="0.01", orders="1"),
        OtherCurrency(currency="JPY", revenue="5,500", orders="3"),
    ]


def test_a_shop_in_yen_has_no_pence(shop: Storefront) -> None:
    yen = Storefront(currency="JPY", zone=ZoneInfo("Asia/Tokyo"), names={})
    shown = snapshot(Known(minutes={THIS: {"JPY": Tally(5000, 2)}}), NOW, yen, [])
    assert shown.digits == 0
    assert shown.hour.revenue == "5,000"
    assert shown.minutes[-1].label == "17:30"


def test_minutes_and_orders_show_the_shops_own_time(shop: Storefront, order_row: Callable[..., OrderRow]) -> None:
    rows = [order_row(NOW, "O-2"), order_row(NOW - timedelta(days=1), "O-1")]
    shown = snapshot(Known(orders=tuple(map(hit, rows))), NOW, shop, [])
    assert [shown.minutes[0].label, shown.minutes[-1].label] == ["08:31", "09:30"]
    assert [line.time for line in shown.orders] == ["09:30:45", "2026-06-30 09:30"]


def test_freshness_is_the_age_of_the_newest_order_and_never_negative(
    shop: Storefront, order_row: Callable[..., OrderRow]
) -> None:
    known = Known(orders=(hit(order_row(NOW, "O-1")),))
    assert snapshot(known, NOW + timedelta(seconds=1.5), shop, []).fresh_s == 1.5
    assert snapshot(known, NOW - timedelta(seconds=1), shop, []).fresh_s == 0.0


def test_a_return_is_negative_and_marked(shop: Storefront, order_row: Callable[..., OrderRow]) -> None:
    known = Known(orders=(hit(order_row(NOW, "R-1", revenue=-2025, region=None)),))
    [line] = snapshot(known, NOW, shop, []).orders
    assert (line.amount, line.units, line.region, line.is_return) == ("-20.25", -6, "", True)


def test_products_have_their_catalogue_name_or_else_their_sku(shop: Storefront) -> None:
    rows = snapshot(Known(sellers=(Seller("85123A", 9), Seller("X", 4))), NOW, shop, []).sellers
    assert [(row.sku, row.name) for row in rows] == [("85123A", "HANGING HEART"), ("X", "X")]


def test_refusals_add_up_and_say_what_they_mean(shop: Storefront) -> None:
    shown = snapshot(Known(refusals=(Refusal("unknown_sku", 3), Refusal("from_a_newer_version", 1))), NOW, shop, [])
    assert shown.refused == 4
    assert [line.about for line in shown.refused_by] == [Reason.UNKNOWN_SKU.about, ""]
