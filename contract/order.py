"""An order as the storefront writes it: the shape that the storefront and the validator agree on.

Further fields are welcome: the types refuse them only so that the decoder notices them, and keeps them as `extra`.

Amounts are integer minor units of `currency`. They are typed `int | float` because a fraction of a penny is a
fault of the merchant's data that deserves its own reason, not a parse error.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1

Amount = int | float
Name = Annotated[str, Meta(min_length=1, max_length=256)]
AwareTime = Annotated[datetime, Meta(tz=True)]


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One line of an order: `quantity` pieces of `sku` at `unit_price`, less `discount` for the whole line."""

    sku: Name
    quantity: int
    unit_price: Amount
    discount: Amount = 0


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A sale or a return. Returns carry positive quantities; `returns` names the order that they undo."""

    type: Literal["order"]
    schema_version: int
    event_id: Name | None = None
    event_time: AwareTime
    order_id: Name
    session_id: Name | None = None
    kind: Literal["sale", "return"]
    returns: Name | None = None
    customer_id: Name | None = None
    channel: Name
    region: Name | None = None
    currency: str
    lines: list[Line]
    tax: Amount = 0
    shipping: Amount = 0
    total: Amount


def total_of(order: Order) -> int:
    """What the parts come to: lines less discounts, plus tax and shipping (minor units). All amounts must be whole.

    Exact: integers, because a product of floats is rounded beyond 2**53.
    """
    goods = sum(line.quantity * int(line.unit_price) - int(line.discount) for line in order.lines)
    return goods + int(order.tax) + int(order.shipping)
