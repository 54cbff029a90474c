"""What an export comes to, worked out from its rows alone: the other side of every account of a replay.

Shares no code with the replay. Nothing here knows orders, spools or the validator; the rules are written down again.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contract.catalogue import Product
from contract.money import exponent
from contract.reasons import Reason
from producers.replay.mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The accepted invoices of one day in the shop's time zone; returns count against units and revenue."""

    orders: int
    lines: int
    units: int
    revenue: int  # minor units


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an invoice is refused, and how many rows go with it."""

    reasons: frozenset[Reason]
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An export's account: `days` and `refused` together are all of its invoices and rows."""

    invoices: int
    lines: int
    days: dict[dt.date, Day]  # days with an accepted invoice
    refused: dict[str, Refusal]  # by invoice number

    @property
    def invoices_by_reason(self) -> Counter[Reason]:
        """An invoice with two reasons counts under both."""
        return Counter(reason for refusal in self.refused.values() for reason in refusal.reasons)

    @property
    def lines_by_reason(self) -> Counter[Reason]:
        """Rows of the invoices refused for a reason, its good rows among them."""
        lines: Counter[Reason] = Counter()
        for refusal in self.refused.values():
            lines.update(dict.fromkeys(refusal.reasons, refusal.lines))
        return lines


def expected(
    file: Path,
    mapping: Mapping,
    catalogue: Iterable[Product],
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> Expected:
    """The account of the Parquet export `file`, by the shop-local days `first` to `last`, both included.

    By a catalogue of SKUs without prices. For exports whose times have no zone and whose prices are binary floats.
    Amounts beyond any sale (contract.money.LARGEST) are not looked for.
    """
    invoices = _invoices(file, mapping, [product.sku for product in catalogue]).filter(
        pl.col("day").is_between(first or dt.date.min, last or dt.date.max)
    )
    broken = pl.any_horizontal(*_REASONS)
    days = (
        invoices.filter(~broken)
        .group_by("day")
        .agg(pl.len().alias("orders"), pl.col("lines", "units", "revenue").sum())
        .sort("day")
    )
    refused = {
        row["invoice"]: Refusal(
            reasons=frozenset(reason for reason in _REASONS if row[reason.value]), lines=row["lines"]
        )
        for row in invoices.filter(broken).iter_rows(named=True)
    }
    return Expected(
        invoices=invoices.height,
        lines=int(invoices["lines"].sum()),
        days={row.pop("day"): Day(**row) for row in days.iter_rows(named=True)},
        refused=refused,
    )


def accepted_rows(file: Path, mapping: Mapping, account: Expected) -> pl.DataFrame:
    """The rows of the accepted invoices: `invoice`, `day`, `region` (null: none), `sku`, `units`, `amount` (minor).

    `account`: what `expected` said of the whole file. Rows of returns count against units and amount.
    """
    names = mapping.columns
    unit = 10 ** exponent(mapping.currency)
    invoice, quantity = pl.col(names.invoice), pl.col(names.quantity).cast(pl.Int64)
    country = pl.col(names.country) if names.country else pl.lit(None, pl.String)
    return (
        pl.read_parquet(file)
        .filter(~invoice.is_in(list(account.refused)))
        .select(
            invoice.alias("invoice"),
            pl.col(names.time).min().over(names.invoice).dt.date().alias("day"),
            country.replace_strict(mapping.regions, default=None).alias("region"),
            pl.col(names.sku).alias("sku"),
            quantity.alias("units"),
            (quantity * (pl.col(names.unit_price) * unit).round().cast(pl.Int64)).alias("amount"),
        )
    )


# Minor units by which a whole amount may miss after binary arithmetic: far above its error, far below any fraction.
_ROUNDING = 1e-6

_MOST_PIECES = 20_000  # of one line, where the shop has not said otherwise

_REASONS = (
    Reason.UNKNOWN_SKU,
    Reason.MONEY_NOT_INTEGER,
    Reason.PRICE_NEGATIVE,
    Reason.WORTH_NOTHING,
    Reason.QUANTITY_NOT_POSITIVE,
    Reason.IMPLAUSIBLE_QUANTITY,
)


def _invoices(file: Path, mapping: Mapping, skus: list[str]) -> pl.DataFrame:
    names = mapping.columns
    unit = 10 ** exponent(mapping.currency)
    sku, quantity, price = pl.col(names.sku), pl.col(names.quantity).cast(pl.Int64), pl.col(names.unit_price)
    minor = (price * unit).round().cast(pl.Int64)
    revenue = (quantity * minor).sum()
    is_return = (quantity.max() <= 0) & (quantity.min() < 0)
    negative_total = pl.when(is_return).then(revenue > 0).otherwise(revenue < 0)
    return (
        pl.read_parquet(file)
        .group_by(pl.col(names.invoice).alias("invoice"))
        .agg(
            pl.col(names.time).min().dt.date().alias("day"),
            pl.len().alias("lines"),
            quantity.sum().alias("units"),
            revenue.alias("revenue"),
            (~sku.is_in(skus)).any().alias(Reason.UNKNOWN_SKU),
            ((price * unit - minor).abs() > _ROUNDING).any().alias(Reason.MONEY_NOT_INTEGER),
            ((price < 0).any() | negative_total).alias(Reason.PRICE_NEGATIVE),
            (price == 0).all().alias(Reason.WORTH_NOTHING),
            pl.when(is_return).then((quantity == 0).any()).otherwise((quantity <= 0).any())
            .alias(Reason.QUANTITY_NOT_POSITIVE),
            (quantity.abs() > _MOST_PIECES).any().alias(Reason.IMPLAUSIBLE_QUANTITY),
        )
    )  # fmt: skip
