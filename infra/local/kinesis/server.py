"""HTTP/1.1 on asyncio: keep-alive, pipelining, Expect: 100-continue, bounded heads and bodies.

A connection takes one request at a time: while an answer is on its way to a slow client nothing more is read from it,
and a large answer is read from disk as the client takes it. So memory does not depend on how many read how much.
"""

import asyncio
import logging
import socket
import struct
import traceback
import uuid
from collections import deque
from typing import NamedTuple, cast

import httptools
import msgspec

from infra.local.kinesis.bodies import FREE_BYTES, MOST_BODY_BYTES, BodyBudget, Grant
from infra.local.kinesis.errors import KinesisError, internal
from infra.local.kinesis.faults import raised_by
from infra.local.kinesis.operations import TARGET, Api
from infra.local.kinesis.service import Answer, Slice

log = logging.getLogger(__name__)

_MOST_HEAD_BYTES = 64 << 10
_CHUNK = 256 << 10  # of a large answer
_BODY_TIMEOUT_S = 60.0  # a large body that stops half-way gives its room back after this
_LINGER_S = 1.0  # a refused request is read on for this long, or closing would reset the answer away
_JSON = b"application/x-amz-json-1.1"
_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 500: b"Internal Server Error"}


class Call(NamedTuple):
    """One whole request."""

    method: bytes
    path: bytes
    target: str
    body: bytes | bytearray
    keep_alive: bool
    grant: Grant | None  # the room that the body takes


