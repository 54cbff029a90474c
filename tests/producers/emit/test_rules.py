"""The SDK takes exactly what the validator lets through that has no catalogue, no limits of this shop and no clock."""

import dataclasses
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumers.stages.decode import decode
from consumers.stages.events import Event
from consumers.stages.facts import NEVER, InForce
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.validate import faults_of
from contract.money import LARGEST as LARGEST_AMOUNT
from contract.order import SCHEMA_VERSION as CURRENT_VERSION
from contract.schema import order_schema
from producers.agent.pack import RECORD_LIMIT
from producers.emit.line import LONGEST, line_of
from producers.emit.rules import LARGEST, SCHEMA_VERSION, first_fault

pytestmark = pytest.mark.unit

ABSENT = object()
NOTHING_PUBLISHED = InForce(
    thresholds=dataclasses.replace(thresholds_of(Rules(most_pieces=LARGEST_AMOUNT)), skew=timedelta.max)
)
NUMBERS = st.one_of(
    st.sampled_from(
        [0, 1, -1, 0.0, -0.0, 1.0, 0.5, -0.5, LARGEST, LARGEST + 1, float(LARGEST), 2**53, 2**64, 10**400, 1e300]
    ),
    st.integers(-3, 2_000),
    st.sampled_from([True, False, None, "1", [], {}, ABSENT]),
)
NAMES = st.sampled_from(
    ["O-1", "", "x" * 256, "x" * 257, "é" * 256, "a\0b", "\0", None, 7, [], ABSENT, "\U0001f600" * 256]
)
TIMES = st.sampled_from(
    [
        "2026-11-27T08:00:00.123Z", "2026-11-27t08:00:00z", "2026-11-27 08:00:00Z", "2026-11-27T08:00Z",
        "2026-11-27T08:00:60Z", "2026-11-27T24:00:00Z", "2026-11-27T08:00:00+01", "2026-11-27T08:00:00+0100",
        "2026-11-27T08:00:00+24:00", "2026-11-27T08:00:00-23:59", "2026-11-27T08:00:00.1234567890123Z",
        "2026-11-27T08:00:00.Z", "2026-11-27T08:00:00,5Z", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00+23:00",
        "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "9998-12-31T23:59:59.999Z", "9999-01-01T00:00:00Z",
        "2026-11-27T08:00:00+12:60", "2026-11-27T08:00:00", "\u0662026-11-27T08:00:00Z", "", "now", 0, None, ABSENT,
        "2026-11-27T08:00:00Z\n",
    ]
)  # fmt: skip
FIELDS = {
    "type": st.sampled_from(["order", "access", "", None, 1, ABSENT]),
    "schema_version": st.sampled_from([1, 0, -1, 1.0, "1", True, None, ABSENT]),
    "event_id": NAMES,
    "event_time": TIMES,
    "order_id": NAMES,
    "session_id": NAMES,
    "kind": st.sampled_from(["sale", "return", "refund", None, [], ABSENT]),
    "returns": NAMES,
    "customer_id": NAMES,
    "channel": NAMES,
    "region": NAMES,
    "currency": st.sampled_from(["GBP", "gbp", "GB", "GBPX", "\u0391\u0392\u0393", "GB1", None, 1, ABSENT, "GBP\n"]),
    "lines": st.sampled_from([[], None, {}, [None], [[]], ABSENT, "x"]),
    "tax": NUMBERS,
    "shipping": NUMBERS,
    "total": NUMBERS,
    "note": st.sampled_from(
        ["\0", "[" * 200, json.loads("[" * 98 + "]" * 98), json.loads("[" * 120 + "]" * 120), 1e300]
    ),
}
LINE_FIELDS = {"sku": NAMES, "quantity": NUMBERS, "unit_price": NUMBERS, "discount": NUMBERS, "gift": st.booleans()}


GOOD: dict[str, Any] = {
    "type": "order",
    "schema_version": 1,
    "event_time": "2026-11-27T08:00:00.123Z",
    "order_id": "O-1",
    "kind": "sale",
    "channel": "web",
    "currency": "GBP",
    "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
    "shipping": 495,
    "total": 2025,
}


def changes(fields: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen}))


def present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ABSENT}


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """A good order, or one that is wrong in a few places."""
    lines = [
        present({"sku": "85123A", "quantity": 6, "unit_price": 255, **draw(changes(LINE_FIELDS, 2))})
        for _ in range(draw(st.integers(1, 3)))
    ]
    order = {**GOOD, "lines": lines}
    order["total"] = draw(st.sampled_from([0, 0, 0, 0, 1])) + sum_of(lines)
    return present({**order, **draw(changes(FIELDS, 2))})


def sum_of(lines: list[dict[str, Any]]) -> int:
    if any(isinstance(value, str) and name != "sku" for line in lines for name, value in line.items()):
        return 495
    try:
        return 495 + sum(int(line["quantity"] * line["unit_price"] - line.get("discount", 0)) for line in lines)
    except (KeyError, TypeError, OverflowError):  # what is at fault has no sum
        return 495


def is_taken(order: dict[str, Any]) -> bool:
    try:
        line_of(order)
    except ValueError:
        return False
    return True


def is_valid(order: dict[str, Any]) -> bool:
    event = decode(json.dumps(order).encode())
    return isinstance(event, Event) and not faults_of(event.order, NOTHING_PUBLISHED, NEVER)


SCHEMA = Draft202012Validator(order_schema())
BEYOND_A_SCHEMA = re.compile(
    r"lines: are (more than|all free)|total: is \S+, but|event_time: must be a text like|order: is nested deeper"
)


@settings(max_examples=1_500)
@given(orders())
@example({"type": "order"})
def test_the_sdk_takes_what_the_validator_lets_through_and_the_published_schema_where_it_can_say_it(
    order: dict[str, Any],
) -> None:
    assert is_taken(order) == is_valid(order)
    fault = first_fault(order, json.dumps(order))
    if fault is None:
        assert SCHEMA.is_valid(order), list(SCHEMA.iter_errors(order))
    elif SCHEMA.is_valid(order):
        counts = [order["schema_version"], *(line["quantity"] for line in order["lines"])]
        has_a_point = any(isinstance(count, float) for count in counts)
        assert BEYOND_A_SCHEMA.match(f"{fault.field}: {fault.why}") or has_a_point


@pytest.mark.parametrize("number", ["1.0", "6.0"])
def test_a_count_with_a_point_is_the_only_number_that_a_schema_takes_in_vain(number: str) -> None:
    order = {**GOOD, "lines": [{**GOOD["lines"][0], "quantity": float(number)}]}
    assert SCHEMA.is_valid(order)
    assert not is_taken(order)
    order["lines"][0]["quantity"] = -1
    assert not SCHEMA.is_valid(order)


def test_an_order_of_a_later_schema_is_left_to_whoever_knows_it() -> None:
    assert line_of({"type": "order", "schema_version": CURRENT_VERSION + 1})


def test_the_limits_are_the_contracts() -> None:
    assert (SCHEMA_VERSION, LARGEST, LONGEST) == (CURRENT_VERSION, LARGEST_AMOUNT, RECORD_LIMIT)
