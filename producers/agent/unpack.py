"""The text of a compressed file, in bounded memory: forwards as a stream, a little way back from a window."""

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from producers.agent.pack import RECORD_LIMIT
from producers.agent.tail import CHUNK_BYTES

# What zstd's own tools use unless told `--ultra` or `--long`, and all that RFC 8878 asks of a reader.
MAX_ZSTD_WINDOW = 8 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MAGIC = (_GZIP, _ZSTD, *(bytes([0x50 + n]) + b"\x2a\x4d\x18" for n in range(16)))  # the last ones: skippable frames
_READ_BYTES = 1 << 16
# zstandard gives all that its input comes to: 4 bytes may stand for a block of 128 KiB.
_ZSTD_READ_BYTES = 512
_WINDOW_BYTES = RECORD_LIMIT + 2 * CHUNK_BYTES  # the longest line, begun in one read and ended in another


class Damaged(OSError):
    """No whole compressed file: it is still being written, or was cut off, or is something else."""


def is_packed(file: BinaryIO) -> bool:
    """Whether it begins as a compressed file does."""
    file.seek(0)
    return file.read(4).startswith(_MAGIC)


def text_of(file: BinaryIO) -> Iterator[bytes]:
    """Its text from the start, in pieces that are not empty. Raises Damaged at its end, where that is missing."""
    file.seek(0)
    begins = file.read(4)
    file.seek(0)
    if begins.startswith(_GZIP):
        return _gzip_text(file)
    if begins.startswith(_MAGIC):
        return _zstd_text(file)
    raise Damaged("neither gzip nor zstd")


def _gzip_text(file: BinaryIO) -> Iterator[bytes]:
    """One member after the other; what is padded with zeros is legal."""
    unpacker, is_inside = zlib.decompressobj(31), True
    try:
        while data := file.read(_READ_BYTES):
            while data:
                if not is_inside:
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    unpacker, is_inside = zlib.decompressobj(31), True
                if text := unpacker.decompress(data, CHUNK_BYTES):
                    yield text
                data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
                is_inside = not unpacker.eof
                while is_inside and not data and (text := unpacker.decompress(b"", CHUNK_BYTES)):
                    yield text
                    data, is_inside = unpacker.unused_data, not unpacker.eof
    except zlib.error as error:
        raise Damaged(f"no whole gzip file: {error}") from error
    if is_inside:
        raise Damaged("no whole gzip file: it ends too early")


def _zstd_text(file: BinaryIO) -> Iterator[bytes]:
    """One frame after the other."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    unpacker, is_inside = decompressor.decompressobj(), False
    try:
        while data := file.read(_ZSTD_READ_BYTES):
            while data:
                text, is_inside = unpacker.decompress(data), True
                if text:
                    yield text
                data = unpacker.unused_data if unpacker.eof else b""
                if unpacker.eof:
                    unpacker, is_inside = decompressor.decompressobj(), False
    except zstandard.ZstdError as error:
        raise Damaged(
            f"no whole zstd file, or one that needs more than {MAX_ZSTD_WINDOW >> 20} MiB: {error}"
        ) from error
    if is_inside:
        raise Damaged("no whole zstd file: it ends too early")


class Unpacked(io.RawIOBase):
    """A compressed file, read as if it were its text. Far back means from the start again."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """`file` is closed with this; `size` of the text."""
        self._file = file
        self._size = size
        self._restart()
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """From the start, or from the end."""
        self._at = offset if whence == io.SEEK_SET else self._size + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, which all fit the window; less at the end only. Raises Damaged."""
        if self._at < self._window_at:
            self._restart()
        while self._window_at + len(self._window) < min(self._at + size, self._size):
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._window += piece
            spare = min(self._at - _WINDOW_BYTES - self._window_at, len(self._window))
            if spare > CHUNK_BYTES:
                del self._window[:spare]
                self._window_at += spare
        start = self._at - self._window_at
        content = bytes(self._window[start : start + size])
        self._at += len(content)
        return content

    def close(self) -> None:
        super().close()
        self._file.close()

    def _restart(self) -> None:
        self._pieces = text_of(self._file)
        self._window = bytearray()
        self._window_at = 0
