"""What each store holds of a run: every order, letter and duplicate by identity, read page by page."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from opensearchpy import OpenSearch

from consumers.lake.read import LakeReader
from consumers.warehouse.connection import Session

PAGE = 10_000  # of OpenSearch, which gives no more at once
_STEP = dt.timedelta(seconds=15)  # of arrivals that the warehouse is asked for at once
_KEEP_ALIVE = "2m"


class Held(NamedTuple):
    """One row. `kind`: order, letter, duplicate."""

    store: str
    kind: str
    event_id: str
    order_id: str | None
    line: str | None  # crc32-bytes of the line that it was
    reason: str


class Span(NamedTuple):
    """Arrivals at the stream: from, to; aware UTC."""

    since: dt.datetime
    until: dt.datetime


_TABLES = {
    "order": "SELECT event_id, order_id, origin_crc, origin_bytes, '' AS reason FROM {orders}",
    "letter": "SELECT letter_id AS event_id, order_id, origin_crc, origin_bytes, reason FROM {letters}",
    "duplicate": "SELECT event_id, NULL AS order_id, origin_crc, origin_bytes, '' AS reason FROM duplicates",
}
_ARRIVED = " WHERE arrived_at >= ? AND arrived_at < ?"
_NAMES = {"orders": "orders", "letters": "letters_open"}


def in_lake(reader: LakeReader, span: Span) -> Iterator[Held]:
    """By the views that readers use, which give each identity once. Raises Outage, ObjectsMissing, ConfigError."""
    names = {**_NAMES, "orders": "orders_once"}
    days = (span.since.date() - dt.timedelta(days=1), span.until.date() + dt.timedelta(days=1))
    for kind, text in _TABLES.items():
        for row in reader.query(text.format(**names) + _ARRIVED, [*span], days=days):
            yield _held("lake", kind, row)


def in_warehouse(session: Session, span: Span) -> Iterator[Held]:
    """Raises Outage, Refused, ConfigError."""
    for kind, text in _TABLES.items():
        since = span.since
        while since < span.until:
            until = min(since + _STEP, span.until)
            for row in session.query("held", text.format(**_NAMES) + _ARRIVED, [since, until]):
                yield _held("warehouse", kind, row)
            since = until
    session.rollback()


def in_opensearch(client: OpenSearch, span: Span) -> Iterator[Held]:
    """As they are found by a search after a refresh. Raises OpenSearchException."""
    arrived = {"range": {"arrived_at": {"gte": span.since.isoformat(), "lt": span.until.isoformat()}}}
    open_letters = {"bool": {"filter": [arrived], "must_not": [{"exists": {"field": "mended_at"}}]}}
    client.indices.refresh(index="orders-*,letters-*,duplicates", params={"ignore_unavailable": "true"})
    for kind, index, query in (
        ("order", "orders-*", {"bool": {"filter": [arrived]}}),
        ("letter", "letters-*", open_letters),
        ("duplicate", "duplicates", {"bool": {"filter": [arrived]}}),
    ):
        for source in _scrolled(client, index, query):
            origin = source.get("origin") or {}
            flat = {
                "event_id": source.get("event_id") or source.get("letter_id"),
                "order_id": source.get("order_id"),
                "origin_crc": origin.get("crc"),
                "origin_bytes": origin.get("bytes"),
                "reason": source.get("reason", ""),
            }
            yield _held("opensearch", kind, flat)


def _scrolled(client: OpenSearch, index: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    body = {
        "query": query,
        "size": PAGE,
        "sort": ["_doc"],
        "_source": ["event_id", "letter_id", "order_id", "reason", "origin.crc", "origin.bytes"],
    }
    lenient = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    answer = client.search(index=index, body=body, params={"scroll": _KEEP_ALIVE, **lenient})
    try:
        while answer["hits"]["hits"]:
            for hit in answer["hits"]["hits"]:
                yield hit["_source"]
            answer = client.scroll(body={"scroll_id": answer["_scroll_id"], "scroll": _KEEP_ALIVE})
    finally:
        if scroll_id := answer.get("_scroll_id"):
            client.clear_scroll(body={"scroll_id": [scroll_id]}, params={"ignore": "404"})


def _held(store: str, kind: str, row: Any) -> Held:
    crc, size = row["origin_crc"], row["origin_bytes"]
    line = None if crc is None else f"{crc}-{size}"
    return Held(store, kind, row["event_id"], row["order_id"], line, row["reason"])


Holdings = Sequence[tuple[str, Callable[[], Iterator[Held]]]]  # by store, read when called
