"""One visit to the shop: what a shopper means to do, and what they read off the pages. No Locust in here."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import TypeVar

T = TypeVar("T")

# How visits go. A shop of our kind sells to 2 to 3 visits in a hundred; here most of them buy, because a rehearsal
# wants orders more than page views.
SEARCHES = 0.55  # of visits look for a word, the others go through a department
GUESTS = 0.30  # of buyers give no customer number
BUYS = 0.60  # of visits with something in the cart check out
PRODUCTS = {1: 5, 2: 3, 3: 2}  # products a visit -> weight
QUANTITIES = {1: 70, 2: 18, 3: 6, 4: 3, 6: 2, 12: 1}  # pieces of a product -> weight
REGIONS = {"GB": 84, "IE": 5, "DE": 4, "FR": 4, "NL": 2, "US": 1}  # where it is sent -> weight
CUSTOMERS = 5_000  # C-1 .. C-5000
# Words that find something in the shop's own catalogue and in a gift shop's export alike.
WORDS = ("mug", "candle", "lantern", "bag", "card", "bowl", "heart", "set", "paper", "clock", "jar", "light")

_PRODUCT = re.compile(r'href="(/product/[^"]+)"')
_DEPARTMENT = re.compile(r'href="(/search\?department=[^"]+)"')
_SKU = re.compile(r'name="sku" value="([^"]+)"')
_TOKEN = re.compile(r'name="token" value="([0-9a-f]{32})"')
_ORDER = re.compile(r'data-testid="order-id">(O-[A-Z2-7]+)<')


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a shopper means to do."""

    word: str | None  # to search for; None: through a department
    quantities: Sequence[int]  # pieces of each product to put into the cart
    buys: bool
    customer_id: str | None  # None: a guest
    region: str


def visit_of(rng: random.Random, *, buys: float = BUYS) -> Visit:
    """The next visit by `rng`; `buys` is the probability of a checkout (0 to 1)."""
    return Visit(
        word=rng.choice(WORDS) if rng.random() < SEARCHES else None,
        quantities=tuple(_weighted(rng, QUANTITIES) for _ in range(_weighted(rng, PRODUCTS))),
        buys=rng.random() < buys,
        customer_id=None if rng.random() < GUESTS else f"C-{rng.randint(1, CUSTOMERS)}",
        region=_weighted(rng, REGIONS),
    )


def products_on(page: str) -> list[str]:
    """Addresses of the products that `page` links to, each once, in order."""
    return _found(_PRODUCT, page)


def departments_on(page: str) -> list[str]:
    """Addresses of the departments that `page` links to."""
    return _found(_DEPARTMENT, page)


def sku_on(page: str) -> str | None:
    """The SKU that a product page's form adds to the cart."""
    return _first(_SKU, page)


def token_on(page: str) -> str | None:
    """The one-time token of a checkout form."""
    return _first(_TOKEN, page)


def order_number_on(page: str) -> str | None:
    """The order number on a thank-you page."""
    return _first(_ORDER, page)


def _weighted(rng: random.Random, weights: dict[T, int]) -> T:
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _found(pattern: re.Pattern[str], page: str) -> list[str]:
    return list(dict.fromkeys(unescape(found) for found in pattern.findall(page)))


def _first(pattern: re.Pattern[str], page: str) -> str | None:
    found = pattern.search(page)
    return unescape(found[1]) if found else None
