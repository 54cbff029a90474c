"""A client that says what it is told to, byte by byte."""

import socket
import struct
from types import TracebackType

from infra.local.redshift import accounts, wire
from infra.local.redshift.wire import Message, Reader, message


class RawClient:
    """A logged-in connection."""

    def __init__(self, port: int, *, user: str, password: str, database: str, **parameters: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.reader = Reader(self.sock)
        self.parameters: dict[str, str] = {}
        self.key = b""
        self.sock.sendall(wire.startup_message({"user": user, "database": database, **parameters}))
        kind, body = self.reader.message()
        assert kind == b"R", body
        kept = accounts.verifier(user, password)
        self.sock.sendall(message(b"p", accounts.answer(kept, body[4:8]).encode() + b"\0"))
        for kind, body in self.answers():
            if kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"K":
                self.key = body

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, *messages: bytes) -> None:
        self.sock.sendall(b"".join(messages))

    def answers(self) -> list[Message]:
        """All messages up to ReadyForQuery, it included."""
        found: list[Message] = []
        while not found or found[-1].kind != b"Z":
            found.append(self.reader.message())
        return found

    def ask(self, *messages: bytes) -> str:
        """Send messages and tell the answers: their kinds, and after a C its tag, an E its SQLSTATE, a Z the state."""
        self.send(*messages)
        return told(self.answers())


def told(answers: list[Message]) -> str:
    return " ".join(_told(*answer) for answer in answers)


def _told(kind: bytes, body: bytes) -> str:
    if kind == b"E":
        return "E:" + wire.fields(body)["C"]
    return kind.decode() + (":" + body.rstrip(b"\0").decode().replace(" ", "_") if kind in (b"C", b"Z") else "")


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode() + b"\0")


def parse(sql: str, name: str = "") -> bytes:
    return message(b"P", name.encode() + b"\0" + sql.encode() + b"\0\0\0")


def bind(*values: str, portal: str = "", name: str = "") -> bytes:
    packed = b"".join(struct.pack("!i", len(value.encode())) + value.encode() for value in values)
    head = portal.encode() + b"\0" + name.encode() + b"\0\0\0"
    return message(b"B", head + struct.pack("!h", len(values)) + packed + b"\0\0")


def describe(kind: str, name: str = "") -> bytes:
    return message(b"D", kind.encode() + name.encode() + b"\0")


def execute(portal: str = "", limit: int = 0) -> bytes:
    return message(b"E", portal.encode() + b"\0" + struct.pack("!i", limit))


def close(kind: str, name: str = "") -> bytes:
    return message(b"C", kind.encode() + name.encode() + b"\0")


SYNC, FLUSH, TERMINATE = message(b"S"), message(b"H"), message(b"X")
