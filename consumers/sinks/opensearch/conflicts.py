"""OpenSearch's part in settling conflicts. See `consumers.keeper.conflicts`.

A document is replaced by number, so that a change that somebody else made meanwhile is noticed. Every line stays
somewhere at every moment: its duplicate is written before its order goes, and removed after its order is there.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.json import Encoder
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConflictError, NotFoundError

from consumers.keeper.conflicts import Conflict, Found, Line, Row, line_of
from consumers.sinks.opensearch.trouble import naming_outages
from consumers.spans.columns import order_of
from consumers.stages.documents import event_document, indices_of
from contract.rows import DuplicateRow, Origin
from runtime.clock import Clock
from runtime.effects import Effect, no_effect

_DUPLICATES = "duplicates"
# A stream holds a record so long: what live has not read by then it never will.
_COMES = dt.timedelta(days=7)

_encode = Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One document of an event, as it is stored."""

    index: str
    line: Line
    sequence: int
    term: int


class OpenSearchConflicts:
    """See `Corrected`. `client` does not retry by itself."""

    name = "opensearch"

    def __init__(self, client: OpenSearch, clock: Clock, effect: Effect = no_effect) -> None:
        self._client = client
        self._clock = clock
        self._effect = effect

    def look(self, conflicts: Sequence[Conflict]) -> Found:
        shown, marks = self._shown(conflicts), self._marks(conflicts)
        wrong, waiting = [], 0
        for conflict, documents in zip(conflicts, shown, strict=True):
            lines = {document.line for document in documents}
            if not lines:
                newest = max(row["arrived_at"] for row in conflict.lines)
                waiting += self._clock.now() - newest < _COMES
            elif not lines <= conflict.by_line().keys():
                waiting += 1
            elif lines != {line_of(conflict.first)} or len(documents) > 1 or not _are_right(conflict, marks):
                wrong.append(conflict)
        return Found(wrong=wrong, waiting=waiting)

    def correct(self, conflicts: Sequence[Conflict], check: Callable[[], None]) -> int:
        shown = self._shown(conflicts)
        return sum(
            self._correct(conflict, documents, check) for conflict, documents in zip(conflicts, shown, strict=True)
        )

    def _correct(self, conflict: Conflict, documents: Sequence[_Shown], check: Callable[[], None]) -> bool:
        """Whether it is settled."""
        first, by_line = line_of(conflict.first), conflict.by_line()
        if not documents or any(document.line not in by_line for document in documents):
            return False  # changed since it was looked at: the next turn finds it
        kept = next((each for each in documents if each.line == first), documents[0])
        for document in documents:
            if document.line != first:
                self._mark(conflict, by_line[document.line], check)
        for later in conflict.lines[1:]:
            self._mark_anew(conflict, later, check)
        with naming_outages():
            try:
                if kept.line != first:
                    check()
                    self._effect("replace the document")
                    new = event_document(order_of(conflict.first, conflict.order_lines), kept.index)
                    self._client.index(index=new.index, id=new.row_id, body=new.document, params=_only_if(kept))
                for document in documents:
                    if document is not kept:
                        check()
                        self._effect("delete the other document")
                        self._client.delete(index=document.index, id=conflict.event_id, params=_only_if(document))
            except (ConflictError, NotFoundError):
                return False  # likewise
        self._unmark(conflict.first, check)
        return True

    def _mark(self, conflict: Conflict, row: Row, check: Callable[[], None]) -> None:
        """A duplicate's document, unless it is there. A foreign producer's record has no line and leaves none."""
        name = _mark_of(row)
        if name is None:
            return
        check()
        self._effect("mark a later line")
        with naming_outages():
            try:
                self._client.create(index=_DUPLICATES, id=name, body=_duplicate(conflict, row))
            except ConflictError:
                return

    def _mark_anew(self, conflict: Conflict, row: Row, check: Callable[[], None]) -> None:
        """What a duplicate that is there says of its content."""
        name = _mark_of(row)
        if name is None:
            return
        check()
        self._effect("say whether a later line conflicts")
        with naming_outages():
            try:
                self._client.update(index=_DUPLICATES, id=name, body={"doc": {"conflict": _conflicts(conflict, row)}})
            except NotFoundError:
                return  # live has not come to it yet

    def _unmark(self, row: Row, check: Callable[[], None]) -> None:
        name = _mark_of(row)
        if name is None:
            return
        check()
        self._effect("unmark the first line")
        with naming_outages():
            try:
                self._client.delete(index=_DUPLICATES, id=name)
            except NotFoundError:
                return

    def _shown(self, conflicts: Sequence[Conflict]) -> list[list[_Shown]]:
        places = [indices_of(order_of(conflict.first, ())) for conflict in conflicts]
        found = self._get(
            [
                {"_index": index, "_id": conflict.event_id}
                for conflict, indices in zip(conflicts, places, strict=True)
                for index in indices
            ]
        )
        pairs = [found[place : place + 2] for place in range(0, len(found), 2)]
        return [[_read(document) for document in pair if document.get("found")] for pair in pairs]

    def _marks(self, conflicts: Sequence[Conflict]) -> dict[str, bool]:
        """Of each line that has a duplicate's document, whether it says that the content is another."""
        names = [name for conflict in conflicts for row in conflict.lines if (name := _mark_of(row))]
        found = self._get([{"_index": _DUPLICATES, "_id": name} for name in names])
        return {document["_id"]: document["_source"]["conflict"] for document in found if document.get("found")}

    def _get(self, documents: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        if not documents:
            return []
        with naming_outages():
            answer = self._client.mget(
                body={"docs": documents}, params={"_source_includes": "origin,arrived_at,conflict"}
            )
        found: list[dict[str, Any]] = answer["docs"]
        return found


def _are_right(conflict: Conflict, marks: Mapping[str, bool]) -> bool:
    """The first line has no mark; of the others those that are there are true."""
    wanted = {name: _conflicts(conflict, row) for row in conflict.lines[1:] if (name := _mark_of(row))}
    return _mark_of(conflict.first) not in marks and all(
        marks[name] == is_other for name, is_other in wanted.items() if name in marks
    )


def _read(document: Mapping[str, Any]) -> _Shown:
    source = document["_source"]
    origin = source.get("origin") or {}
    row = {
        "origin_file": origin.get("file"),
        "origin_offset": origin.get("offset"),
        "arrived_at": dt.datetime.fromisoformat(source["arrived_at"]),
    }
    return _Shown(
        index=document["_index"], line=line_of(row), sequence=document["_seq_no"], term=document["_primary_term"]
    )


def _only_if(document: _Shown) -> dict[str, int]:
    return {"if_seq_no": document.sequence, "if_primary_term": document.term}


def _mark_of(row: Row) -> str | None:
    return None if row["origin_file"] is None else f"{row['origin_file']}:{row['origin_offset']}"


def _conflicts(conflict: Conflict, row: Row) -> bool:
    return bool(row["content_hash"] != conflict.first["content_hash"])


def _duplicate(conflict: Conflict, row: Row) -> bytes:
    return _encode(
        DuplicateRow(
            event_id=conflict.event_id,
            conflict=_conflicts(conflict, row),
            arrived_at=row["arrived_at"],
            origin=Origin(**{name: row[f"origin_{name}"] for name in Origin.__struct_fields__}),
        )
    )
