"""Prices as of the event time: tiers, channels, currencies, promotions, changes and what comes back."""

import dataclasses
import datetime as dt
from typing import Any

import msgspec
import pytest

from consumers.stages.facts import InForce
from consumers.stages.reference_testing import price_list
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.testing import ARRIVED_AT, order
from consumers.stages.validate import faults_of
from contract.order import Order
from contract.reasons import Reason
from contract.reference import Price

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

LIST = price_list(
    [
        Price(sku="MUG", currency="GBP", price=1250),
        Price(sku="MUG", currency="GBP", price=990, min_quantity=12),
        Price(sku="MUG", currency="GBP", price=800, min_quantity=100, valid_from=NOW + DAY),
        Price(sku="MUG", currency="GBP", channel="app", price=1200),
        Price(sku="MUG", currency="JPY", price=2400),
        Price(sku="BAG", currency="GBP", price=500, valid_to=NOW - HOUR),
        Price(sku="BAG", currency="GBP", price=600, valid_from=NOW - HOUR, valid_to=NOW + HOUR),
        Price(sku="BAG", currency="GBP", price=700, valid_from=NOW + HOUR),
        Price(sku="BAG", currency="GBP", price=450, valid_from=NOW, valid_to=NOW + HOUR, promotion="black friday"),
        Price(sku="OLD", currency="GBP", price=100, valid_to=NOW - 10 * DAY),
        Price(sku="ANY", currency="GBP", price=None),
    ]
)


def alone(price: int) -> dict[str, Any]:
    """A line without the second one."""
    return {"sku": "MUG", "quantity": 1, "unit_price": price}


def fault_of(
    sku: str, price: int, *, quantity: int = 1, at: dt.datetime = NOW, rules: Rules | None = None, **changes: Any
) -> Reason | None:
    """The one reason against an order of one line, if any."""
    facts = InForce(prices=LIST, thresholds=thresholds_of(rules or Rules()))
    line = {"sku": sku, "quantity": quantity, "unit_price": price}
    paid = {"lines": [line, {"sku": "ANY", "quantity": 1, "unit_price": 1}], "shipping": 0}
    total = quantity * price + 1
    wanted = order(**{"event_time": at.isoformat(), "total": total, **paid, **changes})
    event = msgspec.json.decode(msgspec.json.encode(wanted), type=Order)
    faults = faults_of(event, facts, max(at, ARRIVED_AT))
    assert all(fault.at == ["$.lines[0].unit_price"] or fault.reason is Reason.UNKNOWN_SKU for fault in faults)
    assert len(faults) <= 1
    return faults[0].reason if faults else None


@pytest.mark.parametrize(
    ("sku", "price", "changes", "reason"),
    [
        ("MUG", 1250, {}, None),
        ("MUG", 1251, {}, Reason.WRONG_PRICE),
        ("MUG", 2500, {}, Reason.WRONG_PRICE),
        ("MUG", 125, {}, Reason.WRONG_PRICE),
        ("MUG", 0, {}, None),
        ("mug", 1250, {}, Reason.UNKNOWN_SKU),
        ("MUG", 1250, {"quantity": 11}, None),
        ("MUG", 990, {"quantity": 11}, Reason.WRONG_PRICE),
        ("MUG", 990, {"quantity": 12}, None),
        ("MUG", 1250, {"quantity": 12}, Reason.WRONG_PRICE),
        ("MUG", 990, {"quantity": 100}, None),
        ("MUG", 800, {"quantity": 100}, Reason.WRONG_PRICE),
        ("MUG", 800, {"quantity": 100, "at": NOW + DAY}, None),
        ("MUG", 1200, {"channel": "app"}, None),
        ("MUG", 1250, {"channel": "app"}, Reason.WRONG_PRICE),
        ("MUG", 1250, {"channel": "phone"}, None),
        ("ANY", 77, {"channel": "app"}, None),
        ("MUG", 2400, {"currency": "JPY", "lines": [alone(2400)], "total": 2400}, None),
        ("MUG", 1250, {"currency": "EUR", "lines": [alone(1250)], "total": 1250}, Reason.NO_PRICE),
        ("OLD", 100, {}, Reason.NO_PRICE),
        ("OLD", 100, {"at": NOW - 11 * DAY}, None),
    ],
)  # fmt: skip
def test_a_line_costs_what_its_sku_costs_there_then_and_in_that_number(
    sku: str, price: int, changes: dict[str, Any], reason: Reason | None
) -> None:
    assert fault_of(sku, price, **changes) is reason


