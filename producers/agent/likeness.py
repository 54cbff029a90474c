"""Whose content a compressed file is: one pass over its text, against everything that it may be a copy of."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from producers.agent.files import HEAD_BYTES, FileRecord, Found, hash_of_head, is_same_file, key_of
from producers.agent.unpack import text_of

EXAMINED_AT_ONCE = 16 << 20  # bytes of text: 0.1 s, for which newer lines wait


class Examination:
    """One pass over a compressed file, in steps."""

    def __init__(self, found: Found, file: BinaryIO, candidates: "Iterator[Likeness]") -> None:
        self.found = found
        self.file = file
        self.size = 0  # of the text
        self.lines_end = 0  # where its last complete line ends
        self._pieces = text_of(file)
        self._candidates = candidates
        self._like: list[Likeness] | None = None
        self._head = b""

    def go_on(self) -> bool:
        """Whether it is through. Raises Damaged."""
        end = self.size + EXAMINED_AT_ONCE
        for piece in self._pieces:
            self.lines_end = self.size + piece.rfind(b"\n") + 1 if b"\n" in piece else self.lines_end
            self.size += len(piece)
            if self._like is None:
                self._head += piece
                if len(self._head) >= HEAD_BYTES:
                    self._take(self._head)
            else:
                for like in self._like:
                    like.take(piece)
            if self.size >= end:
                return False
        if self._like is None:
            self._take(self._head)
        return True

    def like(self) -> "Likeness | None":
        """Whose content it is."""
        return next((like for like in self._like or () if like.holds(self.size)), None)

    def close(self) -> None:
        self.file.close()
        for like in self._like or ():
            like.close()

    def _take(self, text: bytes) -> None:
        """The first of it: what does not begin as it does is out of the question."""
        self._like = [like for like in self._candidates if like.begins_as(text[:HEAD_BYTES])]
        for like in self._like:
            like.take(text)


class _Comparison(Protocol):
    """One way to find out whether a text is a file's content."""

    def take(self, piece: bytes) -> None: ...

    def holds(self, size: int) -> bool: ...

    def close(self) -> None: ...


class Likeness:
    """A record, and whether the text that is taken piece by piece is what it is about."""

    def __init__(self, record: FileRecord, there: Found | None) -> None:
        self.record = record
        self._there = there
        self._comparison: _Comparison | None = None

    def begins_as(self, head: bytes) -> bool:
        return hash_of_head(head[: self.record.head_bytes]) == self.record.head

    def take(self, piece: bytes) -> None:
        if self._comparison is None:
            self._comparison = self._begun()
        self._comparison.take(piece)

    def holds(self, size: int) -> bool:
        return self._comparison is not None and self._comparison.holds(size)

    def close(self) -> None:
        if self._comparison is not None:
            self._comparison.close()

    @property
    def is_there(self) -> bool:
        """Whether the record's own file is still there: then the text is a copy, else it goes on with it."""
        return self._there is not None

    def _begun(self) -> _Comparison:
        record, there = self.record, self._there
        if there is not None and record.packed == there.signature:
            return _AsAcknowledged(record, size=record.size)
        file = _opened_as(record, there) if there is not None else None
        if file is None:  # gone, or another file has got its number
            self._there = None
            return _AsAcknowledged(record)
        return _AsOnDisk(file)


class _AsAcknowledged:
    """Against what the stream has acknowledged of a file that is gone: as many lines, of the same sum of crc32."""

    def __init__(self, record: FileRecord, *, size: int | None = None) -> None:
        """`size` of the whole text, where it is known."""
        self._record = record
        self._size = size
        self._left = record.offset
        self._crc = 0  # of the line that has begun
        self._lines = self._crc_sum = 0

    def take(self, piece: bytes) -> None:
        part = piece[: self._left]
        self._left -= len(part)
        first, *others = part.split(b"\n")
        self._crc = zlib.crc32(first, self._crc)
        for line in others:
            self._crc_sum += self._crc
            self._crc = zlib.crc32(line)
        self._lines += len(others)

    def holds(self, size: int) -> bool:
        told = self._record.acknowledged_lines, self._record.crc_sum
        return not self._left and (self._lines, self._crc_sum) == told and self._size in (None, size)

    def close(self) -> None:
        """Nothing is open."""


class _AsOnDisk:
    """Against a plain file that is there: byte for byte. It may have grown since it was compressed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_same = True

    def take(self, piece: bytes) -> None:
        self._is_same = self._is_same and self._file.read(len(piece)) == piece

    def holds(self, size: int) -> bool:
        return self._is_same

    def close(self) -> None:
        self._file.close()


def _opened_as(record: FileRecord, there: Found) -> BinaryIO | None:
    """The plain file of a record; None if it is not that any more."""
    if record.packed is not None:
        return None
    try:
        file = Path(there.path).open("rb")  # noqa: SIM115 closed by the comparison
    except OSError:
        return None
    head = file.read(HEAD_BYTES)
    if key_of(file) != record.key or not is_same_file(record, file.seek(0, os.SEEK_END), head):
        file.close()
        return None
    file.seek(0)
    return file
