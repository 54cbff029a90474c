import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import pytest
from opensearchpy import OpenSearch

from contract.rows import LetterRow, LineRow, OrderRow
from dashboards.board.snapshot import Storefront


@pytest.fixture
def shop() -> Storefront:
    return Storefront(currency="GBP", zone=ZoneInfo("Europe/London"), names={"85123A": "HANGING HEART"})


@pytest.fixture
def order_row() -> Callable[..., OrderRow]:
    """Builds an accepted order: `order_row(at, "O-1", revenue=2025)`; a negative revenue makes a return."""

    def build(
        at: dt.datetime, order_id: str, *, revenue: int = 2025, lines: Any = (("85123A", 6),), **more: Any
    ) -> OrderRow:
        sign = -1 if revenue < 0 else 1
        rows = [LineRow(sku=sku, quantity=quantity, unit_price=255, discount=0) for sku, quantity in lines]
        fields: dict[str, Any] = {
            "event_id": f"e-{order_id}",
            "content_hash": "0" * 32,
            "event_time": at,
            "event_date": at.date(),
            "arrived_at": at,
            "order_id": order_id,
            "kind": "return" if revenue < 0 else "sale",
            "channel": "web",
            "region": "GB",
            "currency": "GBP",
            "lines": rows,
            "tax": 0,
            "shipping": 0,
            "total": abs(revenue),
            "revenue": revenue,
            "units": sign * sum(row.quantity for row in rows),
            "line_count": len(rows),
        }
        return OrderRow(**(fields | more))

    return build


@pytest.fixture(scope="session")
def opensearch_url(stack: Any) -> str:
    """A real OpenSearch."""
    return str(stack.opensearch.url)


class Store:
    """The documents of one test, dated so long ago that no other test's are near them."""

    def __init__(self, url: str) -> None:
        self._client = OpenSearch(url)
        self._indices: set[str] = set()

    def put(self, rows: Sequence[OrderRow | LetterRow]) -> None:
        """Index as the live path does: the row's JSON under its identity; searchable on return."""
        for row in rows:
            if isinstance(row, OrderRow):
                index, row_id = f"orders-{row.event_date:%Y.%m.%d}", row.event_id
            else:
                index, row_id = f"letters-{row.arrived_at:%Y.%m.%d}", row.letter_id
            self._create(index, type(row))
            self._client.index(index=index, id=row_id, body=msgspec.json.encode(row), params={"refresh": "true"})

    def drop(self) -> None:
        """Leave nothing behind."""
        for index in self._indices:
            self._client.indices.delete(index=index)
        self._indices.clear()

    def close(self) -> None:
        self.drop()
        self._client.close()

    def _create(self, index: str, row: type) -> None:
        if index not in self._indices:
            settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "500ms"}
            mappings = {"dynamic": "strict", "properties": _properties(row)}
            self._client.indices.create(index=index, body={"settings": settings, "mappings": mappings})
            self._indices.add(index)


def _properties(row: Any) -> dict[str, Any]:
    """The mapping that live's template gives a row: what is only kept is neither searched nor summed."""
    return {name: _property(hint) for name, hint in get_type_hints(row, include_extras=True).items()}


def _property(hint: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if hasattr(hint, "__metadata__"):
        meta = hint.__metadata__[0].extra
        hint = hint.__origin__
    kinds = [kind for kind in getattr(hint, "__args__", (hint,)) if kind is not type(None)]
    if issubclass(kinds[0], msgspec.Struct):
        nested = {"type": "nested"} if getattr(hint, "__origin__", None) is list else {}
        return nested | {"properties": _properties(kinds[0])}
    types = {str: "keyword", int: "long", bool: "boolean", dt.datetime: "date", dt.date: "date"}
    searched = {} if meta.get("searched", True) else {"index": False}
    summed = {} if meta.get("summed", meta.get("searched", True)) else {"doc_values": False}
    return {"type": types[kinds[0]]} | searched | summed


@pytest.fixture
def store(opensearch_url: str) -> Iterator[Store]:
    documents = Store(opensearch_url)
    yield documents
    documents.close()
