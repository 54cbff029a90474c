"""What the shop sells, as `producers reference` derives it and shops show it: one JSON object a line."""

from collections.abc import Iterable

import msgspec

from contract.reference import Customer


class Product(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that can stand on an order line."""

    sku: str
    name: str
    price: int  # usual price, minor units
    currency: str


def to_ndjson(items: Iterable[Product] | Iterable[Customer]) -> bytes:
    """One JSON object a line, in the order given."""
    return msgspec.json.Encoder().encode_lines(items)


def products_from_ndjson(content: bytes) -> list[Product]:
    """Raises msgspec.MsgspecError where a line is no product."""
    return msgspec.json.Decoder(Product).decode_lines(content)
