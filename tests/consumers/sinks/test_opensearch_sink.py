"""The sink against scripted answers: what a real store says rarely, and must be understood the first time."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opensearchpy.exceptions import (
    AuthorizationException,
    ConnectionError,
    ConnectionTimeout,
    RequestError,
    SerializationError,
    TransportError,
)

from consumers.delivery import Backpressure, Row
from consumers.sinks.opensearch import bulk
from consumers.sinks.opensearch.sink import OpenSearchSink

pytestmark = pytest.mark.unit

Answer = Any


class _Script:
    """An OpenSearch client that answers each bulk request with the next line of a script."""

    def __init__(self, *answers: Answer | Exception | Callable[[list[str]], Answer], stored: Answer = None) -> None:
        self.answers = list(answers)
        self.stored = stored
        self.asked: list[list[str]] = []  # the ids of each bulk request

    def bulk(self, *, body: bytes, filter_path: str) -> Answer:
        actions = body.splitlines()[::2]
        ids = [msgspec.json.decode(action)["create"]["_id"] for action in actions]
        self.asked.append(ids)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(ids) if callable(answer) else answer

    def mget(self, *, body: bytes, params: dict[str, str]) -> Answer:
        return self.stored


def all_created(ids: list[str]) -> Answer:
    return statuses(*[201] * len(ids))


def statuses(*codes: int, error: str = "some_exception") -> Answer:
    return {"items": [{"create": {"status": c, **({} if c < 300 else {"error": {"type": error}})}} for c in codes]}


def row(row_id: str, *, document: bytes = b'{"arrived_at":"2026-11-27T08:00:01Z"}') -> Row:
    return Row(index="orders-2026.11.27", row_id=row_id, document=document, origin=("f", 1), content_hash="h")


def sink_on(script: _Script, heard: list[int] | None = None) -> OpenSearchSink:
    return OpenSearchSink(script, random.Random(7), ([] if heard is None else heard).append)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionError("N/A", "refused", OSError()),
        ConnectionTimeout("TIMEOUT", "slow", OSError()),
        TransportError(429, "circuit_breaking_exception", {}),
        TransportError(503, "no_master", {}),
        TransportError(502, "<html>secret</html>", {}),
        AuthorizationException(403, "security_exception", {}),
        RequestError(400, "validation_exception", {}),  # no room for another index
        SerializationError("<html>"),
        statuses(201, 429),
        statuses(201, 503),
        statuses(201, 403, error="cluster_block_exception"),
        statuses(201, 404, error="index_not_found_exception"),
        statuses(201, 400, error="validation_exception"),
        statuses(201),
        statuses(201, 201, 201),
        {"items": [{"create": {"status": 201}}, {"index": {"status": 201}}]},
        {"items": [{"create": {"status": "201"}}, {"create": {"status": 201}}]},
        {"took": 3},
        "",
        None,
    ],
)
def test_all_that_is_not_a_rows_fault_asks_to_wait(trouble: Answer) -> None:
    sink = sink_on(_Script(trouble, all_created))
    with pytest.raises(Backpressure) as raised:
        sink.write([row("a"), row("b")])
    assert "secret" not in str(raised.value)
    assert not sink.write([row("a"), row("b")])


def test_waits_grow_with_trouble_in_a_row_and_start_anew_after_it() -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    script = _Script(*[TransportError(503, "busy", {})] * 3, all_created, TransportError(503, "busy", {}))
    sink = OpenSearchSink(script, Highest(), lambda count: None)  # type: ignore[arg-type]
    waits = []
    for _ in range(5):
        try:
            sink.write([row("a")])
        except Backpressure as pressure:
            waits.append(pressure.wait_s)
    assert waits == [0.05, 0.1, 0.2, 0.05]


def test_only_the_poison_of_a_batch_comes_back() -> None:
    script = _Script(statuses(201, 400, 201, error="mapper_parsing_exception"))
    (refused,) = sink_on(script).write([row("a"), row("b"), row("c")])
    assert (refused.row.row_id, refused.detail) == ("b", "mapper_parsing_exception")


def test_a_request_refused_as_a_whole_is_halved_until_the_poison_is_alone() -> None:
    def fails_with_c(ids: list[str]) -> Answer:
        if "c" in ids:
            raise RequestError(400, "illegal_argument_exception", {})
        return all_created(ids)

    script = _Script(*[fails_with_c] * 5)
    (refused,) = sink_on(script).write([row(name) for name in "abcd"])
    assert (refused.row.row_id, refused.detail) == ("c", "illegal_argument_exception")
    assert script.asked == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]


def test_no_rows_are_no_request() -> None:
    assert not sink_on(_Script()).write([])


def test_duplicates_are_heard_of_once() -> None:
    heard: list[int] = []
    other = {"docs": [{"found": True, "_source": {"origin": {"file": "f", "offset": 0}, "content_hash": "h"}}]}
    script = _Script(statuses(409), statuses(201), statuses(409), statuses(409), stored=other)
    sink = sink_on(script, heard)
    for _ in range(2):
        assert not sink.write([row("a")])
    assert sum(heard) == 1
    assert script.asked == [["a"], ["f:1"], ["a"], ["f:1"]]


@pytest.mark.parametrize("stored", [{}, {"docs": []}, {"docs": [{"found": False}]}, {"docs": [{}]}, "", None])
def test_a_known_document_that_is_not_found_again_asks_to_wait(stored: Answer) -> None:
    with pytest.raises(Backpressure):
        sink_on(_Script(statuses(409), stored=stored)).write([row("a")])


def test_duplicates_that_the_store_refuses_hold_the_batch_back() -> None:
    other = {"docs": [{"found": True}]}
    with pytest.raises(Backpressure, match="templates"):
        sink_on(_Script(statuses(409), statuses(400), stored=other)).write([row("a")])


@given(st.lists(st.integers(1, 400), max_size=30), st.integers(100, 1000))
def test_chunks_hold_every_row_once_in_order_and_within_the_limit(sizes: list[int], limit: int) -> None:
    rows = [row(str(n), document=b"x" * size) for n, size in enumerate(sizes)]
    runs = list(bulk.chunks(rows, limit))
    assert [each for run, _ in runs for each in run] == rows
    for run, entries in runs:
        assert len(run) == len(entries) >= 1
        assert sum(map(len, entries)) <= limit or len(run) == 1


@given(st.text(min_size=1, max_size=20))
def test_an_entry_is_two_lines_whatever_the_id(row_id: str) -> None:
    action, document, end = bulk.entry(row(row_id, document=b"{}")).split(b"\n")
    assert msgspec.json.decode(action) == {"create": {"_index": "orders-2026.11.27", "_id": row_id}}
    assert (document, end) == (b"{}", b"")
