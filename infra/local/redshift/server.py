"""The listening socket and a thread for each client."""

import logging
import socket
import struct
import threading
from contextlib import suppress

from infra.local.redshift import replies, serving
from infra.local.redshift.backend import Upstream
from infra.local.redshift.errors import BackendGone, ClientGone, SessionEnded, SqlError
from infra.local.redshift.login import log_in
from infra.local.redshift.relay import Client
from infra.local.redshift.session import Session
from infra.local.redshift.wire import Closed, ProtocolViolation, Reader

_LOGIN_S = 30.0  # a client that has not logged in by then is cut off
_CLIENTS = 200  # threads; more than PostgreSQL takes, so that the refusal is its own
_BACKLOG = 128

_log = logging.getLogger(__name__)


class Front:
    """Serves clients from a bound socket until it is stopped."""

    def __init__(self, sock: socket.socket, upstream: Upstream, server: serving.Server) -> None:
        self._sock = sock
        self._upstream = upstream
        self._server = server
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """From here on connections are taken."""
        self._sock.listen(_BACKLOG)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def stop(self) -> None:
        """Take no more connections and cut those that there are."""
        self._stopped = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        with self._lock:
            for client in self._clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                client, _ = self._sock.accept()
            except OSError:
                if self._stopped:
                    return
                _log.exception("a connection could not be taken")
                threading.Event().wait(0.1)  # out of file descriptors, say: let some go
                continue
            with self._lock:
                full = len(self._clients) >= _CLIENTS
                if not full:
                    self._clients.add(client)
            try:
                if full:
                    raise RuntimeError("too many clients")
                threading.Thread(target=self._serve, args=(client,), name="client", daemon=True).start()
            except RuntimeError:  # no thread to be had
                with self._lock:
                    self._clients.discard(client)
                client.close()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._session(sock)
        except (ClientGone, SessionEnded, Closed, OSError):
            pass
        except (ProtocolViolation, struct.error) as error:
            _refuse(sock, SqlError("08P01", f"protocol violation: {error}"))
        except BackendGone:
            _refuse(sock, SqlError("57P01", "terminating connection: the database ended the session"))
        except SqlError as error:
            _refuse(sock, error)
        except Exception:
            _log.exception("a session ended in a way that nobody foresaw")
            _refuse(sock, SqlError("XX000", "internal error"))
        finally:
            with self._lock:
                self._clients.discard(sock)
            sock.close()

    def _session(self, sock: socket.socket) -> None:
        reader = Reader(sock)
        sock.settimeout(_LOGIN_S)
        backend = log_in(sock, reader, self._upstream)
        if backend is None:
            return
        try:
            sock.settimeout(None)
            Session(reader, Client(sock), backend, self._server).run()
        except ClientGone:
            backend.cancel_self()
            raise
        finally:
            backend.close()


def _refuse(sock: socket.socket, error: SqlError) -> None:
    with suppress(OSError):
        sock.sendall(replies.error(error, severity="FATAL"))
