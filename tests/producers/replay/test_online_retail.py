"""The real export, year and month, against the account worked out from its rows."""

import datetime as dt
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from consumers.stages.facts import NEVER, InForce
from consumers.stages.reference_testing import any_price
from consumers.stages.validate import faults_of
from contract.order import Order
from contract.reasons import Reason
from producers.reference.derive import derive
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping
from producers.replay.orders import invoices_of
from producers.replay.testing import Day, expected

pytestmark = pytest.mark.integration

DECEMBER = {"first": dt.date(2010, 12, 1), "last": dt.date(2010, 12, 31)}


def test_the_year_is_all_there(online_retail: Path) -> None:
    mapping = load_mapping("online-retail")
    invoices = invoices_of(read_export(online_retail, mapping), mapping)
    assert (invoices.count, invoices.lines) == (25_900, 541_909)


def test_december_adds_up_to_the_penny_with_refused_and_accepted_being_all_of_it(online_retail: Path) -> None:
    mapping = load_mapping("online-retail")
    rows = read_export(online_retail, mapping)
    account = expected(online_retail, mapping, derive(rows, mapping).products, **DECEMBER)
    days: dict[dt.date, list[Order]] = defaultdict(list)
    orders = lines = refused_lines = 0
    for order in invoices_of(rows, mapping, **DECEMBER).orders():
        orders += 1
        lines += len(order.lines)
        if order.order_id in account.refused:
            refused_lines += len(order.lines)
        else:
            days[order.event_time.date()].append(order)  # London keeps UTC in December

    assert (orders, lines) == (account.invoices, account.lines) == (2_025, 42_481)
    assert {day: day_of(sold) for day, sold in days.items()} == account.days
    assert refused_lines == sum(refusal.lines for refusal in account.refused.values())
    assert account.invoices == len(account.refused) + sum(day.orders for day in account.days.values())
    assert account.lines == refused_lines + sum(day.lines for day in account.days.values())


def day_of(orders: list[Order]) -> Day:
    signed = [(-1 if order.kind == "return" else 1, order) for order in orders]
    return Day(
        orders=len(orders),
        lines=sum(len(order.lines) for order in orders),
        units=sum(sign * line.quantity for sign, order in signed for line in order.lines),
        revenue=sum(sign * int(order.total) for sign, order in signed),
    )


def test_the_validator_refuses_what_the_rows_say_for_the_same_reasons(online_retail: Path) -> None:
    mapping = load_mapping("online-retail")
    rows = read_export(online_retail, mapping)
    products = derive(rows, mapping).products
    account = expected(online_retail, mapping, products)
    facts = InForce(prices=any_price(*(product.sku for product in products)))
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Order)
    refused = {}
    for order in invoices_of(rows, mapping).orders():
        if faults := faults_of(decoder.decode(encoder.encode(order)), facts, NEVER):
            refused[order.order_id] = frozenset(fault.reason for fault in faults)
    assert refused == {invoice: refusal.reasons for invoice, refusal in account.refused.items()}
    assert set(account.invoices_by_reason) == {
        Reason.UNKNOWN_SKU,
        Reason.MONEY_NOT_INTEGER,
        Reason.PRICE_NEGATIVE,
        Reason.WORTH_NOTHING,
        Reason.IMPLAUSIBLE_QUANTITY,
    }
