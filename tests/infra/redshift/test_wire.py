import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.redshift.wire import (
    Closed,
    Message,
    ProtocolViolation,
    Reader,
    cstring,
    error_response,
    fields,
    message,
)

pytestmark = pytest.mark.unit


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    yield here, there
    here.close()
    there.close()


@given(st.lists(st.tuples(st.sampled_from([b"D", b"C", b"Z"]), st.binary(max_size=300)), max_size=20))
def test_messages_come_back_as_they_were_sent(sent: list[tuple[bytes, bytes]]) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"".join(message(kind, body) for kind, body in sent))
        reader = Reader(here)
        assert [reader.message() for _ in sent] == [Message(kind, body) for kind, body in sent]
        assert not reader.buffered()


def test_rows_that_are_here_whole_come_as_one(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    rows = message(b"D", b"one") + message(b"D", b"two")
    there.sendall(message(b"2") + rows + message(b"D", b"three")[:-1])
    reader = Reader(here)
    assert reader.message() == (b"2", b"")
    assert reader.whole(b"D") == rows
    assert reader.whole(b"D") == b""
    there.sendall(b"e" + message(b"C", b"x"))
    assert reader.message() == (b"D", b"three")
    assert reader.whole(b"D") == b""
    assert reader.message() == (b"C", b"x")


def test_a_closed_socket_is_told_from_one_that_is_silent(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 10_000))
    waited = []

    def on_wait() -> None:
        waited.append(1)
        if len(waited) == 3:
            there.close()

    with pytest.raises(Closed):
        Reader(here, on_wait).message()
    assert len(waited) == 3


@pytest.mark.parametrize("length", [3, -1, (64 << 20) + 1])
def test_a_length_that_cannot_be_is_a_violation(ends: tuple[socket.socket, socket.socket], length: int) -> None:
    here, there = ends
    there.sendall(b"Q" + struct.pack("!i", length))
    with pytest.raises(ProtocolViolation):
        Reader(here).message()


def test_a_start_is_no_longer_than_postgres_takes(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    there.sendall(struct.pack("!i", 10_001))
    with pytest.raises(ProtocolViolation):
        Reader(here).startup()


def test_a_string_without_its_end_is_a_violation() -> None:
    assert cstring(b"ab\0c\0", 3) == (b"c", 5)
    with pytest.raises(ProtocolViolation):
        cstring(b"abc")


@given(st.text(), st.text())
def test_an_errors_fields_come_back(text: str, detail: str) -> None:
    packed = error_response("XX000", text.replace("\0", ""), extra={"D": detail.replace("\0", "")})
    found = fields(packed[5:])
    assert found["C"] == "XX000"
    assert found.get("M", "") == text.replace("\0", "")
    assert found.get("D", "") == detail.replace("\0", "")
