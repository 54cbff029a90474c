"""The cart: products and quantities, carried by the shopper's own cookie so that any storefront process can serve."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, unquote

LARGEST_QUANTITY = 99  # of one product
LARGEST_COOKIE = 3_600  # bytes; browsers promise 4,096 for name, value and attributes (RFC 6265, 6.1)

_QUANTITY = re.compile(r"[0-9]{1,4}")


class AskAgain(Exception):
    """The shopper has to change something: show the form again, with this message at `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """SKU -> quantity (1 to 99), in the order in which they were put in."""

    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def pieces(self) -> int:
        """Pieces of all products together."""
        return sum(self.lines.values())

    def added(self, sku: str, quantity: int) -> "Basket":
        """With `quantity` (1 to 99) more of `sku`. Raises AskAgain past 99 of it or where the cookie is full."""
        held = self.lines.get(sku, 0)
        if held + quantity > LARGEST_QUANTITY:
            raise AskAgain(
                "quantity", f"At most {LARGEST_QUANTITY} of one product: your cart already has {held} of this one."
            )
        return self.changed(sku, held + quantity)

    def changed(self, sku: str, quantity: int) -> "Basket":
        """With exactly `quantity` (1 to 99) of `sku`. Raises AskAgain where the cookie is full."""
        basket = Basket(lines=MappingProxyType({**self.lines, sku: quantity}))
        if len(basket.to_cookie()) > LARGEST_COOKIE:
            raise AskAgain("quantity", "Your cart is full. Check out, or remove a product first.")
        return basket

    def without(self, sku: str) -> "Basket":
        """With none of `sku`."""
        return Basket(lines=MappingProxyType({key: n for key, n in self.lines.items() if key != sku}))

    def to_cookie(self) -> str:
        """`sku:quantity|sku:quantity`, percent-encoded: legal in a cookie without quotes."""
        return "|".join(f"{quote(sku, safe='')}:{quantity}" for sku, quantity in self.lines.items())


def basket_from_cookie(cookie: str, sold: Container[str]) -> Basket:
    """The cart that `cookie` holds. What is no line, or no longer `sold`, is left out: the shopper sees the rest."""
    lines: dict[str, int] = {}
    for part in cookie[:LARGEST_COOKIE].split("|"):
        quoted, _, digits = part.rpartition(":")
        sku = unquote(quoted)
        if sku in sold and _QUANTITY.fullmatch(digits) and 1 <= int(digits) <= LARGEST_QUANTITY:
            lines[sku] = int(digits)
    return Basket(lines=MappingProxyType(lines))


def quantity_from(text: str) -> int:
    """The quantity that a shopper typed. Raises AskAgain unless it is a whole number from 1 to 99."""
    digits = text.strip()
    if not _QUANTITY.fullmatch(digits) or not 1 <= int(digits) <= LARGEST_QUANTITY:
        raise AskAgain("quantity", f"Enter a whole number from 1 to {LARGEST_QUANTITY}.")
    return int(digits)