class Connection(asyncio.Protocol):
    """One client's connection. `open_connections` holds it for as long as it lives."""

    def __init__(self, api: Api, budget: BodyBudget, open_connections: "set[Connection]") -> None:
        self._api = api
        self._budget = budget
        self._open = open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._calls: deque[Call] = deque()
        self._sending: tuple[Slice, int] | None = None  # what is left of an answer: from which byte of its log
        self._paused = False  # the client is slow to take what is written
        self._delayed: tuple[asyncio.TimerHandle, int, Answer] | None = None  # an answer held back by a fault
        self._closing = False  # nothing more is read, and the connection closes when all is answered
        self._refusal: KinesisError | None = None
        self._head_bytes = 0
        self._grant: Grant | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._body: bytes | bytearray = b""
        self._reset()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derives from none of asyncio's
        self._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._drop_calls()
        self._sending = None
        if self._delayed:
            self._delayed[0].cancel()
        if self._grant:
            self._grant.release()
        self._stop_timeout()
        self._open.discard(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._proceed()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        waiting = len(self._calls)
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(self._refusal or KinesisError("BadRequest", "not an HTTP/1.1 request"))
        if self._in_body or len(self._calls) > waiting:
            self._head_bytes = 0
        elif self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(KinesisError("RequestHeaderFieldsTooLarge", f"over {_MOST_HEAD_BYTES} bytes of head", 431))
        self._proceed()

    def eof_received(self) -> bool:
        self.finish()
        return True  # stay open until all is answered

    def finish(self) -> None:
        """Close when what has been asked is answered."""
        self._closing = True
        self._proceed()

    # what the parser calls

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"x-amz-target":
            self._target = value.decode("latin-1")
        elif name == b"content-length":
            self._length = int(value)
        elif name == b"expect":
            self._continue = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            self._length = -1

    def on_headers_complete(self) -> None:
        if self._length < 0:
            self._refuse(KinesisError("LengthRequired", "Transfer-Encoding is not served: send Content-Length", 411))
        elif self._length > MOST_BODY_BYTES:
            self._refuse(KinesisError("RequestEntityTooLarge", f"bodies are at most {MOST_BODY_BYTES} bytes", 413))
        elif self._length > FREE_BYTES:
            self._grant = self._budget.ask(self._length, self._proceed)
            self._timeout = asyncio.get_running_loop().call_later(_BODY_TIMEOUT_S, self._transport.abort)
        if self._refusal:
            raise self._refusal  # ends the parsing; data_received meets it as a parser's error
        self._in_body = True

    def on_body(self, part: bytes) -> None:
        if len(part) == self._length:
            self._body = part
            return
        if not isinstance(self._body, bytearray):
            self._body = bytearray(self._length)
        self._body[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def on_message_complete(self) -> None:
        keep_alive = self._parser.should_keep_alive()
        method = self._parser.get_method()
        self._calls.append(Call(method, self._path, self._target, self._body, keep_alive, self._grant))
        self._grant = None
        self._stop_timeout()
        self._reset()

    # the order of things

    def _reset(self) -> None:
        self._in_body = False
        self._path, self._target = b"", ""
        self._body = b""
        self._length = self._filled = 0
        self._continue = False

    def _drop_calls(self) -> None:
        while self._calls:
            grant = self._calls.popleft().grant
            if grant:
                grant.release()

    def _stop_timeout(self) -> None:
        if self._timeout:
            self._timeout.cancel()
            self._timeout = None

    def _refuse(self, error: KinesisError) -> None:
        """Answer what came before, then this, then close."""
        self._refusal = self._refusal or error
        self._closing = True

    def _proceed(self) -> None:
        """Go on with the answer on its way, then with the requests that wait, as far as the client takes it."""
        while not self._paused and not self._delayed:
            if self._sending:
                self._send_more(*self._sending)
            elif self._calls:
                self._answer(self._calls.popleft())
            else:
                break
        if self._transport.is_closing():
            return
        if self._paused or self._delayed or self._sending or self._calls:
            self._transport.pause_reading()
        else:
            self._rest()

    def _rest(self) -> None:
        """All is answered: refuse, close, or read on."""
        if self._refusal:
            self._write(self._refusal.status, _error_body(self._refusal), close=True)
            self._refusal = None
            self._transport.resume_reading()
            asyncio.get_running_loop().call_later(_LINGER_S, self._transport.close)
        elif self._closing:
            self._transport.close()
        elif self._grant and not self._grant.held:
            self._transport.pause_reading()
        else:
            if self._continue:
                self._continue = False
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._transport.resume_reading()

    def _answer(self, call: Call) -> None:
        operation = call.target.removeprefix(TARGET)
        fault = self._api.faults.met_by(operation) if call.method == b"POST" else None
        if fault and fault.fault == "reset":
            self._reset_connection(call)
            return
        refused = raised_by(fault, operation) if fault else None
        status, answer = (refused.status, _error_body(refused)) if refused else self._ask(call)
        if fault and fault.fault == "drop_answer":
            self._reset_connection(call)
            return
        if call.grant:
            call.grant.release()
        if not call.keep_alive:
            self._closing = True
            self._drop_calls()
        if fault and fault.fault == "delay":
            timer = asyncio.get_running_loop().call_later(fault.delay_s, self._end_delay)
            self._delayed = timer, status, answer
        else:
            self._send(status, answer)

    def _end_delay(self) -> None:
        if self._delayed:
            _, status, answer = self._delayed
            self._delayed = None
            self._send(status, answer)
            self._proceed()

    def _reset_connection(self, call: Call) -> None:
        if call.grant:
            call.grant.release()
        self._drop_calls()
        # Linger 0: the client sees a reset, as from a host that went away.
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _send(self, status: int, answer: Answer) -> None:
        if isinstance(answer, Slice):
            self._transport.write(_head(status, answer.length, close=self._closing) + answer.head)
            self._sending = answer, answer.start
        else:
            self._write(status, answer, close=self._closing)

    def _ask(self, call: Call) -> tuple[int, Answer]:
        if call.method == b"GET":
            pages = {b"/health": b'{"status":"ok"}', b"/faults": self._api.faults.described}
            return (200, pages[call.path]) if call.path in pages else (404, b"{}")
        try:
            if call.method == b"PUT" and call.path == b"/faults":
                self._api.faults.replace(call.body)
                return 200, self._api.faults.described
            return 200, self._api.answer(call.target, call.body)
        except KinesisError as error:
            return error.status, _error_body(error)
        except Exception as error:  # a fault of ours: this request fails by name, the server lives
            log.error("%s failed:\n%s", call.target, traceback.format_exc())
            return 500, _error_body(internal(f"{type(error).__name__}: see the server's log"))

    def _send_more(self, answer: Slice, at: int) -> None:
        part = answer.log.read(at, min(_CHUNK, answer.end - at))
        if not part:  # someone else cut the file: what was promised cannot be sent
            self._sending = None
            self._transport.abort()
            return
        at += len(part)
        self._sending = (answer, at) if at < answer.end else None
        self._transport.write(part if self._sending else part + answer.tail)

    def _write(self, status: int, body: bytes, *, close: bool) -> None:
        self._transport.write(_head(status, len(body), close=close) + body)


def _head(status: int, length: int, *, close: bool) -> bytes:
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nx-amzn-RequestId: %b\r\n%b\r\n" % (
        status,
        _REASONS.get(status, b"Refused"),
        _JSON,
        length,
        str(uuid.uuid4()).encode("ascii"),
        b"Connection: close\r\n" if close else b"",
    )


def _error_body(error: KinesisError) -> bytes:
    return msgspec.json.encode({"__type": error.name, "message": error.message})
