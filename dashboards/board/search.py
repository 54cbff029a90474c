"""Asking OpenSearch: one multi-search request a question, typed answers, one error for all that may go wrong."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from opensearchpy import OpenSearch, RequestsHttpConnection
from opensearchpy.exceptions import OpenSearchException, TransportError

from dashboards.board.queries import Search


class Unanswered(Exception):
    """OpenSearch gave no usable answer: show the message, keep what is known, ask again."""


class OrderHit(msgspec.Struct, frozen=True, kw_only=True):
    """One document of `queries.last_orders`."""

    event_id: str
    event_time: datetime
    order_id: str
    kind: str
    revenue: int  # minor units, signed
    currency: str
    units: int  # signed
    region: str | None = None


class _Document(msgspec.Struct, frozen=True):
    source: OrderHit = msgspec.field(name="_source")


class Hits(msgspec.Struct, frozen=True):
    """The documents of a search that asked for some."""

    hits: list[_Document] = []


class _Shards(msgspec.Struct, frozen=True):
    total: int = 0
    failed: int = 0


class _Failure(msgspec.Struct, frozen=True):
    type: str = "unknown"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one search. No index at all is an answer without aggregations and hits."""

    status: int = 200
    error: _Failure | None = None
    timed_out: bool = False
    shards: _Shards = msgspec.field(name="_shards", default=_Shards())
    hits: Hits = Hits()
    aggregations: dict[str, Any] = {}

    @property
    def partial(self) -> bool:
        """Some shards did not answer: figures are too low."""
        return self.timed_out or self.shards.failed > 0


class Answers(msgspec.Struct, frozen=True):
    """The answer to one request, in the order of its searches."""

    responses: list[Answer] = []


class Searcher(Protocol):
    """Where the poller asks."""

    async def ask(self, searches: Sequence[Search]) -> list[Answer]:
        """One answer per search, in order. Raises Unanswered."""
        ...


# Only what the answers above hold: a third of the bytes.
_HELD = (
    *("status", "error.type", "timed_out", "_shards.total", "_shards.failed"),
    *("hits.hits._source", "aggregations"),
)
_FILTER = ",".join(f"responses.{path}" for path in _HELD)


class OpenSearchSearcher:
    """A cluster behind opensearch-py; one request is one thread, so that the page never waits for the store."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        # Each failed request would leave a traceback there; the poller says it once.
        logging.getLogger("opensearch").setLevel(logging.CRITICAL)
        self._client = OpenSearch(
            url, connection_class=RequestsHttpConnection, timeout=timeout_s, max_retries=0, retry_on_timeout=False
        )

    async def ask(self, searches: Sequence[Search]) -> list[Answer]:
        encoder = msgspec.json.Encoder()
        body = encoder.encode_lines([part for search in searches for part in (search.header, search.body)])
        return await asyncio.to_thread(self._ask, body, len(searches))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask(self, body: bytes, expected: int) -> list[Answer]:
        try:
            raw = self._client.msearch(body=body, params={"filter_path": _FILTER})
        except TransportError as error:
            raise Unanswered(_why(error)) from error
        except OpenSearchException as error:
            raise Unanswered(f"OpenSearch's answer is not readable ({type(error).__name__})") from error
        return typed(raw, expected)


def typed(raw: Any, expected: int) -> list[Answer]:
    """`raw` as answers. Raises Unanswered for another shape, a missing answer, and a search that failed."""
    try:
        answers = msgspec.convert(raw, Answers).responses
    except msgspec.ValidationError as error:
        raise Unanswered(f"OpenSearch's answer has an unexpected shape ({error})") from error
    if len(answers) != expected:
        raise Unanswered(f"OpenSearch answered {len(answers)} of {expected} searches")
    for answer in answers:
        if answer.error is not None or answer.status >= 400:
            kind = answer.error.type if answer.error else "unknown"
            raise Unanswered(f"OpenSearch could not search (status {answer.status}, {kind})")
    return answers


def _why(error: TransportError) -> str:
    if isinstance(error.status_code, int):
        return f"OpenSearch could not search (status {error.status_code})"
    if error.status_code == "TIMEOUT":
        return "OpenSearch did not answer in time"
    return "OpenSearch cannot be reached"
