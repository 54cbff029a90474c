from typing import Any

import msgspec
import pytest

from consumers.stages.testing import SKUS, order
from consumers.stages.validate import faults_of
from contract.money import LARGEST
from contract.order import Order
from contract.reasons import Reason

pytestmark = pytest.mark.unit


def line(**changes: Any) -> dict[str, Any]:
    return {"sku": "85123A", "quantity": 6, "unit_price": 255, **changes}


def faults(skus: frozenset[str] = SKUS, **changes: Any) -> list[tuple[Reason, list[str]]]:
    judged = msgspec.json.decode(msgspec.json.encode(order(**changes)), type=Order)
    return [(fault.reason, list(fault.at)) for fault in faults_of(judged, skus)]


def test_a_good_order_has_no_fault() -> None:
    assert faults() == []
    assert faults(kind="return", returns="O-0", customer_id=None, session_id=None, region=None) == []


@pytest.mark.parametrize(
    ("changes", "reason", "at"),
    [
        ({"schema_version": 2}, Reason.UNKNOWN_VERSION, ["$.schema_version"]),
        ({"schema_version": 0}, Reason.BAD_SHAPE, ["$.schema_version"]),
        ({"event_time": "0001-01-01T00:00:00+14:00"}, Reason.BAD_SHAPE, ["$.event_time"]),
        ({"event_time": "9999-12-31T23:59:59-12:00"}, Reason.BAD_SHAPE, ["$.event_time"]),
        ({"lines": [], "total": 495}, Reason.NO_LINES, ["$.lines"]),
        ({"currency": "gbp"}, Reason.UNKNOWN_CURRENCY, ["$.currency"]),
        ({"currency": ""}, Reason.UNKNOWN_CURRENCY, ["$.currency"]),
        ({"lines": [line(unit_price=254.5)]}, Reason.MONEY_NOT_INTEGER, ["$.lines[0].unit_price"]),
        ({"tax": 0.1, "total": 2025.1}, Reason.MONEY_NOT_INTEGER, ["$.tax", "$.total"]),
        ({"lines": [line(discount=0.5)]}, Reason.MONEY_NOT_INTEGER, ["$.lines[0].discount"]),
        ({"shipping": LARGEST + 1}, Reason.OUT_OF_RANGE, ["$.shipping"]),
        ({"lines": [line(quantity=10**30)]}, Reason.OUT_OF_RANGE, ["$.lines[0].quantity"]),
        ({"lines": [line(), line(quantity=0)]}, Reason.QUANTITY_NOT_POSITIVE, ["$.lines[1].quantity"]),
        ({"lines": [line(unit_price=-1)], "total": 489}, Reason.PRICE_NEGATIVE, ["$.lines[0].unit_price"]),
        ({"lines": [line(discount=-5)], "total": 2030}, Reason.PRICE_NEGATIVE, ["$.lines[0].discount"]),
        ({"lines": [line(discount=2026)], "total": -1}, Reason.PRICE_NEGATIVE, ["$.total"]),
        ({"lines": [line(unit_price=0)], "total": 495}, Reason.WORTH_NOTHING, ["$.lines"]),
        ({"lines": [line(sku="85123a")]}, Reason.UNKNOWN_SKU, ["$.lines[0].sku"]),
        ({"total": 2026}, Reason.WRONG_TOTAL, ["$.total"]),
    ],
)
def test_each_rule_names_its_reason_and_place(changes: dict[str, Any], reason: Reason, at: list[str]) -> None:
    assert (reason, at) in faults(**changes)
    if reason is not Reason.QUANTITY_NOT_POSITIVE:
        assert faults(**changes) == [(reason, at)]


def test_all_reasons_are_given_the_decisive_one_first() -> None:
    bad = [line(quantity=-1, unit_price=-5), line(sku="nothing")]
    assert [reason for reason, _ in faults(lines=bad, currency="£")] == [
        Reason.UNKNOWN_CURRENCY,
        Reason.QUANTITY_NOT_POSITIVE,
        Reason.PRICE_NEGATIVE,
        Reason.UNKNOWN_SKU,
        Reason.WRONG_TOTAL,
    ]


def test_a_newer_version_is_judged_by_nothing_else() -> None:
    assert faults(schema_version=2, lines=[]) == [(Reason.UNKNOWN_VERSION, ["$.schema_version"])]


def test_without_a_catalogue_any_sku_goes() -> None:
    assert faults(skus=frozenset(), lines=[line(sku="nothing")]) == []


def test_a_free_line_beside_a_paid_one_is_a_sale() -> None:
    assert faults(lines=[line(), line(sku="71053", unit_price=0)]) == []


def test_whole_amounts_written_with_a_point_are_whole() -> None:
    assert faults(total=2025.0, lines=[line(unit_price=255.0)]) == []


def test_numbers_beyond_all_bounds_have_no_sum() -> None:
    assert faults(lines=[line(quantity=10**400, unit_price=1.5)])[-1][0] is Reason.OUT_OF_RANGE


def test_a_total_is_exact_where_a_product_of_floats_is_not() -> None:
    price = 8_999_999_998_001
    lines = [line(quantity=1001, unit_price=float(price)), *[line(quantity=1, unit_price=1, discount=price)] * 1000]
    assert faults(lines=lines, shipping=0, total=price + 1000) == []
    assert faults(lines=lines, shipping=0, total=price + 1001) == [(Reason.WRONG_TOTAL, ["$.total"])]


def test_a_fraction_of_a_penny_says_nothing_of_the_total() -> None:
    assert faults(lines=[line(quantity=3, unit_price=0.1)], shipping=0, total=1) == [
        (Reason.MONEY_NOT_INTEGER, ["$.lines[0].unit_price"])
    ]
