"""A catalogue and a customer list out of an export: what was sold, and who bought."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from contract.catalogue import Product
from contract.reference import Customer
from producers.replay.mapping import Mapping
from producers.replay.orders import amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What an export says of the shop, and the SKUs that it does not make a product of. All sorted."""

    products: list[Product]
    customers: list[Customer]
    not_sold: list[str]  # the mapping says so
    never_priced: list[str]  # on no row with a price above zero
    only_fractions: list[str]  # priced, but never in whole minor units


def derive(rows: pl.DataFrame, mapping: Mapping) -> Reference:
    """The reference data of `rows` (see `read_export`).

    A product's price is its most frequent positive one in whole minor units (the lowest of equals), its name its most
    frequent description (the first in the alphabet of equals), else its SKU. A customer's region is that of most of
    their rows.
    """
    sold = rows.filter(~pl.col("sku").is_in(mapping.not_sold)).join(_prices(rows, mapping), on="unit_price")
    priced = set(sold.filter(pl.col("positive"))["sku"])
    prices = _most_frequent(sold.filter(pl.col("price").is_not_null()), "sku", "price")
    described = sold.with_columns(pl.col("description").str.strip_chars()).filter(pl.col("description") != "")
    names = _most_frequent(described, "sku", "description")
    return Reference(
        products=[
            Product(sku=sku, name=names.get(sku, sku), price=price, currency=mapping.currency)
            for sku, price in sorted(prices.items())
        ],
        customers=_customers(rows, mapping),
        not_sold=sorted(set(rows["sku"]) & mapping.not_sold),
        never_priced=sorted(set(sold["sku"]) - priced),
        only_fractions=sorted(priced - prices.keys()),
    )


def _prices(rows: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Each price text once: whether it is above zero, and in minor units where it then is a whole number of them."""
    texts = rows["unit_price"].unique()
    amounts = [amount(Decimal(text), mapping.currency) for text in texts]
    return pl.DataFrame(
        {
            "unit_price": texts,
            "positive": [value > 0 for value in amounts],
            "price": [value if isinstance(value, int) and value > 0 else None for value in amounts],
        },
        schema={"unit_price": pl.String, "positive": pl.Boolean, "price": pl.Int64},
    )


def _customers(rows: pl.DataFrame, mapping: Mapping) -> list[Customer]:
    known = rows.filter(pl.col("customer").is_not_null())
    countries = _most_frequent(known.filter(pl.col("country").is_in(list(mapping.regions))), "customer", "country")
    return [
        Customer(customer_id=customer, region=mapping.regions[countries[customer]] if customer in countries else None)
        for customer in sorted(set(known["customer"]))
    ]


def _most_frequent(rows: pl.DataFrame, of: str, value: str) -> dict[str, Any]:
    """For each `of` the `value` on most of its rows, the least of equals."""
    counted = rows.group_by(of, value).len().sort("len", value, descending=[True, False])
    return dict(counted.unique(of, keep="first", maintain_order=True).select(of, value).iter_rows())
