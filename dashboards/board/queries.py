"""What the board asks OpenSearch: pure builders, one per question.

Its figures are those of `contract.figures`: revenue and orders by minute and currency, pieces by product, letters by
reason. Orders are cut by event time, so a late order lands in the minute in which it was placed. Bounds are whole
minutes, which move on with the minute or with its settling: between those a body stays the same, and so OpenSearch can
answer from its request cache for every index that has not changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contract.figures import figure
from contract.formula import Count, OverRows, Sum
from contract.formula_search import filters, measures, met, metric
from contract.question import formula_of

MINUTE = timedelta(minutes=1)
MINUTES_SHOWN = 60
SETTLING = timedelta(seconds=15)  # in which a minute that is over still fills: orders take seconds, and clocks differ
MINUTES_RECENT = 2
SELLERS_MINUTES = 15
SELLERS_SHOWN = 10
ORDERS_SHOWN = 10
# More than a shop's everyday currencies; a long tail of them would be noise on a board.
_CURRENCIES = 20
# Each shard offers this many products, so that the first ten over all shards are right in all but contrived cases.
_SELLERS_PER_SHARD = 1000
_REASONS = 50  # more than contract.reasons has

REVENUE, SALES, PIECES, REFUSED = "revenue", "sales", "pieces", "refused"
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
    end = _minute(now) + MINUTE
    return Window(start=end - MINUTE * minutes, end=end)


def open_window(now: datetime) -> Window:
    """The minutes that are asked for at every look: the running one, and the one before while its last orders come."""
    return Window(start=_minute(now - SETTLING), end=_minute(now) + MINUTE)


def recent_window(now: datetime) -> Window:
    """The minutes before those: orders that a store was slow with come to them."""
    return Window(start=open_window(now).start - MINUTE * MINUTES_RECENT, end=open_window(now).start)


def closed_window(now: datetime) -> Window:
    """The minutes shown before those: they change only when orders arrive late."""
    return Window(start=window(now, MINUTES_SHOWN).start, end=recent_window(now).start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search of a multi-search request."""

    index: str
    body: Mapping[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """A shop without orders has no index: that is zero orders, not an error."""
        return {"index": self.index, "ignore_unavailable": True, "allow_no_indices": True}


def formula(name: str) -> OverRows:
    """What a figure of the list is computed by."""
    return formula_of(figure(name))


def minute_figures(span: Window) -> Search:
    """Revenue and orders of each minute in `span`, by currency."""
    source = formula(REVENUE).source
    figures = {**measures(REVENUE, formula(REVENUE)), **measures(SALES, formula(SALES))}
    by_minute = {"date_histogram": {"field": source.time, "fixed_interval": "1m", "min_doc_count": 1}, "aggs": figures}
    by_currency = {"terms": {"field": "currency", "size": _CURRENCIES}, "aggs": {"minutes": by_minute}}
    return Search(index=source.index, body=_aggregate(_between(source.time, span), {"currencies": by_currency}))


def last_orders(now: datetime) -> Search:
    """The newest orders, whenever they were; the first one's event time is how fresh the store is.

    An order dated in the future (a clock gone wrong) would stand on top for ever: those are left out.
    """
    return Search(
        index=formula(SALES).source.index,
        body={
            "size": ORDERS_SHOWN,
            "track_total_hits": False,
            "_source": _ORDER_FIELDS,
            "query": {"range": {"event_time": {"lt": _iso(window(now, 1).end)}}},
            "sort": [{"event_time": {"order": "desc", "unmapped_type": "date"}}],
        },
    )


def best_sellers(now: datetime) -> Search:
    """Products by pieces sold in the last minutes."""
    pieces = formula(PIECES)
    if not isinstance(pieces, Sum) or filters(pieces, inside=True):
        raise ValueError(f"best sellers are ranked by a sum over all lines of some orders, and {PIECES} is none")
    source = pieces.source
    by_sku = {
        "terms": {
            "field": f"{source.within}.sku",
            "size": SELLERS_SHOWN,
            "shard_size": _SELLERS_PER_SHARD,
            "order": [{"units": "desc"}, {"_key": "asc"}],
        },
        "aggs": {"units": metric(pieces)},
    }
    query = {"bool": {"filter": [_between(source.time, window(now, SELLERS_MINUTES)), *met(pieces)]}}
    aggregations = {"lines": {"nested": {"path": source.within}, "aggs": {"skus": by_sku}}}
    return Search(index=source.index, body=_aggregate(query, aggregations))


def refusals(now: datetime) -> Search:
    """Dead letters that arrived within the minutes shown, by their decisive reason."""
    refused = formula(REFUSED)
    if not isinstance(refused, Count):
        raise ValueError(f"letters are counted, and {REFUSED} is no count")
    by_reason = {"terms": {"field": "reason", "size": _REASONS}}
    arrived = _between(refused.source.time, window(now, MINUTES_SHOWN))
    body = _aggregate({"bool": {"filter": [arrived, *met(refused)]}}, {"reasons": by_reason})
    return Search(index=refused.source.index, body=body)


def _aggregate(query: Mapping[str, Any], aggregations: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": aggregations}


def _between(field: str, span: Window) -> dict[str, Any]:
    return {"range": {field: {"gte": _iso(span.start), "lt": _iso(span.end)}}}


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
