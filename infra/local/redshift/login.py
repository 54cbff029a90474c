"""The start of a connection: encryption refused, password checked, a session with PostgreSQL opened."""

import secrets
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from infra.local.redshift import accounts, replies, wire
from infra.local.redshift.backend import Backend, Upstream
from infra.local.redshift.errors import BackendError, BackendGone, SqlError
from infra.local.redshift.wire import ProtocolViolation, Reader, cstring, message

_RECOVERY_S = 10.0  # PostgreSQL refuses logins while it recovers from a killed session
_RECOVERING = ("57P02", "57P03")  # crash_shutdown, cannot_connect_now
_MD5_PASSWORD = 5
_Connected = TypeVar("_Connected")
_INT = struct.Struct("!i")


def log_in(sock: socket.socket, reader: Reader, upstream: Upstream) -> Backend | None:
    """A session for the client, which is told that it is ready; None when it only came to cancel a statement.

    Raises SqlError when it is refused; ProtocolViolation, wire.Closed, OSError.
    """
    while True:
        code, body = reader.startup()
        if code not in (wire.SSL_REQUEST, wire.GSS_REQUEST):
            break
        if reader.buffered():
            raise ProtocolViolation("data before the answer to a request for encryption")
        sock.sendall(b"N")
    if code == wire.CANCEL_REQUEST:
        upstream.cancel(body)
        return None
    if code >> 16 != wire.PROTOCOL_3 >> 16:
        raise SqlError("08P01", "unsupported frontend protocol: 3.0 is spoken here")
    if code != wire.PROTOCOL_3:
        sock.sendall(message(b"v", _INT.pack(0) + _INT.pack(0)))
    told = _parameters(body)
    user = told.get("user", "")
    if not user:
        raise SqlError("28000", "no user name specified in startup packet")
    _check_password(sock, reader, upstream, user)
    database, application = told.get("database", "") or user, told.get("application_name", "")
    backend = _patiently(lambda: upstream.connect(user=user, database=database, application_name=application))
    sock.sendall(
        message(b"R", _INT.pack(0))
        + replies.parameters(backend.parameters)
        + message(b"K", backend.key)
        + message(b"Z", backend.status)
    )
    return backend


def _check_password(sock: socket.socket, reader: Reader, upstream: Upstream, user: str) -> None:
    salt = secrets.token_bytes(accounts.SALT_BYTES)
    sock.sendall(message(b"R", _INT.pack(_MD5_PASSWORD) + salt))
    kind, body = reader.message()
    if kind != b"p":
        raise ProtocolViolation("expected a password")
    said = body.rstrip(b"\0").decode(errors="replace")
    _patiently(lambda: accounts.check(upstream, user, salt, said))


def _patiently(connect: Callable[[], _Connected]) -> _Connected:
    """What `connect` returns once PostgreSQL takes connections."""
    deadline = time.monotonic() + _RECOVERY_S
    while True:
        try:
            return connect()
        except BackendError as error:
            if error.sqlstate not in _RECOVERING or time.monotonic() > deadline:
                raise
        except (BackendGone, OSError) as error:
            if time.monotonic() > deadline:
                raise SqlError("08006", "the database does not answer") from error
        time.sleep(0.1)


def _parameters(body: bytes) -> Mapping[str, str]:
    """The pairs of a startup packet. Those that only Redshift's drivers send are told here and used by nobody."""
    found: dict[str, str] = {}
    place = 0
    while place < len(body) and body[place]:
        name, place = cstring(body, place)
        value, place = cstring(body, place)
        found[name.decode(errors="replace")] = value.decode(errors="replace")
    return found
