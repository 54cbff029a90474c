"""From a file's bytes to its lines. A line is the bytes before a LF; what follows the last LF is not a line yet."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 256 << 10  # a full request of ordinary orders in one read
_TOGETHER = 128  # lines in a run: what a full batch leaves of one is read and packed again


class Line(NamedTuple):
    """One complete line."""

    offset: int  # of its first byte
    content: bytes  # without its LF


class Run(NamedTuple):
    """Neighbouring lines, without their LFs."""

    offset: int  # of the first one
    contents: list[bytes]  # at least one


class LongLine(NamedTuple):
    """A complete line longer than any record may be: measured, never held in memory."""

    offset: int
    size: int  # bytes without the LF
    crc: int  # crc32
    sha256: str  # hex

    @classmethod
    def of(cls, line: Line) -> "LongLine":
        """A line that is in memory, measured."""
        content = line.content
        return cls(line.offset, len(content), zlib.crc32(content), hashlib.sha256(content).hexdigest())


class Tail:
    """Reads one file's lines. Keeps nothing but how far a line that is still too long has been measured."""

    def __init__(self, *, longest: int) -> None:
        """Lines of more than `longest` bytes come as LongLine."""
        self._longest = longest
        self._measured: _Measure | None = None

    def lines(self, file: BinaryIO, offset: int) -> Iterator[Line | LongLine]:
        """As `runs`, one by one."""
        for run in self.runs(file, offset):
            if isinstance(run, LongLine):
                yield run
                continue
            offset = run.offset
            for content in run.contents:
                yield Line(offset, content)
                offset += len(content) + 1

    def runs(self, file: BinaryIO, offset: int) -> Iterator[Run | LongLine]:
        """The complete lines from `offset`, which is a line's first byte, in order. Ends where the last LF is."""
        while True:
            if self._measured is None or not self._measured.is_of(file, offset):
                self._measured = None
                chunk = self._read(file, offset)
                end = chunk.rfind(b"\n")
                if end < 0 and len(chunk) <= self._longest:
                    return
                if end >= 0:
                    yield from self._split(chunk[:end], offset)
                    offset += end + 1
                    continue
                self._measured = _Measure(offset)
            long = self._measured.go_on(file)
            if long is None:
                return
            self._measured = None
            yield long
            offset += long.size + 1

    def _split(self, chunk: bytes, offset: int) -> Iterator[Run | LongLine]:
        contents = chunk.split(b"\n")
        together = _TOGETHER if len(chunk) <= self._longest else 1
        for start in range(0, len(contents), together):
            run = contents[start : start + together]
            if together > 1 or len(run[0]) <= self._longest:
                yield Run(offset, run)
            else:
                yield LongLine.of(Line(offset, run[0]))
            offset += sum(map(len, run)) + len(run)

    def _read(self, file: BinaryIO, offset: int) -> bytes:
        """The next chunk; as much as the longest line needs where the first chunk ends none."""
        file.seek(offset)
        chunk = file.read(CHUNK_BYTES)
        if len(chunk) == CHUNK_BYTES and b"\n" not in chunk:
            chunk += file.read(max(0, self._longest + 1 - CHUNK_BYTES))
        return chunk


def tally(file: BinaryIO, end: int) -> tuple[int, int]:
    """The lines that begin before `end`, and the sum of their crc32: reads the file from its start."""
    lines = crc_sum = 0
    for line in Tail(longest=CHUNK_BYTES).lines(file, 0):
        if line.offset >= end:
            break
        lines += 1
        crc_sum += line.crc if isinstance(line, LongLine) else zlib.crc32(line.content)
    return lines, crc_sum


class _Measure:
    """How far one long line has been read: goes on where it stopped, so that a growing line is read once."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._size = 0
        self._crc = 0
        self._sha256 = hashlib.sha256()

    def is_of(self, file: BinaryIO, offset: int) -> bool:
        """Whether it measures the line at `offset`, and the file still holds what was measured."""
        return self._offset == offset and file.seek(0, os.SEEK_END) >= offset + self._size

    def go_on(self, file: BinaryIO) -> LongLine | None:
        """The line, once its LF is there."""
        file.seek(self._offset + self._size)
        while chunk := file.read(CHUNK_BYTES):
            content, newline, _ = chunk.partition(b"\n")
            self._size += len(content)
            self._crc = zlib.crc32(content, self._crc)
            self._sha256.update(content)
            if newline:
                return LongLine(self._offset, self._size, self._crc, self._sha256.hexdigest())
        return None
