"""What the storefront sells: the catalogue, arranged for pages and searched."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from contract.catalogue import Product, products_from_ndjson
from contract.money import LARGEST, is_currency
from producers.storefront.departments import DEPARTMENTS, Department, picture_of
from runtime.errors import ConfigError

SHIPPED = Path(__file__).with_name("catalogue.ndjson")

HUES = 10  # tile colours in the style sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A product as pages show it."""

    sku: str
    title: str
    price: int  # minor units of the shelf's currency
    department: Department
    icon: str  # id of its picture in static/icons.svg
    hue: int  # 0 .. HUES - 1
    haystack: str  # what searches look into, lower case


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All offers, by SKU in catalogue order, in one currency."""

    currency: str
    offers: Mapping[str, Offer]
    departments: Sequence[Department]  # those with at least one offer

    def search(self, words: str, department: str = "") -> list[Offer]:
        """Offers whose name or SKU holds every word, within `department` (a slug) if given, in catalogue order."""
        wanted = words.casefold().split()
        return [
            offer
            for offer in self.offers.values()
            if (not department or offer.department.slug == department)
            and all(word in offer.haystack for word in wanted)
        ]

    def featured(self, count: int) -> list[Offer]:
        """At most `count` offers spread evenly over the catalogue."""
        offers = list(self.offers.values())
        step = max(1, len(offers) // count)
        return offers[::step][:count]

    def beside(self, offer: Offer, count: int) -> list[Offer]:
        """At most `count` others of the same department, starting after `offer` and going round."""
        peers = self.search("", offer.department.slug)
        at = peers.index(offer)
        return (peers[at + 1 :] + peers[:at])[:count]


def shelf_from(file: Path) -> Shelf:
    """The shelf of a catalogue file. Raises ConfigError for a file that no shop can be run on."""
    try:
        products = products_from_ndjson(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: the catalogue cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a catalogue, one product as a JSON object a line: {error}") from error
    return shelf_of(products, source=str(file))


def shelf_of(products: Iterable[Product], *, source: str) -> Shelf:
    """Arrange `products`. Free ones are not offered: an order of them would be worth nothing.

    Raises ConfigError, naming `source`, for an empty catalogue, a repeated or blank SKU, several currencies and a
    price below zero or larger than any sale.
    """
    offers: dict[str, Offer] = {}
    currencies = set()
    for product in products:
        if not product.sku.strip() or len(product.sku) > 256 or product.sku in offers:
            raise ConfigError(f"{source}: SKU {product.sku[:40]!r} is blank, longer than 256 characters or repeated")
        if not 0 <= product.price <= LARGEST:
            raise ConfigError(f"{source}: SKU {product.sku!r} has the price {product.price}")
        currencies.add(product.currency)
        if product.price:
            offers[product.sku] = _offer(product)
    if not offers:
        raise ConfigError(f"{source}: the catalogue has no product with a price")
    if len(currencies) > 1 or not all(map(is_currency, currencies)):
        raise ConfigError(f"{source}: prices must be in one ISO 4217 currency, found {', '.join(sorted(currencies))}")
    held = {offer.department for offer in offers.values()}
    return Shelf(currency=currencies.pop(), offers=offers, departments=[each for each in DEPARTMENTS if each in held])


def _offer(product: Product) -> Offer:
    department, icon = picture_of(product.name)
    name = product.name.strip() or product.sku
    return Offer(
        sku=product.sku,
        title=name.capitalize() if name.isupper() else name,  # exports of old tills shout
        price=product.price,
        department=department,
        icon=icon,
        hue=zlib.crc32(product.sku.encode()) % HUES,
        haystack=f"{name} {product.sku}".casefold(),
    )
