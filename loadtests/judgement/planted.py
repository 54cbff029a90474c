"""Errors as shops make them, planted into good orders. Knows JSON and the past, and nothing of the rules."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from loadtests.judgement.past import BLOCKED, Past

UNKNOWN = "C-never-heard-of"

Event = dict[str, Any]  # an order as the shop writes it
Planted = Event | None  # None: not into this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """One kind of error, and what a merchant would call it."""

    plant: Callable[[Event, Past, Random], Planted]  # gets a copy of its own
    reasons: frozenset[str]  # any of them is right; empty: another event of the same identity


def _line_changed(event: Event, rng: Random, **changes: Callable[[Any], Any]) -> Event:
    line = rng.choice(event["lines"])
    for name, change in changes.items():
        line[name] = change(line[name])
    return _summed(event)


def _summed(event: Event) -> Event:
    """With the total that its lines come to: the error is to be seen for itself."""
    event["total"] = sum(line["quantity"] * line["unit_price"] for line in event["lines"])
    return event


def _doubled(event: Event, _: Past, rng: Random) -> Planted:
    return _line_changed(event, rng, unit_price=lambda price: price * 2)


def _shifted(event: Event, _: Past, rng: Random) -> Planted:
    return _line_changed(event, rng, unit_price=lambda price: price * 10)


def _stale(event: Event, past: Past, rng: Random) -> Planted:
    """A price that its SKU had until it was forgotten."""
    long_ago = dt.datetime.fromisoformat(event["event_time"]) - past.remembered - dt.timedelta(days=1)
    old: dict[str, list[int]] = defaultdict(list)
    bought = {line["sku"] for line in event["lines"]}
    for (channel, sku, price), seen in past.sold.items():
        if channel == event["channel"] and sku in bought and seen.last < long_ago:
            old[sku].append(price)
    lines = [line for line in event["lines"] if old[line["sku"]]]
    if not lines:
        return None
    line = rng.choice(lines)
    line["unit_price"] = rng.choice(old[line["sku"]])
    return _summed(event)


def _with(**fields: Any) -> Callable[[Event, Past, Random], Planted]:
    return lambda event, past, rng: {**event, **fields}


def _letter_case(event: Event, _: Past, rng: Random) -> Planted:
    with_letters = [line for line in event["lines"] if line["sku"].swapcase() != line["sku"]]
    if not with_letters:
        return None
    line = rng.choice(with_letters)
    line["sku"] = line["sku"].swapcase()
    return event


def _elsewhere(event: Event, past: Past, _: Random) -> Planted:
    """To a country that is not the customer's one."""
    if len(past.regions.get(event["customer_id"] or "", ())) != 1:
        return None
    return {**event, "region": "JP" if event["region"] != "JP" else "BR"}


def _tomorrow(event: Event, _: Past, rng: Random) -> Planted:
    ahead = dt.timedelta(minutes=rng.randint(10, 2_000))
    return {**event, "event_time": (dt.datetime.fromisoformat(event["event_time"]) + ahead).isoformat()}


PRICE = frozenset({"wrong_price", "no_price", "stale_price"})

ERRORS: Mapping[str, Error] = {
    "doubled price": Error(plant=_doubled, reasons=PRICE),
    "shifted decimal": Error(plant=_shifted, reasons=PRICE),
    "stale price after grace": Error(plant=_stale, reasons=PRICE),
    "wrong currency": Error(plant=_with(currency="EUR"), reasons=frozenset({"no_price"})),
    "unknown SKU": Error(
        plant=lambda event, past, rng: _line_changed(event, rng, sku=lambda sku: f"{sku}-X"),
        reasons=frozenset({"unknown_sku"}),
    ),
    # Some SKUs differ in nothing but letter case: the other one then has a price of its own, or none here.
    "letter case of SKU": Error(plant=_letter_case, reasons=frozenset({"unknown_sku"}) | PRICE),
    "sum off by one": Error(
        plant=lambda event, past, rng: {**event, "total": event["total"] + rng.choice((-1, 1))},
        reasons=frozenset({"wrong_total"}),
    ),
    "negative quantity in a sale": Error(
        plant=lambda event, past, rng: _line_changed(event, rng, quantity=lambda quantity: -quantity),
        reasons=frozenset({"quantity_not_positive"}),
    ),
    "quantity 80,995": Error(
        plant=lambda event, past, rng: _line_changed(event, rng, quantity=lambda quantity: 80_995),
        reasons=frozenset({"implausible_quantity"}),
    ),
    "unknown customer": Error(plant=_with(customer_id=UNKNOWN), reasons=frozenset({"unknown_customer"})),
    "blocked customer": Error(plant=_with(customer_id=BLOCKED), reasons=frozenset({"blocked_customer"})),
    "implausible region": Error(plant=_elsewhere, reasons=frozenset({"implausible_region"})),
    "future time": Error(plant=_tomorrow, reasons=frozenset({"future_time"})),
    "same id with other total": Error(
        plant=lambda event, past, rng: {**event, "shipping": 1, "total": event["total"] + 1}, reasons=frozenset()
    ),
}
