"""What each store holds of a run: every order, letter and duplicate by identity, and what an order is worth.

Read page by page. Letters of web logs are left out: what a web server logs is in no sender's ledger.
"""

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
    total: int | None = None  # of an order, in minor units; so is the next one
    revenue: int | None = None  # the same, as readers add it up


class Span(NamedTuple):
    """Arrivals at the stream: from, to; aware UTC."""

    since: dt.datetime
    until: dt.datetime


_NONE = "NULL AS total, NULL AS revenue"
_ARRIVED = " WHERE arrived_at >= ? AND arrived_at < ?"
_NO_ACCESS = " AND event_type <> 'access'"


class _Kind(NamedTuple):
    columns: str
    table: str
    more: str = ""


_KINDS = {
    "order": _Kind("event_id, order_id, origin_crc, origin_bytes, '' AS reason, total, revenue", "orders"),
    "letter": _Kind(
        f"letter_id AS event_id, order_id, origin_crc, origin_bytes, reason, {_NONE}", "letters_open", _NO_ACCESS
    ),
    "duplicate": _Kind(f"event_id, NULL AS order_id, origin_crc, origin_bytes, '' AS reason, {_NONE}", "duplicates"),
}


def in_lake(reader: LakeReader, span: Span) -> Iterator[Held]:
    """By the views that readers use, which give each identity once: the lake's tables hold rows as they came, and
    promise no more. Raises Outage, ObjectsMissing, ConfigError."""
    days = (span.since.date() - dt.timedelta(days=1), span.until.date() + dt.timedelta(days=1))
    for kind, (columns, table, more) in _KINDS.items():
        seen_as = "orders_once" if kind == "order" else table
        for row in reader.query(f"SELECT {columns} FROM {seen_as}{_ARRIVED}{more}", [*span], days=days):
            yield _held("lake", kind, row)


def in_warehouse(session: Session, span: Span) -> Iterator[Held]:
    """In steps from the first arrival in the span to the last one. Raises Outage, Refused, ConfigError."""
    for kind, (columns, table, more) in _KINDS.items():
        (ends,) = session.query(
            "ends", f"SELECT MIN(arrived_at) AS oldest, MAX(arrived_at) AS newest FROM {table}{_ARRIVED}{more}", [*span]
        )
        since, last = ends["oldest"], ends["newest"]
        while last is not None and since <= last:
            until = min(since + _STEP, span.until)
            for row in session.query("held", f"SELECT {columns} FROM {table}{_ARRIVED}{more}", [since, until]):
                yield _held("warehouse", kind, row)
            since = until
    session.rollback()


def in_opensearch(client: OpenSearch, span: Span) -> Iterator[Held]:
    """As they are found by a search after a refresh. Raises OpenSearchException."""
    arrived = {"range": {"arrived_at": {"gte": span.since.isoformat(), "lt": span.until.isoformat()}}}
    closed = [{"exists": {"field": "mended_at"}}, {"term": {"event_type": "access"}}]
    open_letters = {"bool": {"filter": [arrived], "must_not": closed}}
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
                "total": source.get("total"),
                "revenue": source.get("revenue"),
            }
            yield _held("opensearch", kind, flat)


def _scrolled(client: OpenSearch, index: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    body = {
        "query": query,
        "size": PAGE,
        "sort": ["_doc"],
        "_source": [
            *("event_id", "letter_id", "order_id", "reason", "total", "revenue"),
            *("origin.crc", "origin.bytes"),
        ],
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
    return Held(store, kind, row["event_id"], row["order_id"], line, row["reason"], row["total"], row["revenue"])


Holdings = Sequence[tuple[str, Callable[[], Iterator[Held]]]]  # by store, read when called
