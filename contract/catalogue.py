"""What the shop sells, as `producers reference` publishes it: one JSON object a line."""

from collections.abc import Iterable

import msgspec


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that can stand on an order line."""

    sku: str
    name: str
    price: int  # usual price, minor units
    currency: str


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One known customer."""

    customer_id: str
    region: str | None = None


def to_ndjson(items: Iterable[Product] | Iterable[Customer]) -> bytes:
    """One JSON object a line, in the order given."""
    return msgspec.json.Encoder().encode_lines(items)


def products_from_ndjson(content: bytes) -> list[Product]:
    """Raises msgspec.MsgspecError where a line is no product."""
    return msgspec.json.Decoder(Product).decode_lines(content)
