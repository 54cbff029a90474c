"""From bytes to lines."""

import hashlib
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.agent.tail import CHUNK_BYTES, Line, LongLine, Tail

pytestmark = pytest.mark.unit


def test_a_line_is_the_bytes_before_its_lf() -> None:
    content = b"a\r\n\n\x00\n{}\ntorn"
    lines = list(Tail(longest=100).lines(io.BytesIO(content), 0))
    assert lines == [Line(0, b"a\r"), Line(3, b""), Line(4, b"\x00"), Line(6, b"{}")]


def test_reading_goes_on_at_an_offset() -> None:
    assert list(Tail(longest=100).lines(io.BytesIO(b"one\ntwo\n"), 4)) == [Line(4, b"two")]


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda content: content.replace(b"\n", b"")), max_size=20),
    torn=st.binary(max_size=20).map(lambda content: content.replace(b"\n", b"")),
    longest=st.integers(0, 20),
)
def test_every_complete_line_comes_once_in_order(lines: list[bytes], torn: bytes, longest: int) -> None:
    file = io.BytesIO(b"".join(line + b"\n" for line in lines) + torn)
    offset = 0
    expected: list[Line | LongLine] = []
    for content in lines:
        line = Line(offset, content)
        expected.append(line if len(content) <= longest else LongLine.of(line))
        offset += len(content) + 1
    assert list(Tail(longest=longest).lines(file, 0)) == expected


@pytest.mark.parametrize("extra", [-1, 0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_a_line_around_the_limit_is_measured_if_it_is_over(extra: int) -> None:
    limit = 2 * CHUNK_BYTES
    content = bytes(range(11, 256)) * ((limit + extra) // 245 + 1)
    content = content[: limit + extra]
    first, second = Tail(longest=limit).lines(io.BytesIO(content + b"\nnext\ntorn"), 0)
    if extra <= 0:
        assert first == Line(0, content)
    else:
        assert first == LongLine(0, len(content), zlib.crc32(content), hashlib.sha256(content).hexdigest())
    assert second == Line(len(content) + 1, b"next")


def test_a_long_line_that_grows_is_read_once() -> None:
    tail = Tail(longest=10)
    content = b"x" * (3 * CHUNK_BYTES)
    file = CountingFile()
    for begin in range(0, len(content), 1000):
        file.append(content[begin : begin + 1000])
        assert list(tail.lines(file, 0)) == []
    file.append(b"\n")
    assert list(tail.lines(file, 0)) == [LongLine.of(Line(0, content))]
    assert file.bytes_read < 2 * len(content)


def test_a_long_line_that_was_cut_short_is_measured_anew() -> None:
    tail = Tail(longest=3)
    assert list(tail.lines(io.BytesIO(b"abcdefgh"), 0)) == []
    assert list(tail.lines(io.BytesIO(b"12345\n"), 0)) == [LongLine.of(Line(0, b"12345"))]


class CountingFile(io.BytesIO):
    bytes_read = 0

    def append(self, content: bytes) -> None:
        self.seek(0, io.SEEK_END)
        self.write(content)

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.bytes_read += len(content)
        return content
