"""From a filled-in checkout form to an order as it goes to the spool."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contract.order import SCHEMA_VERSION
from producers.storefront.basket import AskAgain, Basket
from producers.storefront.shelf import Shelf

# ISO 3166-1 alpha-2 -> name. Where the shop sends to.
COUNTRIES = {
    "GB": "United Kingdom",
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "CH": "Switzerland",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "IE": "Ireland",
    "IT": "Italy",
    "JP": "Japan",
    "NL": "Netherlands",
    "NO": "Norway",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
    "US": "United States",
}

# The shop's own tariff, in minor units of its currency.
SHIPPING = 495
FREE_SHIPPING_FROM = 5_000

_TOKEN = re.compile(r"[0-9a-f]{32}")
_CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What an order comes to, in minor units."""

    goods: int
    shipping: int

    @property
    def total(self) -> int:
        return self.goods + self.shipping


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """What the checkout form asks for."""

    token: str  # one time: names the order, so that sending the form twice is one order
    customer_id: str | None  # None: a guest
    region: str


def sums_of(basket: Basket, shelf: Shelf) -> Sums:
    """The sums of a cart; shipping is free from 50 pounds, and for an empty cart."""
    goods = sum(quantity * shelf.offers[sku].price for sku, quantity in basket.lines.items())
    return Sums(goods=goods, shipping=SHIPPING if 0 < goods < FREE_SHIPPING_FROM else 0)


def is_token(text: str) -> bool:
    """Whether `text` has the form of an order token: a UUID in 32 hex digits."""
    return _TOKEN.fullmatch(text) is not None


def buyer_from(form: Mapping[str, str]) -> Buyer:
    """The buyer that a form names. Raises AskAgain with the field to change."""
    token, customer, region = (form.get(name, "").strip() for name in ("token", "customer_id", "region"))
    if not is_token(token):
        raise AskAgain("token", "This form has gone stale. Please look it over and send it again.")
    if customer and not _CUSTOMER.fullmatch(customer):
        raise AskAgain(
            "customer_id", "A customer number has letters, digits and hyphens only. Leave it empty to buy as a guest."
        )
    if region not in COUNTRIES:
        raise AskAgain("region", "Choose a country from the list.")
    return Buyer(token=token, customer_id=customer or None, region=region)


def order_id_of(token: str) -> str:
    """`O-` and 12 characters (60 bits), the same for the same token; the token cannot be read back from it."""
    return "O-" + base64.b32encode(hashlib.sha256(token.encode()).digest())[:12].decode()


def order_of(basket: Basket, shelf: Shelf, buyer: Buyer, *, session_id: str, now: datetime) -> dict[str, Any]:
    """The order as `contract.order` describes it. Prices include VAT, hence no tax of its own."""
    sums = sums_of(basket, shelf)
    return {
        "type": "order",
        "schema_version": SCHEMA_VERSION,
        # Sent again after a restart the form makes the same identity: a duplicate downstream, never a second sale.
        "event_id": buyer.token,
        "event_time": rfc3339(now),
        "order_id": order_id_of(buyer.token),
        "session_id": session_id,
        "kind": "sale",
        "returns": None,
        "customer_id": buyer.customer_id,
        "channel": "web",
        "region": buyer.region,
        "currency": shelf.currency,
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_price": shelf.offers[sku].price, "discount": 0}
            for sku, quantity in basket.lines.items()
        ],
        "tax": 0,
        "shipping": sums.shipping,
        "total": sums.total,
    }


def rfc3339(time: datetime) -> str:
    """An aware UTC time to the millisecond, as `2026-11-27T08:00:00.123Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
