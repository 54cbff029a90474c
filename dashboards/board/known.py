"""What the board knows: answers folded into one immutable value. Pure.

An answer replaces what it covers, so a figure never outlives the store that it came from; what no answer has covered
yet is absent, and absent means zero.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from contract.formula_search import measured
from dashboards.board.queries import MINUTES_SHOWN, REVENUE, SALES, Window, formula, window
from dashboards.board.search import Answer, OrderHit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tally(NamedTuple):
    """One minute in one currency."""

    revenue: int  # minor units, net of returns
    orders: int  # sales


NOTHING = Tally(0, 0)


def total(tallies: Iterable[Tally]) -> Tally:
    """Tallies of one currency together."""
    parts = list(tallies)
    return Tally(sum(part.revenue for part in parts), sum(part.orders for part in parts))


class Seller(NamedTuple):
    """A product and the pieces sold of it."""

    sku: str
    units: int


class Refusal(NamedTuple):
    """Dead letters of one reason."""

    reason: str
    letters: int


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that OpenSearch has told, by the question that it answered."""

    minutes: Mapping[datetime, Mapping[str, Tally]] = {}  # by start of the minute, then by currency
    orders: tuple[OrderHit, ...] = ()  # newest first
    sellers: tuple[Seller, ...] = ()  # most pieces first
    refusals: tuple[Refusal, ...] = ()  # most letters first

    def with_minutes(self, answer: Answer, span: Window, now: datetime) -> "Known":
        """`answer` to `queries.minute_figures(span)`: replaces `span`, forgets what is no longer shown."""
        told = _by_minute(answer.aggregations)
        oldest = window(now, MINUTES_SHOWN).start
        kept = {
            start: tallies
            for start, tallies in self.minutes.items()
            if start >= oldest and not span.start <= start < span.end
        }
        return msgspec.structs.replace(self, minutes=kept | told)

    def with_orders(self, answer: Answer) -> "Known":
        """`answer` to `queries.last_orders`."""
        return msgspec.structs.replace(self, orders=tuple(document.source for document in answer.hits.hits))

    def with_sellers(self, answer: Answer) -> "Known":
        """`answer` to `queries.best_sellers`."""
        buckets = _buckets(answer.aggregations.get("lines", {}), "skus")
        sellers = (Seller(bucket["key"], round(bucket["units"]["value"])) for bucket in buckets)
        return msgspec.structs.replace(self, sellers=tuple(seller for seller in sellers if seller.units > 0))

    def with_refusals(self, answer: Answer) -> "Known":
        """`answer` to `queries.refusals`."""
        buckets = _buckets(answer.aggregations, "reasons")
        refusals = tuple(Refusal(bucket["key"], bucket["doc_count"]) for bucket in buckets)
        return msgspec.structs.replace(self, refusals=refusals)


def _by_minute(aggregations: Mapping[str, Any]) -> dict[datetime, dict[str, Tally]]:
    """Sums come as doubles, exact up to 2**53 minor units: an hour of a shop stays far below."""
    minutes: dict[datetime, dict[str, Tally]] = {}
    revenue, sales = formula(REVENUE), formula(SALES)
    for currency in _buckets(aggregations, "currencies"):
        for bucket in _buckets(currency, "minutes"):
            start = _EPOCH + timedelta(milliseconds=bucket["key"])
            tally = Tally(round(measured(REVENUE, revenue, bucket) or 0), round(measured(SALES, sales, bucket) or 0))
            minutes.setdefault(start, {})[currency["key"]] = tally
    return minutes


def _buckets(aggregations: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    buckets: list[dict[str, Any]] = aggregations.get(name, {}).get("buckets", [])
    return buckets