@pytest.mark.parametrize(
    ("price", "minutes", "reason"),
    [
        (500, -61, None),
        (600, -60, None),
        (500, -60, None),  # the grace period begins
        (500, -1, None),
        (500, 0, Reason.STALE_PRICE),  # and is over
        (600, -61, Reason.WRONG_PRICE),  # not yet
        (450, -1, Reason.WRONG_PRICE),
        (450, 0, None),
        (600, 0, None),  # beside the promotion
        (450, 60, None),
        (450, 119, None),
        (450, 120, Reason.STALE_PRICE),
        (700, 59, Reason.WRONG_PRICE),
    ],
)
def test_a_price_changes_on_the_moment_and_the_old_one_is_right_for_a_while(
    price: int, minutes: int, reason: Reason | None
) -> None:
    assert fault_of("BAG", price, at=NOW + dt.timedelta(minutes=minutes)) is reason


def test_the_grace_period_is_a_setting() -> None:
    assert fault_of("BAG", 500, at=NOW - HOUR, rules=Rules(price_grace_s=0)) is Reason.STALE_PRICE
    assert fault_of("BAG", 500, at=NOW + HOUR, rules=Rules(price_grace_s=7201)) is None


def test_the_tolerance_is_a_setting() -> None:
    assert fault_of("MUG", 1262, rules=Rules(price_tolerance_percent=1)) is None
    assert fault_of("MUG", 1263, rules=Rules(price_tolerance_percent=1)) is Reason.WRONG_PRICE
    assert fault_of("MUG", 1237, rules=Rules(price_tolerance_percent=1)) is Reason.WRONG_PRICE
    assert fault_of("MUG", 1238, rules=Rules(price_tolerance_percent=1)) is None


def test_a_gift_is_a_setting() -> None:
    assert fault_of("MUG", 0, rules=Rules(free_lines=False)) is Reason.WRONG_PRICE


@pytest.mark.parametrize(
    ("price", "reason"),
    [(1250, None), (990, None), (800, Reason.WRONG_PRICE), (1249, Reason.WRONG_PRICE)],
)
def test_what_comes_back_goes_at_any_price_at_which_it_was_sold(price: int, reason: Reason | None) -> None:
    assert fault_of("MUG", price, kind="return") is reason


def test_what_was_sold_too_long_ago_does_not_come_back() -> None:
    assert fault_of("OLD", 100, kind="return") is None
    assert fault_of("OLD", 100, kind="return", rules=Rules(return_days=9)) is Reason.NO_PRICE


def test_one_bad_line_refuses_the_order_with_the_reasons_of_all_lines() -> None:
    lines = [
        {"sku": "MUG", "quantity": 1, "unit_price": 1},
        {"sku": "mug", "quantity": 1, "unit_price": 1250},
        {"sku": "BAG", "quantity": 1, "unit_price": 500},
        {"sku": "OLD", "quantity": 1, "unit_price": 100},
        {"sku": "MUG", "quantity": 1, "unit_price": 1250},
    ]
    event = msgspec.json.decode(msgspec.json.encode(order(lines=lines)), type=Order)
    faults = faults_of(event, InForce(prices=LIST), ARRIVED_AT)
    assert [(fault.reason, list(fault.at)) for fault in faults] == [
        (Reason.UNKNOWN_SKU, ["$.lines[1].sku"]),
        (Reason.NO_PRICE, ["$.lines[3].unit_price"]),
        (Reason.STALE_PRICE, ["$.lines[2].unit_price"]),
        (Reason.WRONG_PRICE, ["$.lines[0].unit_price"]),
        (Reason.WRONG_TOTAL, ["$.total"]),
    ]


def test_a_price_that_is_none_says_nothing_of_the_list() -> None:
    line = {"sku": "MUG", "quantity": 1, "unit_price": -5}
    event = msgspec.json.decode(msgspec.json.encode(order(lines=[line], total=490)), type=Order)
    assert [fault.reason for fault in faults_of(event, InForce(prices=LIST), ARRIVED_AT)] == [Reason.PRICE_NEGATIVE]


def test_the_number_of_pieces_is_a_setting() -> None:
    facts = dataclasses.replace(InForce(), thresholds=thresholds_of(Rules(most_pieces=5)))
    event = msgspec.json.decode(msgspec.json.encode(order()), type=Order)
    (fault,) = faults_of(event, facts, ARRIVED_AT)
    assert (fault.reason, list(fault.at)) == (Reason.IMPLAUSIBLE_QUANTITY, ["$.lines[0].quantity"])
