"""One client's session: its messages go to PostgreSQL translated, in batches; COPY, UNLOAD and scripts run here."""

import logging
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

from infra.local.redshift import relay, replies, shows
from infra.local.redshift.actions import Plain
from infra.local.redshift.backend import FAILED, IDLE, Backend
from infra.local.redshift.errors import BackendError, BackendGone, ClientGone, SessionEnded, SqlError
from infra.local.redshift.relay import Client
from infra.local.redshift.serving import Served, Server
from infra.local.redshift.splitting import split
from infra.local.redshift.statements import translated
from infra.local.redshift.wire import Reader, cstring, message

# Messages wait for their Sync up to this size. Less than a unix socket takes without its reader: else both sides
# could wait, PostgreSQL for its answers to be read and we for our messages to be.
_GROUP_BYTES = 1 << 16
_SYNC, _FLUSH = message(b"S"), message(b"H")
_BROKEN = message(b"P", b"\0the front's own error\0\0\0")  # a syntax error aborts a transaction as any error does
_SHORT = struct.Struct("!h")
_NO_PARAMETERS = _SHORT.pack(0)
_Done = TypeVar("_Done")

_log = logging.getLogger(__name__)


class Session:
    """A logged-in client. `run` returns when it leaves."""

    def __init__(self, reader: Reader, client: Client, backend: Backend, server: Server) -> None:
        self._reader = reader
        self._client = client
        self._backend = backend
        self._server = server
        self._served: dict[bytes, Served] = {}  # prepared statements that PostgreSQL does not know
        self._portals: dict[bytes, Served] = {}
        self._retagged: dict[bytes, str] = {}  # prepared statement: the tag that Redshift gives its command
        self._portal_tags: dict[bytes, str] = {}
        self._group = bytearray()
        self._wanted = 0  # answers that the group will get
        self._tags: deque[str | None] = deque()
        self._skipping = False  # after an error, up to the Sync
        backend.watch(client.check)

    def run(self) -> None:
        """Raises ClientGone, BackendGone, wire.Closed, ProtocolViolation, OSError: the session is over then."""
        handlers = {
            b"P": self._parse,
            b"B": self._bind,
            b"D": self._describe,
            b"E": self._execute,
            b"C": self._close,
        }
        while True:
            kind, body = self._reader.message()
            if kind == b"X":
                return
            if kind == b"S":
                self._sync()
                continue
            if self._skipping:  # PostgreSQL skips as well: what it was sent now would never be answered
                continue
            if self._backend.when_idle and self._backend.status == IDLE and not self._group and kind in b"PBQ":
                later, self._backend.when_idle = self._backend.when_idle, None
                later()
            if kind == b"Q":
                self._simple(body)
            elif kind == b"H":
                if not self._reader.buffered():  # more is here: its end will do
                    self._pass_group()
                    self._client.flush()
            elif kind in handlers:
                self._guarded(kind, body, handlers)
            elif kind not in b"dcf":
                self._fail(SqlError("08P01", f"message type {kind!r} is not served"))

    def _guarded(self, kind: bytes, body: bytes, handlers: Mapping[bytes, Callable[[bytes], None]]) -> None:
        try:
            handlers[kind](body)
        except (ClientGone, BackendGone):
            raise
        except SqlError as error:
            self._fail(error)

    # The extended protocol

    def _parse(self, body: bytes) -> None:
        name, place = cstring(body)
        query, place = cstring(body, place)
        statements = split(_text(query))
        if len(statements) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        self._retagged.pop(name, None)
        found = self._translated(statements[0]) if statements else Plain(sql="", tag=None)
        if isinstance(found, Served):
            self._pass_group()
            self._served[name] = found
            self._answer(message(b"1"))
            return
        self._served.pop(name, None)
        if found.tag:
            self._retagged[name] = found.tag
        self._add(replies.parse(name, found.sql, body[place:]))

    def _bind(self, body: bytes) -> None:
        portal, place = cstring(body)
        name, place = cstring(body, place)
        self._portals.pop(portal, None)
        self._portal_tags.pop(portal, None)
        if name in self._served:
            if _parameters(body, place):
                raise SqlError("0A000", "parameters are not supported in this statement")
            self._pass_group()
            self._portals[portal] = self._served[name]
            self._answer(message(b"2"))
            return
        if name in self._retagged:
            self._portal_tags[portal] = self._retagged[name]
        self._add(message(b"B", body))

    def _describe(self, body: bytes) -> None:
        kind, name = body[:1], cstring(body, 1)[0]
        if name not in (self._served if kind == b"S" else self._portals):
            self._add(message(b"D", body))
            return
        self._pass_group()
        self._answer((message(b"t", _NO_PARAMETERS) if kind == b"S" else b"") + message(b"n"))

    def _execute(self, body: bytes) -> None:
        portal, _ = cstring(body)
        if portal not in self._portals:
            self._add(message(b"E", body))
            if not self._skipping:
                self._tags.append(self._portal_tags.get(portal))
            return
        self._pass_group(sync=True)  # now the transaction's state is known
        if not self._skipping:
            self._answer(self._serve(self._portals[portal]))

    def _close(self, body: bytes) -> None:
        kind, name = body[:1], cstring(body, 1)[0]
        mine = self._served if kind == b"S" else self._portals
        (self._retagged if kind == b"S" else self._portal_tags).pop(name, None)
        if mine.pop(name, None) is None:
            self._add(message(b"C", body))
            return
        self._pass_group()
        self._answer(message(b"3"))

    def _sync(self) -> None:
        self._pass_group(sync=True)
        self._skipping = False
        self._ready()

    def _add(self, packed: bytes) -> None:
        if self._group and len(self._group) + len(packed) > _GROUP_BYTES:
            self._pass_group()
            if self._skipping:
                return
        self._group += packed
        self._wanted += 1

    def _pass_group(self, *, sync: bool = False) -> None:
        """Have PostgreSQL answer what waits; with `sync`, up to its ReadyForQuery, which the client is not told."""
        if not sync and not self._wanted:
            return
        self._backend.send(self._group + (_SYNC if sync else _FLUSH))
        wanted, tags = self._wanted, self._tags
        self._group, self._wanted, self._tags = bytearray(), 0, deque()
        if sync:
            failed = relay.until_ready(self._backend, self._client, tags)
        else:
            failed = relay.answers(self._backend, self._client, wanted, tags)
        if failed:
            self._skipping = True
            self._client.flush()  # which may wait for it before it sends more

    def _answer(self, data: bytes) -> None:
        if not self._skipping:
            self._client.put(data)

    def _fail(self, error: SqlError) -> None:
        """Tell the client of an error at once, abort its transaction, and skip to its Sync."""
        self._pass_group()
        if self._skipping:
            return
        self._end_if_fatal(error)
        self._abort()
        self._client.put(replies.error(error))
        self._client.flush()
        self._skipping = True

    def _end_if_fatal(self, error: SqlError) -> None:
        """When PostgreSQL has ended the session, tell the client so and raise SessionEnded."""
        if isinstance(error, BackendError) and error.fatal:
            self._client.put(replies.error(error, severity="FATAL"))
            self._client.flush()
            raise SessionEnded(error.message)

    def _abort(self) -> None:
        self._backend.send(_BROKEN + _FLUSH)
        while self._backend.receive().kind != b"E":
            pass

    # The simple protocol

    def _simple(self, body: bytes) -> None:
        if self._wanted:  # of a client that did not end them with a Sync
            self._pass_group(sync=True)
            if self._skipping:
                return
        try:
            statements = [self._translated(statement) for statement in split(_text(cstring(body)[0]))]
            if any(isinstance(statement, Served) for statement in statements):
                self._in_turn(statements)
            else:
                plain = [statement for statement in statements if isinstance(statement, Plain)]
                self._run([statement.sql for statement in plain], deque(statement.tag for statement in plain))
        except (ClientGone, BackendGone):
            raise
        except SqlError as error:
            self._end_if_fatal(error)
            self._abort()
            self._backend.send(_SYNC)
            while self._backend.receive().kind != b"Z":
                pass
            self._client.put(replies.error(error))
        self._ready()

    def _in_turn(self, statements: "list[Plain | Served]") -> None:
        """Several statements, some of them served here. What was in no transaction gets one for all."""
        own = self._backend.status == IDLE and len(statements) > 1
        if own:
            self._backend.script("begin")
        try:
            for statement in statements:
                if isinstance(statement, Served):
                    self._client.put(self._serve(statement))
                elif self._run([statement.sql], deque([statement.tag])):
                    break
        except SqlError as error:
            if own and not (isinstance(error, BackendError) and error.fatal):
                self._backend.script("rollback")
            raise
        if own and self._backend.status != IDLE:
            self._backend.script("rollback" if self._backend.status == FAILED else "commit")

    def _run(self, statements: list[str], tags: "deque[str | None]") -> bool:
        self._backend.send(message(b"Q", "; ".join(statements).encode() + b"\0"))
        return relay.until_ready(self._backend, self._client, tags)

    # Both

    def _translated(self, statement: str) -> "Plain | Served":
        shown = shows.query(statement)
        found = Plain(sql=shown, tag="SHOW") if shown else _foreseen(lambda: translated(statement))
        if not isinstance(found, Plain) or found.outside_block or found.commits or len(split(found.sql)) > 1:
            return Served(found)
        return found

    def _serve(self, statement: Served) -> bytes:
        """Run it to its end. Returns the notices and the command's completion. Raises SqlError."""
        if self._backend.status == FAILED:
            raise SqlError("25P02", "current transaction is aborted, commands ignored until end of transaction block")
        return _foreseen(lambda: self._server.run(statement, self._backend))

    def _ready(self) -> None:
        self._client.put(message(b"Z", self._backend.status))
        self._client.flush()


def _foreseen(work: Callable[[], _Done]) -> _Done:
    """What `work` returns; an error of ours that nobody foresaw fails the statement and not the session."""
    try:
        return work()
    except (SqlError, ClientGone, BackendGone):
        raise
    except Exception as error:
        _log.exception("a statement failed in a way that nobody foresaw")
        raise SqlError("XX000", f"internal error: {type(error).__name__}") from error


def _text(sql: bytes) -> str:
    try:
        return sql.decode()
    except UnicodeDecodeError as error:
        raise SqlError("22021", 'invalid byte sequence for encoding "UTF8"') from error


def _parameters(bind: bytes, place: int) -> int:
    """How many parameters a Bind brings; `place` is after its names."""
    (formats,) = _SHORT.unpack_from(bind, place)
    return int(_SHORT.unpack_from(bind, place + 2 + 2 * formats)[0])
