"""Customers, guests, regions and times."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from consumers.stages.facts import InForce
from consumers.stages.reference_testing import customer_list
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.testing import ARRIVED_AT, encoded, order, verdict
from consumers.stages.validate import faults_of
from contract.order import Order
from contract.reasons import Reason
from contract.reference import Customer
from contract.rows import LetterRow, OrderRow

pytestmark = pytest.mark.unit

KNOWN = customer_list(
    Customer(customer_id="C-1", region="GB"),
    Customer(customer_id="C-2"),
    Customer(customer_id="C-3", status="blocked", region="GB"),
)


def reasons(rules: Rules | None = None, *, known: Any = KNOWN, **changes: Any) -> list[tuple[Reason, list[str]]]:
    facts = InForce(customers=known, thresholds=thresholds_of(rules or Rules()))
    event = msgspec.json.decode(msgspec.json.encode(order(**changes)), type=Order)
    return [(fault.reason, list(fault.at)) for fault in faults_of(event, facts, ARRIVED_AT)]


@pytest.mark.parametrize(
    ("changes", "reason", "at"),
    [
        ({"customer_id": "C-1"}, None, ""),
        ({"customer_id": "C-1", "region": None}, None, ""),
        ({"customer_id": "C-1", "region": "DE"}, Reason.IMPLAUSIBLE_REGION, "$.region"),
        ({"customer_id": "C-2", "region": "DE"}, None, ""),
        ({"customer_id": None, "region": "DE"}, None, ""),
        ({"customer_id": "C-3"}, Reason.BLOCKED_CUSTOMER, "$.customer_id"),
        ({"customer_id": "c-1"}, Reason.UNKNOWN_CUSTOMER, "$.customer_id"),
        ({"customer_id": "C-4", "region": "DE"}, Reason.UNKNOWN_CUSTOMER, "$.customer_id"),
    ],
)
def test_a_customer_is_known_active_and_at_home(changes: dict[str, Any], reason: Reason | None, at: str) -> None:
    assert reasons(**changes) == ([(reason, [at])] if reason else [])


def test_without_a_list_anybody_buys() -> None:
    assert reasons(known=None, customer_id="C-9") == []


def test_regions_and_guests_are_settings() -> None:
    assert reasons(Rules(own_region=False), region="DE") == []
    assert reasons(Rules(regions="GB, IE"), region="IE", customer_id=None) == []
    assert reasons(Rules(regions="GB, IE"), region="DE", customer_id=None) == [
        (Reason.IMPLAUSIBLE_REGION, ["$.region"])
    ]
    assert reasons(Rules(regions="GB"), region="DE", customer_id="C-2") == [(Reason.IMPLAUSIBLE_REGION, ["$.region"])]
    web_only = Rules(guest_channels="web, kiosk")
    assert reasons(web_only, customer_id=None) == []
    assert reasons(web_only, customer_id=None, channel="app") == [(Reason.GUEST_NOT_ALLOWED, ["$.customer_id"])]
    assert reasons(Rules(guest_channels=""), customer_id=None) == [(Reason.GUEST_NOT_ALLOWED, ["$.customer_id"])]


@pytest.mark.parametrize(("ahead_s", "is_future"), [(-1.0, False), (0.0, False), (300.0, False), (300.001, True)])
def test_a_time_after_the_arrival_is_a_clock_that_is_wrong(ahead_s: float, is_future: bool) -> None:
    time = (ARRIVED_AT + dt.timedelta(seconds=ahead_s)).isoformat()
    assert reasons(event_time=time) == ([(Reason.FUTURE_TIME, ["$.event_time"])] if is_future else [])


@pytest.mark.parametrize(("behind_s", "late"), [(3600.0, None), (3600.001, True)])
def test_a_late_order_is_flagged_and_stored(behind_s: float, late: bool | None) -> None:
    time = (ARRIVED_AT - dt.timedelta(seconds=behind_s)).isoformat()
    row = verdict(encoded(order(event_time=time)))
    assert isinstance(row, OrderRow)
    assert row.late is late


def test_all_reasons_are_in_the_letter_and_no_customer_is() -> None:
    record = encoded(order(customer_id="C-secret", region="DE", total=1))
    row = verdict(record, facts=InForce(customers=KNOWN, thresholds=thresholds_of(Rules(regions="GB"))))
    assert isinstance(row, LetterRow)
    assert row.reasons == ["unknown_customer", "implausible_region", "wrong_total"]
    assert b"secret" not in msgspec.json.encode(row)


def test_what_a_newer_list_may_mend_is_retryable() -> None:
    assert {reason for reason in Reason if reason.retryable} == {
        Reason.UNKNOWN_SKU,
        Reason.UNKNOWN_CUSTOMER,
        Reason.STALE_PRICE,
    }
