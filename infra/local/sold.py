"""What a store holds of the sales, in words that are the same for all: to be compared, row by row, with each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from opensearchpy import OpenSearch
from opensearchpy.helpers import scan

from consumers.lake.read import LakeReader
from consumers.warehouse.connection import Session

_ORDER, _LINE = ("day", "region"), ("day", "region", "sku")
_SUMS = ("orders", "units", "revenue")
_DOCUMENT = ["event_date", "region", "kind", "units", "revenue", "lines"]
_ORDERS = """
SELECT event_date AS day, region, COUNT(*) AS orders, SUM(units) AS units, SUM(revenue) AS revenue
FROM {orders} GROUP BY event_date, region
"""
_LINES = """
SELECT event_date AS day, region, sku, COUNT(*) AS orders, SUM(units) AS units, SUM(amount) AS revenue
FROM {lines} GROUP BY event_date, region, sku
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """Accepted orders, returns negative; amounts in minor units, as if there were one currency. Rows are sorted.

    Both have `day`, `region` (null: none), `orders`, `units`, `revenue`; `lines`, whose `orders` are order lines, has
    `sku` as well.
    """

    orders: pl.DataFrame
    lines: pl.DataFrame

    @classmethod
    def of(cls, orders: pl.DataFrame, lines: pl.DataFrame) -> "Sold":
        """From rows in any order, each group once or more often."""
        return cls(orders=_summed(orders, *_ORDER), lines=_summed(lines, *_LINE))

    def by(self, *names: str) -> pl.DataFrame:
        """By some of `day`, `region`, `sku`."""
        frame = self.lines if "sku" in names else self.orders
        return frame.group_by(names).agg(pl.col(*_SUMS).sum()).sort(names)


def sold_in_opensearch(client: OpenSearch) -> Sold:
    """Every order that a search finds."""
    client.indices.refresh(index="orders-*")
    documents = [hit["_source"] for hit in scan(client, index="orders-*", _source=_DOCUMENT, size=1_000)]
    orders = [{**_place(found), "units": found["units"], "revenue": found["revenue"]} for found in documents]
    lines = [
        {**_place(found), "sku": line["sku"], **_worth(found, line)} for found in documents for line in found["lines"]
    ]
    return Sold.of(_frame(orders, *_ORDER), _frame(lines, *_LINE))


def sold_in_warehouse(session: Session) -> Sold:
    """Every row of `orders` and `lines`."""
    orders = session.query("orders", _ORDERS.format(orders="orders"))
    lines = session.query("lines", _LINES.format(lines="lines"))
    return Sold.of(_frame(orders, *_ORDER), _frame(lines, *_LINE))


def sold_in_lake(lake: LakeReader) -> Sold:
    """Every row of `orders` and `lines`, one for each identity."""
    orders, lines = lake.query(_ORDERS.format(orders="orders_once")), lake.query(_LINES.format(lines="lines_once"))
    return Sold.of(_frame(orders, *_ORDER), _frame(lines, *_LINE))


def _place(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"day": document["event_date"], "region": document.get("region"), "orders": 1}


def _worth(document: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, int]:
    sign = -1 if document["kind"] == "return" else 1
    units = sign * line["quantity"]
    return {"units": units, "revenue": units * line["unit_price"] - sign * line.get("discount", 0)}


def _frame(rows: Iterable[Mapping[str, Any]], *names: str) -> pl.DataFrame:
    """Of rows as stores give them: days as dates or text, sums as any kind of number."""
    table = [(str(row["day"])[:10], *(row[n] for n in names[1:]), *(int(row[n]) for n in _SUMS)) for row in rows]
    schema = {**dict.fromkeys(names, pl.String), **dict.fromkeys(_SUMS, pl.Int64)}
    return pl.DataFrame(table, schema=schema, orient="row").with_columns(pl.col("day").str.to_date())


def _summed(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.group_by(names).agg(pl.col(*_SUMS).sum().cast(pl.Int64)).sort(names)
