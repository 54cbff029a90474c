"""An open span: what was accepted of one shard and is not yet in the lake, as compact as it will lie there."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from consumers.delivery import Position, Record, Shard
from consumers.manifests import DataFile, Manifest, RawFile, data_key, restricted_key
from consumers.spans.columns import Place, batches_of, place_of
from consumers.spans.parquet import ParquetPart
from consumers.spans.raw import RawWriter
from consumers.spans.stretches import Stretches
from consumers.stages.judge import Judged, Verdict
from contract.rows import LetterRow, OrderRow
from contract.tables import HITS, LETTERS, ORDERS

_ROWS_TOGETHER = 2_048  # to columns at once: fewer cost more each, more cost memory
_BYTES_TOGETHER = 2 << 20  # of their records
_ROW_WEIGHT = 6  # bytes of memory of a row, to one byte of its record
_PART_WEIGHT = 20 << 10  # bytes of memory of a Parquet object with a few rows, whose columns each have buffers


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A closed span: objects to put, and the manifest that makes them count. Small: compressed, and nothing else."""

    manifest: Manifest
    end: Position  # of the last record
    lake: dict[str, bytes]  # objects by key
    restricted: dict[str, bytes]  # the letters, then the raw records

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(map(len, (*self.lake.values(), *self.restricted.values())))

    @property
    def raw(self) -> bytes:
        """The object of all its records."""
        return self.restricted[self.manifest.raw[0].key]


class Author(NamedTuple):
    """Whose spans these are."""

    application: str
    worker: str


class Span:
    """Records after `previous`, judged. It may end after any `add`: whole records of the stream are added together."""

    def __init__(self, shard: Shard, previous: int, *, span_id: str) -> None:
        self._shard = shard
        self._previous = previous
        self._span_id = span_id
        self._rows: list[Verdict] = []  # not yet columns
        self._row_bytes = 0  # of their records
        self._parts: dict[tuple[str, dt.date], ParquetPart] = {}  # by table and day
        self._raw, self._letters = RawWriter(), RawWriter()
        self._lines, self._refused = Stretches(), Stretches()  # of spool files, in each of the two
        self._end = Position(previous)
        self._arrived: tuple[dt.datetime, dt.datetime] | None = None  # first, last
        self._places: set[Place] = set()
        self.parts = 0  # Parquet objects that it makes, those of rows that are not yet columns too
        self.taken_bytes = 0  # of records, as the stream delivered them

    @property
    def records(self) -> int:
        """How many were added."""
        return self._raw.records

    @property
    def nbytes(self) -> int:
        """Bytes in memory, about."""
        parts = sum(part.nbytes for part in self._parts.values()) + _PART_WEIGHT * self.parts
        return parts + self._raw.nbytes + self._letters.nbytes + _ROW_WEIGHT * self._row_bytes

    def add(self, records: Sequence[Record], judged: Sequence[Judged]) -> None:
        """Take records with their verdicts, oldest first, none of them before the last one added; at least one."""
        rows = [each.row for each in judged]
        refused = [type(row) is LetterRow for row in rows]
        size = self._raw.add(records, refused)
        if any(refused):
            for record, row in zip(records, rows, strict=True):
                if isinstance(row, LetterRow):
                    self._letters.add_letter(record, row)
        arrivals = [record.arrived_at for record in records]
        first, last = self._arrived or (arrivals[0], arrivals[0])
        self._arrived = min(first, min(arrivals)), max(last, max(arrivals))
        self._end = records[-1].position
        for kind, day in set(map(place_of, rows)) - self._places:
            self._places.add((kind, day))
            self.parts += 2 if kind is OrderRow else 1  # an order's lines have an object of their own
        self._rows += rows
        self._row_bytes += size
        self.taken_bytes += size
        if len(self._rows) >= _ROWS_TOGETHER or self._row_bytes >= _BYTES_TOGETHER:
            self._to_columns()

    @property
    def arrived(self) -> tuple[dt.datetime, dt.datetime]:
        """When its first and its last record arrived; at least one was added."""
        assert self._arrived, "an empty span"
        return self._arrived

    def seal(self, author: Author, written_at: dt.datetime, reference: Mapping[str, str]) -> Sealed:
        """Close it. Nothing can be added afterwards. `reference`: versions of what it was judged by."""
        first, last = self.arrived
        self._to_columns()
        lake, data = self._data(author.application)
        restricted: dict[str, bytes] = {}
        letters = self._originals("letters", author, self._letters, self._refused, restricted)
        raw = self._originals("raw", author, self._raw, self._lines, restricted)
        manifest = Manifest(
            span_id=self._span_id,
            application=author.application,
            stream=self._shard.stream,
            shard_id=self._shard.shard_id,
            previous=self._previous,
            last=self._end.sequence,
            records=self.records,
            first_arrived_at=first,
            last_arrived_at=last,
            data=data,
            raw=raw,
            letters=letters,
            reference=dict(reference),
            written_at=written_at,
            worker=author.worker,
        )
        return Sealed(manifest=manifest, end=self._end, lake=lake, restricted=restricted)

    def _to_columns(self) -> None:
        for table, day, batch in batches_of(self._rows):
            place = table.name, day
            part = self._parts.get(place) or self._parts.setdefault(place, ParquetPart(table))
            part.add(batch)
            if table in (ORDERS, HITS, LETTERS):
                self._lines.add(batch)
            if table is LETTERS:
                self._refused.add(batch)
        self._rows, self._row_bytes = [], 0

    def _data(self, application: str) -> tuple[dict[str, bytes], list[DataFile]]:
        objects, files = {}, []
        for table, day in list(self._parts):
            part = self._parts.pop((table, day))  # its buffers go when it is finished: they are most of it
            key = data_key(application, table, day, self._shard.shard_id, self._span_id)
            body = objects[key] = part.finish()
            files.append(DataFile(table=table, day=day, key=key, bytes=len(body), rows=part.rows, sha256=_sha256(body)))
        return objects, files

    def _originals(
        self, what: str, author: Author, writer: RawWriter, lines: Stretches, objects: dict[str, bytes]
    ) -> list[RawFile]:
        if not writer.records:
            return []
        assert self._arrived
        arrived_on = self._arrived[0].date()
        key = restricted_key(author.application, what, arrived_on, self._shard.shard_id, self._span_id)
        body = objects[key] = writer.finish()
        return [RawFile(key=key, bytes=len(body), records=writer.records, sha256=_sha256(body), files=lines.all())]


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
