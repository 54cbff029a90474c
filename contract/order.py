"""An order as the storefront writes it: the shape that the storefront and the validator agree on.

Further fields are welcome: the types refuse them only so that the decoder notices them, and keeps them as `extra`.

Amounts are integer minor units of `currency`. They are typed `int | float` because a fraction of a penny is a
fault of the merchant's data that deserves its own reason, not a parse error. What has a reason of its own is in
`extra_json_schema`, which the decoder does not look at and `contract.schema` publishes.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contract.money import LARGEST

SCHEMA_VERSION = 1

# No VARCHAR holds a NUL; what is stored as a hash alone may have one.
_NO_NUL = {"pattern": "^[^\\u0000]*$"}
_ZONED = "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"

Amount = Annotated[int | float, Meta(extra_json_schema={"type": "integer", "minimum": 0, "maximum": LARGEST})]
Name = Annotated[str, Meta(min_length=1, max_length=256, extra_json_schema=_NO_NUL)]
HashedName = Annotated[str, Meta(min_length=1, max_length=256)]
AwareTime = Annotated[datetime, Meta(tz=True)]


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One line of an order: `quantity` pieces of `sku` at `unit_price`, less `discount` for the whole line."""

    sku: Annotated[Name, Meta(description="As in the catalogue, letter case included.")]
    quantity: Annotated[
        int,
        Meta(description="Pieces; positive in a return too.", extra_json_schema={"minimum": 1, "maximum": LARGEST}),
    ]
    unit_price: Annotated[Amount, Meta(description="Of one piece, in minor units (pence, cents).")]
    discount: Annotated[Amount, Meta(description="Off the whole line, in minor units.")] = 0


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A sale or a return. Returns carry positive quantities; `returns` names the order that they undo."""

    type: Literal["order"]
    schema_version: Annotated[
        int,
        Meta(description="Of this description.", extra_json_schema={"minimum": 1, "maximum": SCHEMA_VERSION}),
    ]
    event_id: Annotated[
        Name | None, Meta(description="The same when the order is written again: then it counts once.")
    ] = None
    event_time: Annotated[
        AwareTime, Meta(description="When it was bought, with its zone.", extra_json_schema={"pattern": f"^{_ZONED}$"})
    ]
    order_id: Annotated[Name, Meta(description="The shop's own number.")]
    session_id: Annotated[
        HashedName | None, Meta(description="The same as in the access log. Stored as a keyed hash alone.")
    ] = None
    kind: Literal["sale", "return"]
    returns: Annotated[Name | None, Meta(description="Of a return: the `order_id` that it undoes.")] = None
    customer_id: Annotated[
        HashedName | None, Meta(description="Absent or null: a guest. Stored as a keyed hash alone.")
    ] = None
    channel: Annotated[Name, Meta(description="Where it was bought, such as web, app or shop.")]
    region: Annotated[Name | None, Meta(description="Country of the buyer, such as GB.")] = None
    currency: Annotated[
        str,
        Meta(
            description="ISO 4217, of all amounts.",
            extra_json_schema={"pattern": "^[A-Z]{3}$", "minLength": 3, "maxLength": 3},
        ),
    ]
    lines: Annotated[list[Line], Meta(description="Not all of them free.", extra_json_schema={"minItems": 1})]
    tax: Annotated[Amount, Meta(description="Where prices come without it, in minor units.")] = 0
    shipping: Annotated[Amount, Meta(description="In minor units.")] = 0
    total: Annotated[Amount, Meta(description="Lines less discounts, plus tax and shipping, to the minor unit.")]


def total_of(order: Order) -> int:
    """What the parts come to: lines less discounts, plus tax and shipping (minor units). All amounts must be whole.

    Exact: integers, because a product of floats is rounded beyond 2**53.
    """
    goods = sum(line.quantity * int(line.unit_price) - int(line.discount) for line in order.lines)
    return goods + int(order.tax) + int(order.shipping)
