"""PostgreSQL's protocol, version 3.0, as messages: a type of one byte, a length, a body.

Source: PostgreSQL documentation, "Frontend/Backend Protocol"; Redshift speaks the same.
"""

import socket
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

PROTOCOL_3 = 196608
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104

LONGEST_STARTUP = 10_000  # bytes; PostgreSQL's own limit
LONGEST_MESSAGE = 64 << 20  # bytes; memory. Redshift's longest statement has 16 MB
_READ = 1 << 16

_HEAD = struct.Struct("!ci")
_INT = struct.Struct("!i")


class ProtocolViolation(Exception):
    """The other side does not speak the protocol; the connection cannot go on."""


class Closed(Exception):
    """The other side closed the connection."""


class Message(NamedTuple):
    """One message: `kind` is its type byte."""

    kind: bytes
    body: bytes

    def packed(self) -> bytes:
        return _HEAD.pack(self.kind, len(self.body) + 4) + self.body


def message(kind: bytes, body: bytes = b"") -> bytes:
    """The bytes of a message."""
    return _HEAD.pack(kind, len(body) + 4) + body


def cstring(body: bytes, start: int = 0) -> tuple[bytes, int]:
    """The zero-terminated string at `start`, and where the next thing begins. Raises ProtocolViolation."""
    end = body.find(b"\0", start)
    if end < 0:
        raise ProtocolViolation("a string without its end")
    return body[start:end], end + 1


def startup_message(parameters: Mapping[str, str]) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    body = _INT.pack(PROTOCOL_3) + pairs + b"\0"
    return _INT.pack(len(body) + 4) + body


def fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse by their letters."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def error_response(
    sqlstate: str, text: str, *, severity: str = "ERROR", extra: Mapping[str, str] | None = None
) -> bytes:
    """An ErrorResponse; `extra` adds fields by letter (D detail, H hint)."""
    found = {"S": severity, "C": sqlstate, "M": text, **(extra or {})}
    return packed_fields(b"E", found)


def packed_fields(kind: bytes, found: Mapping[str, str]) -> bytes:
    parts = [f"{letter}{value}".replace("\0", "").encode() + b"\0" for letter, value in found.items() if value]
    return message(kind, b"".join(parts) + b"\0")


class Reader:
    """Messages from a socket, with their own buffer. Not thread-safe.

    On a socket with a receive time-out, `on_wait` is called each time it passes, and may raise.
    """

    def __init__(self, sock: socket.socket, on_wait: Callable[[], None] | None = None) -> None:
        self._sock = sock
        self.on_wait = on_wait
        self._buffer = bytearray()
        self._start = 0

    def buffered(self) -> bool:
        """Whether a byte of a next message has been read already."""
        return len(self._buffer) > self._start

    def startup(self) -> tuple[int, bytes]:
        """A message of the start-up phase, which has no type: its code and what follows it."""
        (length,) = _INT.unpack(self.exactly(4))
        if not 8 <= length <= LONGEST_STARTUP:
            raise ProtocolViolation("invalid length of startup packet")
        body = self.exactly(length - 4)
        return _INT.unpack_from(body)[0], body[4:]

    def message(self) -> Message:
        """The next message. Raises Closed, ProtocolViolation."""
        kind, length = _HEAD.unpack(self.exactly(5))
        if not 4 <= length <= LONGEST_MESSAGE:
            raise ProtocolViolation("invalid message length")
        return Message(kind, self.exactly(length - 4))

    def whole(self, kind: bytes) -> bytes:
        """The bytes of all messages of this kind that come next and are here whole; empty if there are none."""
        place, end, wanted = self._start, len(self._buffer), kind[0]
        while place + 5 <= end and self._buffer[place] == wanted:
            (length,) = _INT.unpack_from(self._buffer, place + 1)
            if place + length + 1 > end:
                break
            place += length + 1
        found = bytes(self._buffer[self._start : place])
        self._start = place
        return found

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) - self._start < count:
            self._fill()
        found = bytes(self._buffer[self._start : self._start + count])
        self._start += count
        if self._start == len(self._buffer):
            self._buffer.clear()
            self._start = 0
        return found

    def _fill(self) -> None:
        del self._buffer[: self._start]
        self._start = 0
        while True:
            try:
                received = self._sock.recv(_READ)
            except BlockingIOError:  # SO_RCVTIMEO has passed
                if self.on_wait:
                    self.on_wait()
                continue
            break
        if not received:
            raise Closed
        self._buffer += received
