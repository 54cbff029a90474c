"""`_bulk` and `_mget` as bytes: requests built from rows without parsing them, answers read entry by entry."""

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.json import Encoder

from consumers.delivery import Mended, Row
from contract.rows import DuplicateRow, Origin

# 5 to 8 MB a bulk request is the range that OpenSearch advises; small instances on AWS refuse 10 MiB.
CHUNK_BYTES = 5 * 2**20

# `error.type` is that of a request refused as a whole.
BULK_ANSWER = "items.*.status,items.*.error.type,error.type"
STORED_ANSWER = "docs.found,docs._source,error.type"
STORED_FIELDS = "origin.file,origin.offset,content_hash"

_encode = Encoder().encode


class StoreError(msgspec.Struct, frozen=True):
    """What the store says of an entry that it did not take."""

    type: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """The answer to one entry."""

    status: int
    error: StoreError = StoreError()


class _Item(msgspec.Struct, frozen=True):
    create: Outcome | None = None
    update: Outcome | None = None


class _BulkAnswer(msgspec.Struct, frozen=True):
    items: list[_Item]


class StoredOrigin(msgspec.Struct, frozen=True):
    """Where a stored row's line came from."""

    file: str
    offset: int


class Stored(msgspec.Struct, frozen=True):
    """What tells a stored row from another with its identity."""

    origin: StoredOrigin | None = None
    content_hash: str = ""


class _StoredItem(msgspec.Struct, frozen=True):
    found: bool = False
    source: Stored = msgspec.field(default=Stored(), name="_source")


class _StoredAnswer(msgspec.Struct, frozen=True):
    docs: list[_StoredItem]


class _Arrived(msgspec.Struct, frozen=True):
    """The part of any document that a duplicate repeats."""

    arrived_at: dt.datetime
    origin: Origin | None = None


_arrived = msgspec.json.Decoder(_Arrived)


def entry(row: Row) -> bytes:
    """Two lines of NDJSON: create `row` unless its id exists."""
    return b'{"create":{"_index":%b,"_id":%b}}\n%b\n' % (_encode(row.index), _encode(row.row_id), row.document)


def mending(row: Row, mended: Mended) -> bytes:
    """Two lines of NDJSON: mark the letter that `row` was; where it is not there yet, the mark is there before it."""
    where = b'{"update":{"_index":%b,"_id":%b,"retry_on_conflict":3}}' % (_encode(mended.index), _encode(row.row_id))
    return b'%b\n{"doc":%b,"upsert":%b}\n' % (where, mended.mark, mended.document)


def chunks(rows: Sequence[Row], limit: int = CHUNK_BYTES) -> Iterator[tuple[list[Row], list[bytes]]]:
    """Rows and their entries in runs of at most `limit` bytes, in order; a larger row makes a run of its own."""
    run: list[Row] = []
    entries: list[bytes] = []
    size = 0
    for row in rows:
        following = entry(row)
        if run and size + len(following) > limit:
            yield run, entries
            run, entries, size = [], [], 0
        run.append(row)
        entries.append(following)
        size += len(following)
    if run:
        yield run, entries


def outcomes(answer: object, count: int) -> list[Outcome]:
    """The answer to each of `count` entries. Raises ValueError for an answer that does not cover them all."""
    items = msgspec.convert(answer, _BulkAnswer).items
    if len(items) != count:
        raise ValueError(f"{len(items)} answers to {count} entries")
    found = [item.create or item.update for item in items]
    if None in found:
        raise ValueError("an answer to neither create nor update")
    return [outcome for outcome in found if outcome is not None]


def stored_request(rows: Sequence[Row]) -> bytes:
    """The body that asks for the stored documents with the identities of `rows`."""
    return _encode({"docs": [{"_index": row.index, "_id": row.row_id} for row in rows]})


def stored(answer: object, count: int) -> list[Stored]:
    """What is stored, for each of `count` rows. Raises ValueError where the answer lacks one."""
    items = msgspec.convert(answer, _StoredAnswer).docs
    if len(items) != count or not all(item.found for item in items):
        raise ValueError(f"{sum(item.found for item in items)} of {count} known documents found")
    return [item.source for item in items]


def duplicate_of(row: Row, first: Stored) -> Row | None:
    """The row of a second line with the identity of `first`; None if `row` is the same line delivered again.

    A foreign producer's record has no line to tell a retry from a second event: it leaves none either.
    """
    if row.origin is None or (first.origin and (first.origin.file, first.origin.offset) == row.origin):
        return None
    seen = _arrived.decode(row.document)
    duplicate = DuplicateRow(
        event_id=row.row_id,
        conflict=row.content_hash != first.content_hash,
        arrived_at=seen.arrived_at,
        origin=seen.origin,
    )
    file, offset = row.origin
    return Row(index="duplicates", row_id=f"{file}:{offset}", document=_encode(duplicate), origin=row.origin)
