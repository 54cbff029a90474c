"""What can be seen of an order before it is sent: the rules that neither reference data nor time can change.

An order that keeps them is refused downstream only for what the pipeline alone can know, such as an SKU that is not in
the catalogue. One that breaks them would be refused by every release that reads this version of the schema.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

SCHEMA_VERSION = 1  # an order of a later one is taken as it is: its rules may be others
LARGEST = 9_000_000_000_000  # of an amount, or of a line's quantity
MOST_UNITS = 2**53  # of an order
LONGEST_NAME = 256  # characters
DEEPEST = 100  # brackets within brackets

_REQUIRED = ("order_id", "channel")
_OPTIONAL = ("event_id", "session_id", "returns", "customer_id", "region")
_HASHED = ("session_id", "customer_id")  # never stored as they are; a store could not take a NUL
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
)
_CURRENCY = re.compile("[A-Z]{3}")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]')


class Fault(NamedTuple):
    """What is wrong where."""

    field: str  # as `lines[0].unit_price`
    why: str


def first_fault(order: dict[str, Any], text: str) -> Fault | None:
    """The first rule that `order`, whose JSON is `text`, breaks."""
    version: Any = order.get("schema_version")
    if order.get("type") != "order":
        return Fault("type", "must be 'order'")
    if not _is_int(version) or version < 1:
        return Fault("schema_version", f"must be {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        return None
    return next(_faults(order, text), None)


def _faults(order: dict[str, Any], text: str) -> Iterator[Fault]:
    # Only the first is asked for: what comes later may rely on what came before.
    for name in _REQUIRED:
        yield from _name(name, order.get(name))
    for name in _OPTIONAL:
        if order.get(name) is not None:
            yield from _name(name, order[name], is_hashed=name in _HASHED)
    if not _is_time(order.get("event_time")):
        yield Fault("event_time", "must be a text like 2026-11-27T08:00:00.123Z, with its zone")
    if order.get("kind") not in ("sale", "return"):
        yield Fault("kind", "must be 'sale' or 'return'")
    currency = order.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        yield Fault("currency", "must be three capitals, as GBP")
    for name in ("tax", "shipping"):
        yield from _amount(name, order.get(name, 0))
    yield from _amount("total", order.get("total"))
    yield from _line_faults(order.get("lines"))
    yield from _sum_faults(order)
    if _depth(text) > DEEPEST:
        yield Fault("order", f"is nested deeper than {DEEPEST}")


def _line_faults(lines: Any) -> Iterator[Fault]:
    if not isinstance(lines, (list, tuple)) or not lines:
        yield Fault("lines", "must be a list of at least one line")
        return
    for number, line in enumerate(lines):
        field = f"lines[{number}]"
        if not isinstance(line, dict):
            yield Fault(field, "must be a dict")
            return
        yield from _name(f"{field}.sku", line.get("sku"))
        quantity = line.get("quantity")
        if not _is_int(quantity) or not 0 < quantity <= LARGEST:
            yield Fault(f"{field}.quantity", "must be a whole number above 0; a return has it too")
        yield from _amount(f"{field}.unit_price", line.get("unit_price"))
        yield from _amount(f"{field}.discount", line.get("discount", 0))


def _sum_faults(order: dict[str, Any]) -> Iterator[Fault]:
    lines = order["lines"]
    if sum(line["quantity"] for line in lines) > MOST_UNITS:
        yield Fault("lines", f"are more than {MOST_UNITS} units")
    if not any(line["unit_price"] for line in lines):
        yield Fault("lines", "are all free: a stock movement, not a sale")
    goods = sum(line["quantity"] * int(line["unit_price"]) - int(line.get("discount", 0)) for line in lines)
    parts = goods + int(order.get("tax", 0)) + int(order.get("shipping", 0))
    if parts != order["total"]:
        yield Fault("total", f"is {order['total']}, but lines less discounts plus tax and shipping are {parts}")


def _name(field: str, value: Any, *, is_hashed: bool = False) -> Iterator[Fault]:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        yield Fault(field, f"must be a text of 1 to {LONGEST_NAME} characters")
    elif "\0" in value and not is_hashed:
        yield Fault(field, "must not hold a NUL")


def _amount(field: str, value: Any) -> Iterator[Fault]:
    is_whole = _is_int(value) or (isinstance(value, float) and value.is_integer())
    if not is_whole or not 0 <= value <= LARGEST:
        yield Fault(field, f"must be a whole number of minor units (pence, cents), 0 to {LARGEST}")


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        dt.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return False
    return 2 <= year <= 9998


def _depth(text: str) -> int:
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = token[0][:1]
        depth += (first in "[{") - (first in "]}")
        deepest = max(deepest, depth)
    return deepest
