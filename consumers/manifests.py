"""The contract between cold and the keeper: what a manifest says, and where things lie in the buckets.

A span's objects count for nothing until its manifest is put, with `If-None-Match: *`, under the last sequence of the
span before it. So a shard's manifests form one chain, whoever writes them; the chain is cold's checkpoint.
"""

import datetime as dt

import msgspec

from contract.tables import VERSION

START = 0  # the `previous` of a shard's first manifest: no record has so low a number
_DIGITS = 64  # Kinesis numbers have up to 56; padded, names sort as the chain runs


class DataFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet object of rows, in the lake's bucket."""

    table: str  # a name of contract.tables.SPANNED
    day: dt.date  # of all its rows
    key: str
    bytes: int
    rows: int
    sha256: str


class FileStretch(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of one spool file among the raw records of an object: where to look for a line."""

    file_id: str
    first: int  # lowest offset
    end: int  # offset after the last line
    lines: int  # a line delivered twice counts twice


class RawFile(msgspec.Struct, frozen=True, kw_only=True):
    """One object of original records in the restricted bucket: NDJSON, zstd. See `consumers.spans.raw`."""

    key: str
    bytes: int
    records: int
    sha256: str
    files: list[FileStretch] = []


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One span of one shard. `previous` < every sequence of it <= `last`."""

    version: int = VERSION
    span_id: str  # random: tells mine from another worker's
    application: str
    stream: str
    shard_id: str
    previous: int
    last: int
    records: int
    first_arrived_at: dt.datetime  # at the stream, aware UTC
    last_arrived_at: dt.datetime
    data: list[DataFile]
    raw: list[RawFile]  # every record of the span
    letters: list[RawFile]  # the refused ones again, with their reasons: what is mended and sent again
    reference: dict[str, str] = {}  # versions of what it was judged by
    written_at: dt.datetime
    worker: str

    def rows(self, table: str) -> int:
        """Rows of `table` in all its objects."""
        return sum(file.rows for file in self.data if file.table == table)


def padded(sequence: int) -> str:
    """A sequence number as text that sorts like the number."""
    return f"{sequence:0{_DIGITS}d}"


def chain_prefix(application: str, shard_id: str) -> str:
    """Where a shard's manifests lie, in the lake's bucket."""
    return f"manifests/{application}/{shard_id}/"


def manifest_key(application: str, shard_id: str, previous: int) -> str:
    """The one place of the manifest that follows `previous`."""
    return f"{chain_prefix(application, shard_id)}{padded(previous)}.json"


def data_folder(table: str) -> str:
    """Where all Parquet objects of `table` lie, in the lake's bucket: in a folder a day."""
    return f"data/{table}"


def data_prefix(application: str, shard_id: str) -> str:
    """How the names of a shard's Parquet objects begin, in the folder of their day."""
    return f"{application}-{shard_id}-"


def data_key(application: str, table: str, day: dt.date, shard_id: str, span_id: str) -> str:
    """A Parquet object of rows, in the lake's bucket. The day is in the path for people; readers ask the table."""
    return f"{data_folder(table)}/day={day:%Y-%m-%d}/{data_prefix(application, shard_id)}{span_id}.parquet"


def restricted_key(application: str, what: str, arrived_on: dt.date, shard_id: str, span_id: str) -> str:
    """An object of originals, in the restricted bucket. `what` is `raw` or `letters`; by day, for the lifecycle."""
    return f"{what}/{application}/{arrived_on:%Y-%m-%d}/{shard_id}-{span_id}.ndjson.zst"
