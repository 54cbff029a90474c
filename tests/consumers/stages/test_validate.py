import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.stages.facts import NEVER, InForce
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.testing import FACTS, order
from consumers.stages.validate import RULES, Case, faults_of
from contract.money import LARGEST
from contract.order import Order, total_of
from contract.reasons import Reason

pytestmark = pytest.mark.unit


def line(**changes: Any) -> dict[str, Any]:
    return {"sku": "85123A", "quantity": 6, "unit_price": 255, **changes}


USUAL = dataclasses.replace(FACTS, thresholds=thresholds_of(Rules()))
NOTHING_PUBLISHED = dataclasses.replace(FACTS, prices=None)


def faults(facts: InForce = FACTS, **changes: Any) -> list[tuple[Reason, list[str]]]:
    judged = msgspec.json.decode(msgspec.json.encode(order(**changes)), type=Order)
    return [(fault.reason, list(fault.at)) for fault in faults_of(judged, facts, NEVER)]


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
    assert faults(NOTHING_PUBLISHED, lines=[line(sku="nothing")]) == []


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


def test_more_pieces_than_a_double_counts_are_out_of_range() -> None:
    lines = [line(quantity=LARGEST, unit_price=0)] * 1_000 + [line(quantity=2**53 - 1_000 * LARGEST, unit_price=0)]
    paid = {"tax": 0, "shipping": 0, "total": 1, "lines": [*lines, line(quantity=1, unit_price=1)]}
    assert faults(**paid) == [(Reason.OUT_OF_RANGE, ["$.lines"])]
    assert faults(**{**paid, "lines": [*lines[:-1], line(quantity=1, unit_price=1)]}) == []


amounts = st.integers(-1, 4) | st.floats(-1, 4) | st.sampled_from([2.0, LARGEST, LARGEST + 1, -0.0, 10**30])
any_line = st.fixed_dictionaries(
    {
        "sku": st.sampled_from(["85123A", "no"]),
        "quantity": st.integers(-1, 4) | st.just(LARGEST),
        "unit_price": amounts,
    },
    optional={"discount": amounts},
)
anything = st.fixed_dictionaries(
    {"lines": st.lists(any_line, max_size=3), "tax": amounts, "shipping": amounts},
    optional={
        "currency": st.sampled_from(["GBP", "gbp", "", "£££", "GBPX"]),
        "schema_version": st.integers(-1, 3),
        "event_time": st.sampled_from(["0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]),
    },
)


@given(anything, st.sampled_from([FACTS, USUAL, NOTHING_PUBLISHED]), st.sampled_from([0, 0, 0, 1]))
def test_the_short_way_and_the_rules_agree(changes: dict[str, Any], facts: InForce, off: int) -> None:
    event = msgspec.json.decode(msgspec.json.encode(order(**changes)), type=Order)
    event = msgspec.structs.replace(event, total=total_of(event) + off)
    breaks_a_rule = event.schema_version > 1 or any(rule.broken_at(Case(event, facts, NEVER)) for rule in RULES)
    assert bool(faults_of(event, facts, NEVER)) == (breaks_a_rule or off == 1)
