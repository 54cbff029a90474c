"""Export rows to orders: rows of one invoice are one order, nothing left out, nothing mended."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from contract.money import to_minor
from contract.order import SCHEMA_VERSION, Amount, Line, Order
from producers.replay.mapping import Mapping

Kind = Literal["sale", "return"]

_SLICE = 1_000  # invoices turned into Python objects at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    """An export's invoices between two days, one row each, by time and then by place in the file."""

    mapping: Mapping
    frame: pl.DataFrame  # `sku`, `quantity` and `unit_price` are lists, one element an export row
    prices: dict[str, Amount]  # the export's price text to minor units

    @property
    def count(self) -> int:
        """Orders that `orders` yields."""
        return self.frame.height

    @property
    def lines(self) -> int:
        """Order lines over all of them."""
        return int(self.frame["sku"].list.len().sum())

    def orders(self, start: int = 0) -> Iterator[Order]:
        """Orders number `start` and on: the same ones in the same order every time."""
        mapping = self.mapping
        zone = ZoneInfo(mapping.time_zone)
        for part in self.frame[start:].iter_slices(_SLICE):
            for invoice, time, customer, country, *columns in part.iter_rows():
                kind, lines = self._lines(*columns)
                yield Order(
                    type="order",
                    schema_version=SCHEMA_VERSION,
                    event_id=f"{mapping.namespace}:{invoice}",
                    event_time=to_utc(time, zone),
                    order_id=invoice,
                    kind=kind,
                    customer_id=customer,
                    channel=mapping.channel,
                    region=mapping.regions.get(country),
                    currency=mapping.currency,
                    lines=lines,
                    total=_total(lines),
                )

    def _lines(self, skus: list[str], quantities: list[int], prices: list[str]) -> tuple[Kind, list[Line]]:
        """A return where every piece goes back. An invoice of both signs stays a sale, its quantities as they are."""
        kind: Kind = "return" if max(quantities) <= 0 and min(quantities) < 0 else "sale"
        sign = -1 if kind == "return" else 1
        return kind, [
            Line(sku=sku, quantity=sign * quantity, unit_price=self.prices[price])
            for sku, quantity, price in zip(skus, quantities, prices, strict=True)
        ]


def invoices_of(
    rows: pl.DataFrame, mapping: Mapping, *, first: dt.date | None = None, last: dt.date | None = None
) -> Invoices:
    """The invoices of `rows` (see `read_export`) whose shop-local day is `first` to `last`, both included.

    An invoice happens at its earliest row's time. Its customer and country are those of its first row.
    """
    frame = rows.group_by("invoice", maintain_order=True).agg(
        pl.col("time").min(), pl.col("customer", "country").first(), pl.col("sku", "quantity", "unit_price")
    )
    time = pl.col("time")
    day = (time.dt.convert_time_zone(mapping.time_zone) if _has_zone(rows) else time).dt.date()
    frame = frame.filter(day.is_between(first or dt.date.min, last or dt.date.max))
    prices = {text: amount(Decimal(text), mapping.currency) for text in rows["unit_price"].unique()}
    return Invoices(mapping=mapping, frame=frame.sort("time", maintain_order=True), prices=prices)


def amount(value: Decimal, currency: str) -> Amount:
    """Whole units as minor units: an integer where they are whole, else the fraction as it is."""
    return _plain(to_minor(value, currency))


def to_utc(time: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """`time` in UTC; a time without a zone is `zone`'s.

    An hour that the clocks show twice is the first of the two; one that they skip is read as if they had not yet
    been put forward (PEP 495, fold=0).
    """
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(dt.UTC)


def _total(lines: list[Line]) -> Amount:
    """What the lines come to, computed without the rounding of binary floats."""
    if all(isinstance(line.unit_price, int) for line in lines):
        return sum(line.quantity * line.unit_price for line in lines)
    return _plain(sum((line.quantity * Decimal(repr(line.unit_price)) for line in lines), Decimal()))


def _plain(value: Decimal) -> Amount:
    return int(value) if value == value.to_integral_value() else float(value)


def _has_zone(rows: pl.DataFrame) -> bool:
    return getattr(rows.schema["time"], "time_zone", None) is not None
