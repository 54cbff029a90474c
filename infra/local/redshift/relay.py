"""The way of answers from PostgreSQL to one client, as they come: memory does not depend on how many rows there are."""

import select
import socket
from collections import deque

from infra.local.redshift import replies
from infra.local.redshift.backend import Backend, backend_error
from infra.local.redshift.errors import ClientGone, SessionEnded
from infra.local.redshift.wire import message

_FULL = 1 << 16
_NO_COPY = message(b"f", b"COPY takes its data from Amazon S3\0")

_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # Linux has it

# What ends the answer to one message of the extended protocol.
_COMPLETIONS = frozenset((b"1", b"2", b"3", b"T", b"n", b"C", b"I", b"s"))


class Client:
    """The socket of a client with what waits to be sent to it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting = bytearray()
        self._poll = select.poll()
        self._poll.register(sock, _HUNG_UP)

    def put(self, data: bytes) -> None:
        """Send `data` with the next flush, or now when there is enough. Raises ClientGone."""
        self._waiting += data
        if len(self._waiting) >= _FULL:
            self.flush()

    def flush(self) -> None:
        try:
            self._sock.sendall(self._waiting)
        except OSError as error:
            raise ClientGone(str(error)) from error
        self._waiting.clear()

    def check(self) -> None:
        """Raises ClientGone when the client has hung up, whatever it sent before."""
        if _HUNG_UP:
            if self._poll.poll(0):
                raise ClientGone
            return
        try:
            if not self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ClientGone
        except BlockingIOError:
            return
        except OSError as error:
            raise ClientGone(str(error)) from error


def until_ready(backend: Backend, client: Client, tags: "deque[str | None]") -> bool:
    """Pass all answers on up to ReadyForQuery, which is kept back. Returns whether there was an error.

    `tags` holds for each command to come the tag that the client shall see, or None for PostgreSQL's own.
    """
    failed = False
    while True:
        kind = _pass_one(backend, client, tags)
        if kind == b"Z":
            return failed
        failed = failed or kind == b"E"


def answers(backend: Backend, client: Client, count: int, tags: "deque[str | None]") -> bool:
    """Pass on the answers to `count` messages, or up to an error. Returns whether there was one."""
    while count:
        kind = _pass_one(backend, client, tags)
        if kind == b"E":
            return True
        count -= kind in _COMPLETIONS
    return False


def _pass_one(backend: Backend, client: Client, tags: "deque[str | None]") -> bytes:
    """Pass on the next message, or several rows. Returns its kind."""
    rows = backend.reader.whole(b"D")
    if rows:
        client.put(rows)
        return b"D"
    kind, body = backend.receive()
    if kind in b"CIs":
        tag = tags.popleft() if tags else None
        client.put(replies.command(tag or body[:-1].decode()) if kind == b"C" else message(kind, body))
    elif kind == b"T":
        client.put(replies.row_description(body))
    elif kind == b"E":
        failure = backend_error(body)
        client.put(replies.error(failure, severity="FATAL" if failure.fatal else "ERROR"))
        if failure.fatal:
            client.flush()
            raise SessionEnded(failure.message)
    elif kind == b"S":
        client.put(replies.parameter(body))
    elif kind == b"G":
        backend.send(_NO_COPY)
    elif kind not in b"ZHdc":
        client.put(message(kind, body))
    return kind
