"""Orders that are right, and lines that are wrong on purpose: each for one reason, which the pipeline has to find.

On the demo's catalogue and customers (C-0 to C-5000, of no region of their own).
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from contract.catalogue import Product
from contract.reasons import Reason

Order = dict[str, Any]

CUSTOMERS = 5_000
_GUESTS = 0.3
_REGIONS = ("GB",) * 8 + ("IE", "DE")
_encode = msgspec.json.Encoder().encode


class Goods:
    """Makes the orders of one sender: the same ones for the same random generator."""

    def __init__(self, products: Sequence[Product], rng: random.Random, *, customer_id: str | None = None) -> None:
        """`customer_id`: everything is sold to this one."""
        self._products = products
        self._rng = rng
        self._customer_id = customer_id

    def order(self, event_id: str, at: datetime) -> Order:
        """The next order. Amounts in minor units."""
        rng = self._rng
        picked = rng.sample(self._products, k=rng.choice((1, 1, 1, 2, 2, 3)))
        lines: list[Order] = [
            {"sku": p.sku, "quantity": rng.choice((1, 1, 1, 2, 3)), "unit_price": p.price} for p in picked
        ]
        customer = self._customer_id or f"C-{rng.randint(1, CUSTOMERS)}"
        shipping = rng.choice((0, 295, 495))
        return {
            "type": "order",
            "schema_version": 1,
            "event_id": event_id,
            "event_time": text_of(at),
            "order_id": f"O-{event_id}",
            "session_id": f"s-{event_id}",
            "kind": "sale",
            "customer_id": None if self._customer_id is None and rng.random() < _GUESTS else customer,
            "channel": "web",
            "region": rng.choice(_REGIONS),
            "currency": "GBP",
            "lines": lines,
            "shipping": shipping,
            "total": sum(line["quantity"] * line["unit_price"] for line in lines) + shipping,
        }


def text_of(at: datetime) -> str:
    """As an order has it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def spoilt(order: Order, reason: Reason) -> bytes:
    """`order` as a line, its newline included, that is refused for `reason` alone. Raises KeyError for another."""
    bad = copy.deepcopy(order)
    change = SPOILERS[reason](bad)
    line = change if isinstance(change, bytes) else _encode(bad)
    return line + b"\n"


def has_identity(reason: Reason) -> bool:
    """Whether a line that is refused for it can still be known by its event id."""
    return reason not in (Reason.NOT_JSON, Reason.NOT_UTF8)


def _not_json(order: Order) -> bytes:
    return f"{order['event_id']};{order['event_time']};torn".encode()


def _not_utf8(order: Order) -> bytes:
    return _encode({**order, "channel": "CAFE"}).replace(b"CAFE", b"caf\xe9")


def _first_line(order: Order, **changes: Any) -> None:
    order["lines"][0].update(changes)
    _retotal(order)


def _retotal(order: Order) -> None:
    order["total"] = sum(line["quantity"] * line["unit_price"] for line in order["lines"]) + order["shipping"]


def _in_future(order: Order) -> None:
    order["event_time"] = text_of(datetime.fromisoformat(order["event_time"]) + timedelta(hours=2))


def _worth_nothing(order: Order) -> None:
    for line in order["lines"]:
        line["unit_price"] = 0
    _retotal(order)


SPOILERS: Mapping[Reason, Callable[[Order], bytes | None]] = MappingProxyType(
    {
        Reason.NOT_JSON: _not_json,
        Reason.NOT_UTF8: _not_utf8,
        Reason.UNKNOWN_TYPE: lambda order: order.update(type="refund"),
        Reason.UNKNOWN_VERSION: lambda order: order.update(schema_version=2),
        Reason.BAD_SHAPE: lambda order: order.update(event_time=order["event_time"].removesuffix("Z")),
        Reason.UNKNOWN_CURRENCY: lambda order: order.update(currency="gbp"),
        Reason.MONEY_NOT_INTEGER: lambda order: order.update(shipping=4.95),
        Reason.NO_LINES: lambda order: order.update(lines=[], total=order["shipping"]),
        Reason.QUANTITY_NOT_POSITIVE: lambda order: _first_line(order, quantity=-1),
        Reason.WORTH_NOTHING: _worth_nothing,
        Reason.IMPLAUSIBLE_QUANTITY: lambda order: _first_line(order, quantity=80_995),
        Reason.FUTURE_TIME: _in_future,
        Reason.UNKNOWN_SKU: lambda order: _first_line(order, sku="NO-SUCH-THING"),
        Reason.WRONG_PRICE: lambda order: _first_line(order, unit_price=order["lines"][0]["unit_price"] * 2),
        Reason.UNKNOWN_CUSTOMER: lambda order: order.update(customer_id="C-404404"),
        Reason.WRONG_TOTAL: lambda order: order.update(total=order["total"] + 1),
    }
)
