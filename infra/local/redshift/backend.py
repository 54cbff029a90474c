"""A session with PostgreSQL at the level of the protocol, synchronous."""

import os
import socket
import struct
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.priority import session_behind
from infra.local.redshift import wire
from infra.local.redshift.errors import BackendError, BackendGone
from infra.local.redshift.wire import Message, Reader, message

IDLE, IN_TRANSACTION, FAILED = b"I", b"T", b"E"

_LOOK_UP = struct.pack("ll", 1, 0)  # how long a read waits before it looks whether anybody still wants the answer: 1 s
_CANCEL_S = 5.0  # PostgreSQL answers a request to cancel at once, or not at all
_SHORT = struct.Struct("!h")
_INT = struct.Struct("!i")
_CHUNK = 1 << 16

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where PostgreSQL listens."""

    socket_path: Path

    def connect(self, *, user: str, database: str, **parameters: str) -> "Backend":
        """A session as `user`, ready. Raises BackendError when refused, OSError or BackendGone when not there."""
        backend = Backend(self, self._open(), user=user, database=database)
        try:
            backend.start({"user": user, "database": database, "client_encoding": "UTF8", **parameters})
        except BaseException:
            backend.close()
            raise
        return backend

    def cancel(self, key: bytes) -> None:
        """Cancel what the session with this key runs at the moment; `key` is the body of its BackendKeyData."""
        with suppress(OSError), self._open() as sock:
            sock.settimeout(_CANCEL_S)
            sock.sendall(_INT.pack(len(key) + 8) + _INT.pack(wire.CANCEL_REQUEST) + key)
            sock.recv(1)  # PostgreSQL closes when it has passed the request on

    def _open(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(self.socket_path))
        except OSError:
            sock.close()
            raise
        return sock


class Backend:
    """One session. `status` is the transaction's after the last ReadyForQuery; one thread at a time."""

    def __init__(self, upstream: Upstream, sock: socket.socket, *, user: str, database: str) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK_UP)
        self._upstream = upstream
        self._sock = sock
        self.user = user
        self.database = database
        self.reader = Reader(sock)
        self.status = IDLE
        self.key = b""
        self.parameters: dict[str, str] = {}
        self.when_idle: Callable[[], None] | None = None  # to be done once, when no transaction is open any more

    @property
    def pid(self) -> int:
        return _INT.unpack_from(self.key)[0] if self.key else 0

    @property
    def in_transaction(self) -> bool:
        return self.status == IN_TRANSACTION

    def start(self, parameters: Mapping[str, str]) -> None:
        self.send(wire.startup_message(parameters))
        for kind, body in self.answers():
            if kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"K":
                self.key = body
        if nice := os.nice(0):  # a backend is a session of its own, and would stand before its server
            session_behind(self.pid, nice)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called about once a second while an answer is awaited, and between chunks; it may raise."""
        self.reader.on_wait = watcher

    def send(self, data: bytes | bytearray) -> None:
        """Raises BackendGone."""
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise BackendGone(str(error)) from error

    def receive(self) -> Message:
        """The next message, with the status kept. Raises BackendGone."""
        try:
            received = self.reader.message()
        except (wire.Closed, OSError) as error:
            raise BackendGone("PostgreSQL closed the session") from error
        if received.kind == b"Z":
            self.status = received.body
        return received

    def answers(self) -> Iterator[Message]:
        """The messages up to ReadyForQuery. Raises BackendError after it when there was an error."""
        failure: BackendError | None = None
        while True:
            received = self.receive()
            if received.kind == b"Z":
                break
            if received.kind == b"E":
                failure = failure or backend_error(received.body)
                if failure.fatal:
                    break
            else:
                yield received
        if failure:
            raise failure

    def query(self, sql: str, *parameters: str | None) -> list[Row]:
        """Run one statement, or without parameters several. Returns all rows, in text. Raises BackendError."""
        if parameters:
            self.send(_parse(sql) + _bind(parameters) + message(b"E", b"\0" + _INT.pack(0)) + message(b"S"))
        else:
            self.send(message(b"Q", sql.encode() + b"\0"))
        rows = [_row(body) for kind, body in self._refusing_copies() if kind == b"D"]
        return rows

    def script(self, sql: str) -> str:
        """Run statements for their effect; rows are dropped. Returns the last command tag. Raises BackendError."""
        self.send(message(b"Q", sql.encode() + b"\0"))
        tag = ""
        for kind, body in self._refusing_copies():
            if kind == b"C":
                tag = body[:-1].decode()
        return tag

    def copy_in(self, sql: str, chunks: Iterable[bytes]) -> int:
        """`COPY ... FROM STDIN` with the data of `chunks`. Returns the rows stored. Raises BackendError.

        When `chunks` raises, the COPY is cancelled (and its transaction aborted) and the exception passes.
        """
        self.send(message(b"Q", sql.encode() + b"\0"))
        rows = 0
        for kind, body in self.answers():
            if kind == b"G":
                self._feed(chunks)
            elif kind == b"C":
                rows = int(body[:-1].split(b" ")[-1])
        return rows

    def copy_out(self, sql: str) -> Generator[bytes, None, None]:
        """The data of `COPY ... TO STDOUT` as it comes. Raises BackendError. Closed early, it is cancelled."""
        self.send(message(b"Q", sql.encode() + b"\0"))
        answers = self.answers()
        try:
            for kind, body in answers:
                if kind == b"d":
                    yield body
        except GeneratorExit:
            self.cancel_self()
            with suppress(BackendError):
                for _ in answers:
                    pass
            raise

    def cancel_self(self) -> None:
        """Cancel what this session is running; its answer still has to be read."""
        self._upstream.cancel(self.key)

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        with suppress(OSError):
            self._sock.sendall(message(b"X"))
        self._sock.close()

    def _feed(self, chunks: Iterable[bytes]) -> None:
        try:
            for chunk in chunks:
                for start in range(0, len(chunk), _CHUNK):
                    self.send(message(b"d", chunk[start : start + _CHUNK]))
                if self._answered():
                    return
                if self.reader.on_wait:
                    self.reader.on_wait()
        except BackendGone:
            raise
        except BaseException:
            self.send(message(b"f", b"the data ended with an error\0"))
            while self.receive().kind != b"Z":
                pass
            raise
        self.send(message(b"c"))

    def _answered(self) -> bool:
        """Whether PostgreSQL has said something in the middle of the data: an error."""
        if self.reader.buffered():
            return True
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False
        except OSError as error:
            raise BackendGone(str(error)) from error

    def _refusing_copies(self) -> Iterator[Message]:
        for received in self.answers():
            if received.kind == b"G":
                self.send(message(b"f", b"no data here\0"))
            yield received


def backend_error(body: bytes) -> BackendError:
    """The error of an ErrorResponse's body."""
    found = wire.fields(body)
    return BackendError(
        found.get("C", "XX000"),
        found.get("M", ""),
        detail=found.get("D"),
        hint=found.get("H"),
        fatal=found.get("V", found.get("S")) in ("FATAL", "PANIC"),
    )


def _parse(sql: str) -> bytes:
    return message(b"P", b"\0" + sql.encode() + b"\0" + _SHORT.pack(0))


def _bind(parameters: tuple[str | None, ...]) -> bytes:
    body = bytearray(b"\0\0" + _SHORT.pack(0) + _SHORT.pack(len(parameters)))
    for value in parameters:
        encoded = None if value is None else value.encode()
        body += _INT.pack(-1) if encoded is None else _INT.pack(len(encoded)) + encoded
    return message(b"B", bytes(body + _SHORT.pack(0)))


def _row(body: bytes) -> Row:
    values: list[str | None] = []
    place = 2
    for _ in range(_SHORT.unpack_from(body)[0]):
        (length,) = _INT.unpack_from(body, place)
        place += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[place : place + length].decode())
            place += length
    return tuple(values)
