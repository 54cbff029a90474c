"""The append log of one shard: each line is a record exactly as GetRecords answers it.

    {"SequenceNumber":"49...","ApproximateArrivalTimestamp":1700000000.123,"PartitionKey":"k","Data":"aGk="},\\n

A run of lines without its last two bytes is therefore the inside of a JSON array: a read is a slice of the file, and
no index is kept, whatever the shard holds. The first two fields have fixed places and never decrease, so a place is
found by bisecting the file. JSON escapes line ends, so the only line ends are the records' own.

An append is one write(2) and no fsync: acknowledged records survive kill -9 of the server, not a power cut.
"""

import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from infra.local.kinesis.errors import StartError
from infra.local.kinesis.sequence import DIGITS

SEPARATOR = b",\n"
_CHUNK = 1 << 16
_SEQUENCE_AT = len('{"SequenceNumber":"')
_ARRIVAL_AT = _SEQUENCE_AT + DIGITS + len('","ApproximateArrivalTimestamp":')
_HEADER = _ARRIVAL_AT + len("1700000000.123")
FRAME = _HEADER + len(',"PartitionKey":"","Data":""},\n')  # bytes of a line beside its key and data


class Header(NamedTuple):
    """The ordered part of a record."""

    sequence: str
    arrived_ms: int


class Page(NamedTuple):
    """A run of whole lines: the file's bytes `start` to `end`."""

    start: int
    end: int
    records: int


def arrival(now_ms: int) -> bytes:
    """A time as the log writes it: seconds with three decimals, always 14 bytes until the year 2286."""
    return b"%d.%03d" % divmod(now_ms, 1000)


class ShardLog:
    """One shard's records on disk, oldest first. `size` is the end of the last whole record, in bytes."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and cut off a torn last line. Raises StartError if it is no log."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # A page of a deleted stream may still be on its way to a client: the file closes with its last user.
        weakref.finalize(self, os.close, self._fd)
        written = os.fstat(self._fd).st_size
        self.size = self._line_start(written, 0)
        if self.size < written:
            os.ftruncate(self._fd, self.size)
        try:
            self.last = self.header(self._line_start(self.size - 1, 0)) if self.size else None
        except ValueError:
            raise StartError(f"{path}: damaged, its last line is no record; move the stream's folder away") from None

    def append(self, lines: bytes) -> None:
        """Add whole lines. Raises OSError with the log as it was (no space left, file too large)."""
        view, at = memoryview(lines), self.size
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size = at

    def cut(self, size: int) -> None:
        """Take back what was appended after `size`, the end of an earlier record."""
        os.ftruncate(self._fd, size)
        self.size = size

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the file; fewer than `length` only at its end."""
        return os.pread(self._fd, length, start)

    def header(self, offset: int) -> Header:
        """The header of the record that starts at `offset`. Raises ValueError if none does."""
        raw = os.pread(self._fd, _HEADER, offset).decode("ascii")
        if len(raw) < _HEADER or not raw.startswith('{"SequenceNumber":"49'):
            raise ValueError(f"no record at {offset}")
        seconds, milliseconds = raw[_ARRIVAL_AT:].split(".")
        return Header(raw[_SEQUENCE_AT : _SEQUENCE_AT + DIGITS], int(seconds) * 1000 + int(milliseconds))

    def before(self, offset: int) -> Header:
        """The header of the record that ends at `offset`."""
        return self.header(self._line_start(offset - 1, 0))

    def page(self, start: int, max_records: int, max_bytes: int) -> Page:
        """The whole lines from `start` (a record's start) that fit both limits."""
        stop, at, end, records = min(self.size, start + max_bytes), start, start, 0
        while at < stop:
            chunk = os.pread(self._fd, min(_CHUNK, stop - at), at)
            lines = chunk.count(b"\n")
            if records + lines >= max_records:
                return Page(start, at + _after_line(chunk, max_records - records), max_records)
            if lines:
                end = at + chunk.rindex(b"\n") + 1
            records += lines
            at += len(chunk)
        return Page(start, end, records)

    def at_sequence(self, sequence: str) -> int:
        """Where the first record with this or a greater sequence number starts; `size` if there is none."""
        return self._bisect(lambda header: header.sequence < sequence)

    def after_sequence(self, sequence: str) -> int:
        """Where the first record with a greater sequence number starts; `size` if there is none."""
        return self._bisect(lambda header: header.sequence <= sequence)

    def at_time(self, arrived_ms: int) -> int:
        """Where the first record that arrived then or later starts; `size` if there is none."""
        return self._bisect(lambda header: header.arrived_ms < arrived_ms)

    def _bisect(self, before: Callable[[Header], bool]) -> int:
        low, high = 0, self.size  # records before low are before the place, those from high on are not
        while low < high:
            middle = (low + high) // 2
            start = self._line_start(middle, low)
            if before(self.header(start)):
                low = self._line_end(middle)
            else:
                high = start
        return low

    def _line_start(self, offset: int, floor: int) -> int:
        """The start of the line that `offset` lies in; `floor` is a line's start at or before it."""
        while offset > floor:
            at = max(floor, offset - _CHUNK)
            found = os.pread(self._fd, offset - at, at).rfind(b"\n")
            if found >= 0:
                return at + found + 1
            offset = at
        return floor

    def _line_end(self, offset: int) -> int:
        while True:
            chunk = os.pread(self._fd, _CHUNK, offset)
            found = chunk.find(b"\n")
            if found >= 0:
                return offset + found + 1
            offset += len(chunk)


def _after_line(chunk: bytes, number: int) -> int:
    """The offset after line `number` (from 1) of a chunk."""
    at = 0
    for _ in range(number):
        at = chunk.index(b"\n", at) + 1
    return at
