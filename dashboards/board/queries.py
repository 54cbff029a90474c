"""What the board asks OpenSearch: pure builders, one per question.

The definitions of its figures are here. *Revenue* is the signed sum of accepted orders (returns subtract), per
currency; *orders* counts sales; *units* are pieces sold. All are cut by event time, so a late order lands in the
minute in which it was placed. Bounds are whole minutes: a body stays the same for a minute, and so OpenSearch can
answer from its request cache for every index that has not changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MINUTE = timedelta(minutes=1)
MINUTES_SHOWN = 60
MINUTES_OPEN = 2  # minutes that may still change at every look: orders take seconds, and clocks differ a little
SELLERS_MINUTES = 15
SELLERS_SHOWN = 10
ORDERS_SHOWN = 10
# More than a shop's everyday currencies; a long tail of them would be noise on a board.
_CURRENCIES = 20
# Each shard offers this many products, so that the first ten over all shards are right in all but contrived cases.
_SELLERS_PER_SHARD = 1000
_REASONS = 50  # more than contract.reasons has

ORDERS = "orders-*"
LETTERS = "letters-*"
_ORDER_FIELDS = ["event_id", "event_time", "order_id", "kind", "revenue", "currency", "units", "region"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whole minutes: `start` is in, `end` is out; aware UTC."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> list[datetime]:
        """The start of each minute, oldest first."""
        return [self.start + MINUTE * n for n in range(round((self.end - self.start) / MINUTE))]


def window(now: datetime, minutes: int) -> Window:
    """The last `minutes` minutes, the running one included."""
    end = now.replace(second=0, microsecond=0) + MINUTE
    return Window(start=end - MINUTE * minutes, end=end)


def open_window(now: datetime) -> Window:
    """The minutes that are asked for at every look."""
    return window(now, MINUTES_OPEN)


def closed_window(now: datetime) -> Window:
    """The minutes shown before those: they change only when orders arrive late."""
    return Window(start=window(now, MINUTES_SHOWN).start, end=open_window(now).start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search of a multi-search request."""

    index: str
    body: Mapping[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """A shop without orders has no index: that is zero orders, not an error."""
        return {"index": self.index, "ignore_unavailable": True, "allow_no_indices": True}


def minute_figures(span: Window) -> Search:
    """Revenue and orders of each minute in `span`, by currency."""
    figures = {"revenue": {"sum": {"field": "revenue"}}, "sales": {"filter": {"term": {"kind": "sale"}}}}
    by_minute = {"date_histogram": {"field": "event_time", "fixed_interval": "1m", "min_doc_count": 1}, "aggs": figures}
    by_currency = {"terms": {"field": "currency", "size": _CURRENCIES}, "aggs": {"minutes": by_minute}}
    return Search(index=ORDERS, body=_aggregate(_between("event_time", span), {"currencies": by_currency}))


def last_orders(now: datetime) -> Search:
    """The newest orders, whenever they were; the first one's event time is how fresh the store is.

    An order dated in the future (a clock gone wrong) would stand on top for ever: those are left out.
    """
    return Search(
        index=ORDERS,
        body={
            "size": ORDERS_SHOWN,
            "track_total_hits": False,
            "_source": _ORDER_FIELDS,
            "query": {"range": {"event_time": {"lt": _iso(window(now, 1).end)}}},
            "sort": [{"event_time": {"order": "desc", "unmapped_type": "date"}}],
        },
    )


def best_sellers(now: datetime) -> Search:
    """Products by pieces sold in the last minutes; returns do not count against them."""
    by_sku = {
        "terms": {
            "field": "lines.sku",
            "size": SELLERS_SHOWN,
            "shard_size": _SELLERS_PER_SHARD,
            "order": [{"units": "desc"}, {"_key": "asc"}],
        },
        "aggs": {"units": {"sum": {"field": "lines.quantity"}}},
    }
    query = {"bool": {"filter": [_between("event_time", window(now, SELLERS_MINUTES)), {"term": {"kind": "sale"}}]}}
    aggregations = {"lines": {"nested": {"path": "lines"}, "aggs": {"skus": by_sku}}}
    return Search(index=ORDERS, body=_aggregate(query, aggregations))


def refusals(now: datetime) -> Search:
    """Dead letters that arrived within the minutes shown, and were not mended since, by their decisive reason."""
    by_reason = {"terms": {"field": "reason", "size": _REASONS}}
    arrived = _between("arrived_at", window(now, MINUTES_SHOWN))
    query = {"bool": {"filter": [arrived], "must_not": [{"exists": {"field": "mended_at"}}]}}
    body = _aggregate(query, {"reasons": by_reason})
    return Search(index=LETTERS, body=body)


def _aggregate(query: Mapping[str, Any], aggregations: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": aggregations}


def _between(field: str, span: Window) -> dict[str, Any]:
    return {"range": {field: {"gte": _iso(span.start), "lt": _iso(span.end)}}}


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
