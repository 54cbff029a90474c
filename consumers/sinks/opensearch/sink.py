"""The sink of live: rows to OpenSearch, once each."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException, TransportError

from consumers.delivery import Backpressure, Refused, Row
from consumers.sinks.opensearch import bulk, trouble
from contract.reasons import Reason
from runtime.backoff import full_jitter

_UPDATED = 200
_CREATED = 201
_EXISTS = 409
# A document is to blame for these two alone; 401, 403, 404, 429 and 5xx are about the store.
_POISON = frozenset({400, 413})
# 400s that are about the store: no room for another index, an index closed, writes blocked.
_STORE_TROUBLE = frozenset({"validation_exception", "index_closed_exception", "cluster_block_exception"})


T = TypeVar("T")


class _RequestRefused(Exception):
    """The store refused a request as a whole: one of its rows may be to blame."""


class OpenSearchSink:
    """Creates documents by identity. One caller at a time; `client` may be shared, with its own retries off."""

    def __init__(self, client: OpenSearch, rng: random.Random, on_duplicates: Callable[[int], None]) -> None:
        """`on_duplicates` hears how many second lines of known events each write has recorded."""
        self._client = client
        self._rng = rng
        self._on_duplicates = on_duplicates
        self._failures = 0

    def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
        """Durable on return: the store has fsynced what it acknowledges.

        A row whose identity is stored already changes nothing if it is the same line again, and leaves a row in
        `duplicates` if it is another line. Raises Backpressure, with full jitter, for all that is not a row's fault.
        """
        refused: list[Refused] = []
        for run, entries in bulk.chunks(rows):
            refused += self._write(run, entries)
        self._failures = 0
        return refused

    def _write(self, rows: Sequence[Row], entries: Sequence[bytes]) -> list[Refused]:
        answers = self._create(rows, entries)
        known = [row for row, answer in zip(rows, answers, strict=True) if answer.status == _EXISTS]
        stored = [row for row, answer in zip(rows, answers, strict=True) if answer.status not in _POISON]
        try:
            self._record_duplicates(known)
            self._mark_letters(stored)
        except _RequestRefused as error:
            raise self._backpressure(f"OpenSearch refuses {error}: are its templates up to date?") from error
        return [
            Refused(row=row, reason=Reason.REJECTED_BY_STORE, detail=answer.error.type or "unnamed")
            for row, answer in zip(rows, answers, strict=True)
            if answer.status in _POISON
        ]

    def _record_duplicates(self, known: Sequence[Row]) -> None:
        if not known:
            return
        answer = self._ask(
            lambda: self._client.mget(
                body=bulk.stored_request(known),
                params={"_source_includes": bulk.STORED_FIELDS, "filter_path": bulk.STORED_ANSWER},
            )
        )
        firsts = self._read(lambda: bulk.stored(answer, len(known)))
        pairs = zip(known, firsts, strict=True)
        second = [duplicate for row, first in pairs if (duplicate := bulk.duplicate_of(row, first))]
        answers = self._create(second, [bulk.entry(row) for row in second])
        if any(answer.status in _POISON for answer in answers):
            raise self._backpressure("OpenSearch refuses rows of `duplicates`: are its templates up to date?")
        self._on_duplicates(sum(answer.status == _CREATED for answer in answers))

    def _mark_letters(self, accepted: Sequence[Row]) -> None:
        """Of events that were sent again. After they are stored: a letter is not called mended before it is."""
        entries = [bulk.mending(row, row.mended) for row in accepted if row.mended]
        if not entries:
            return
        answer = self._ask(lambda: self._client.bulk(body=b"".join(entries), filter_path=bulk.BULK_ANSWER))
        for outcome in self._read(lambda: bulk.outcomes(answer, len(entries))):
            if outcome.status not in (_UPDATED, _CREATED):
                raise self._backpressure(f"OpenSearch answers {outcome.status} {outcome.error.type} to a letter's mark")

    def _create(self, rows: Sequence[Row], entries: Sequence[bytes]) -> list[bulk.Outcome]:
        """The final outcome of each row: created, exists or poison."""
        if not rows:
            return []
        try:
            answer = self._ask(lambda: self._client.bulk(body=b"".join(entries), filter_path=bulk.BULK_ANSWER))
        except _RequestRefused as error:
            if len(rows) == 1:
                return [bulk.Outcome(status=400, error=bulk.StoreError(type=str(error)))]
            half = len(rows) // 2
            return self._create(rows[:half], entries[:half]) + self._create(rows[half:], entries[half:])
        answers = self._read(lambda: bulk.outcomes(answer, len(rows)))
        for outcome in answers:
            if not _is_final(outcome):
                raise self._backpressure(f"OpenSearch answers {outcome.status} {outcome.error.type}")
        return answers

    def _ask(self, request: Callable[[], object]) -> object:
        try:
            return request()
        except TransportError as error:
            kind = trouble.kind_of(error)
            if error.status_code in _POISON and kind not in _STORE_TROUBLE:
                raise _RequestRefused(kind) from error
            raise self._backpressure(f"OpenSearch: {error.status_code} {kind}") from error
        except OpenSearchException as error:  # an answer that is no JSON
            raise self._backpressure(f"OpenSearch: {type(error).__name__}") from error

    def _read(self, parse: Callable[[], T]) -> T:
        try:
            return parse()
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise self._backpressure(f"OpenSearch's answer is malformed: {error}") from error

    def _backpressure(self, why: str) -> Backpressure:
        wait_s = full_jitter(self._failures, self._rng)
        self._failures += 1
        return Backpressure(wait_s, why)


def _is_final(outcome: bulk.Outcome) -> bool:
    if outcome.status in _POISON:
        return outcome.error.type not in _STORE_TROUBLE
    return outcome.status in (_CREATED, _EXISTS)
