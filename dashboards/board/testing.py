"""A searcher that answers from a script, and the shapes of OpenSearch's answers for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contract.figures import LETTERS
from contract.rows import OrderRow
from dashboards.board.queries import Search
from dashboards.board.search import Answer, Unanswered, typed


class ScriptedSearcher:
    """Answers by what a search asks for. Set `down` to a reason and it raises Unanswered instead."""

    def __init__(self) -> None:
        self.minutes: Mapping[str, Any] = {}  # see `minutes_answer`; searches with another window get the same
        self.orders: Mapping[str, Any] = {}
        self.sellers: Mapping[str, Any] = {}
        self.refusals: Mapping[str, Any] = {}
        self.down: str | None = None
        self.asked: list[Sequence[Search]] = []

    async def ask(self, searches: Sequence[Search]) -> list[Answer]:
        """The scripted answers; an unset one is that of a shop without any index."""
        self.asked.append(searches)
        if self.down:
            raise Unanswered(self.down)
        return typed({"responses": [{"status": 200, **self._answer(search)} for search in searches]}, len(searches))

    def _answer(self, search: Search) -> Mapping[str, Any]:
        if search.index == LETTERS.index:
            return self.refusals
        aggregations = search.body.get("aggs", {})
        if "currencies" in aggregations:
            return self.minutes
        return self.sellers if "lines" in aggregations else self.orders


def minutes_answer(figures: Mapping[str, Mapping[datetime, tuple[float, int]]]) -> dict[str, Any]:
    """The answer to `queries.minute_figures`: by currency and start of the minute, (revenue, orders)."""
    return {
        "aggregations": {
            "currencies": {
                "buckets": [
                    {
                        "key": currency,
                        "minutes": {
                            "buckets": [
                                {
                                    "key": round(start.timestamp() * 1000),
                                    "revenue": {"value": revenue},
                                    "sales": {"doc_count": orders},
                                }
                                for start, (revenue, orders) in minutes.items()
                            ]
                        },
                    }
                    for currency, minutes in figures.items()
                ]
            }
        }
    }


def orders_answer(rows: Sequence[OrderRow]) -> dict[str, Any]:
    """The answer to `queries.last_orders`."""
    fields = ("event_id", "order_id", "kind", "revenue", "currency", "units", "region")
    sources = (
        {"event_time": row.event_time.isoformat(), **{name: getattr(row, name) for name in fields}} for row in rows
    )
    return {"hits": {"hits": [{"_source": source} for source in sources]}}


def sellers_answer(units: Mapping[str, float]) -> dict[str, Any]:
    """The answer to `queries.best_sellers`: units by SKU, most first."""
    buckets = [{"key": sku, "units": {"value": sold}} for sku, sold in units.items()]
    return {"aggregations": {"lines": {"skus": {"buckets": buckets}}}}


def refusals_answer(letters: Mapping[str, int]) -> dict[str, Any]:
    """The answer to `queries.refusals`: letters by reason, most first."""
    buckets = [{"key": reason, "doc_count": count} for reason, count in letters.items()]
    return {"aggregations": {"reasons": {"buckets": buckets}}}
