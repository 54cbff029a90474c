"""Prices and customers in memory for tests."""

from array import array
from collections import defaultdict
from collections.abc import Iterable

from consumers.stages.customers import CustomerList, Standing
from consumers.stages.facts import ALWAYS
from consumers.stages.prices import ANY, EVER, NEVER, Book, PriceList, to_us
from contract.reference import Customer, Price


def price_list(prices: Iterable[Price]) -> PriceList:
    """Row by row, nothing of it plain: every order is left to the rules."""
    places: dict[tuple[str, str], dict[str, list[Price]]] = defaultdict(lambda: defaultdict(list))
    for price in prices:
        places[price.channel, price.currency][price.sku].append(price)
    return PriceList(books={place: _book(list(by_sku.items())) for place, by_sku in places.items()}, plain_since=ALWAYS)


def any_price(*skus: str, currency: str = "GBP") -> PriceList:
    """These SKUs, and no others, at any price."""
    return price_list(Price(sku=sku, currency=currency, price=None) for sku in skus)


def _book(by_sku: list[tuple[str, list[Price]]]) -> Book:
    rows = [price for _, prices in by_sku for price in prices]
    firsts = array("q", [0])
    for _, prices in by_sku:
        firsts.append(firsts[-1] + len(prices))
    return Book(
        plain={},
        places={sku: place for place, (sku, _) in enumerate(by_sku)},
        firsts=firsts,
        prices=array("q", [ANY if row.price is None else row.price for row in rows]),
        starts_us=array("q", [EVER if row.valid_from is None else to_us(row.valid_from) for row in rows]),
        ends_us=array("q", [NEVER if row.valid_to is None else to_us(row.valid_to) for row in rows]),
        tiers=array("q", [row.min_quantity for row in rows]),
        promotions=array("b", [row.promotion is not None for row in rows]),
    )


def customer_list(*customers: Customer) -> CustomerList:
    """These."""
    return CustomerList(
        places={customer.customer_id: place for place, customer in enumerate(customers)},
        standings=[Standing(customer.status == "active", customer.region) for customer in customers],
    )
