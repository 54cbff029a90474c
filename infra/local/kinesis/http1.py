"""HTTP/1.1 on asyncio: keep-alive, pipelining, Expect: 100-continue, bounded heads and bodies.

A connection takes one request at a time: while an answer is on its way to a slow client nothing more is read from it,
and a large answer is read from disk as the client takes it. So memory does not depend on how many read how much.
"""

import asyncio
import socket
import struct
from collections import deque
from typing import NamedTuple, Protocol, cast

import httptools

from infra.local.kinesis.bodies import FREE_BYTES, MOST_BODY_BYTES, BodyBudget, Grant
from infra.local.kinesis.errors import KinesisError
from infra.local.kinesis.eventstream import CONTENT_TYPE
from infra.local.kinesis.exchange import JSON, Outcome, Outgoing, Request, refusal, request_id, respond
from infra.local.kinesis.feed import Feed
from infra.local.kinesis.operations import Api
from infra.local.kinesis.subscription import Subscription

MOST_HEAD_BYTES = 64 << 10
_CHUNK = 256 << 10  # of a large answer
BODY_TIMEOUT_S = 60.0  # a large body that stops half-way gives its room back after this
_LINGER_S = 1.0  # a refused request is read on for this long, or closing would reset the answer away
_REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 500: b"Internal Server Error"}


class Call(NamedTuple):
    """One whole request, and what goes with it."""

    request: Request
    keep_alive: bool
    grant: Grant | None  # the room that the body takes


class Open(Protocol):
    """A client's connection, whatever HTTP it speaks."""

    def finish(self) -> None:
        """Close when what has been asked is answered."""
        ...


class Connection(asyncio.Protocol):
    """One client's connection. `open_connections` holds it for as long as it lives."""

    def __init__(self, api: Api, budget: BodyBudget, open_connections: set[Open]) -> None:
        self._api = api
        self._budget = budget
        self._open = open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._calls: deque[Call] = deque()
        self._sending: Outgoing | None = None
        self._feed: Feed | None = None  # the subscription that is being answered
        self._paused = False  # the client is slow to take what is written
        self._delayed: tuple[asyncio.TimerHandle, Outcome] | None = None  # an answer held back by a fault
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
        if self._feed:
            self._feed.stop()
        if self._delayed:
            self._delayed[0].cancel()
            self._delayed[1].drop()
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
        elif self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(KinesisError("RequestHeaderFieldsTooLarge", f"over {MOST_HEAD_BYTES} bytes of head", 431))
        self._proceed()

    def eof_received(self) -> bool:
        self.finish()
        return True  # stay open until all is answered

    def finish(self) -> None:
        """Close when what has been asked is answered; a subscription ends now."""
        self._closing = True
        if self._feed:
            self._feed.stop()
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
            self._timeout = asyncio.get_running_loop().call_later(BODY_TIMEOUT_S, self._transport.abort)
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
        request = Request(self._parser.get_method(), self._path, self._target, self._body)
        self._calls.append(Call(request, keep_alive, self._grant))
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
                self._send_more(self._sending)
            elif self._feed:
                if not self._tell(self._feed):
                    break
            elif self._calls:
                self._answer(self._calls.popleft())
            else:
                break
        if self._transport.is_closing():
            return
        if self._paused or self._delayed or self._sending or self._calls:
            self._transport.pause_reading()
        elif self._feed:
            self._transport.resume_reading()  # or nobody would see the client go
        else:
            self._rest()

    def _rest(self) -> None:
        """All is answered: refuse, close, or read on."""
        if self._refusal:
            self._send(refusal(self._refusal))
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
        outcome = respond(self._api, call.request)
        if call.grant:
            call.grant.release()
        if outcome is None:
            self._drop_calls()
            reset(self._transport)
            return
        if not call.keep_alive:
            self._closing = True
            self._drop_calls()
        if outcome.delay_s:
            timer = asyncio.get_running_loop().call_later(outcome.delay_s, self._end_delay)
            self._delayed = timer, outcome
        else:
            self._send(outcome)

    def _end_delay(self) -> None:
        if self._delayed:
            _, outcome = self._delayed
            self._delayed = None
            self._send(outcome)
            self._proceed()

    def _send(self, outcome: Outcome) -> None:
        """The head, and as much of the answer as goes with it in one write."""
        if isinstance(outcome.answer, Subscription):
            self._transport.write(_head(outcome.status, None, close=self._closing))
            self._feed = Feed(outcome.answer, self._proceed)
            return
        sending = Outgoing(outcome.answer)
        head = _head(outcome.status, sending.left, close=self._closing)
        self._transport.write(head + sending.take(_CHUNK))
        self._sending = sending if sending.left else None

    def _send_more(self, sending: Outgoing) -> None:
        try:
            part = sending.take(_CHUNK)
        except EOFError:  # what was promised cannot be sent
            self._sending = None
            self._transport.abort()
            return
        self._sending = sending if sending.left else None
        self._transport.write(part)

    def _tell(self, feed: Feed) -> bool:
        """Send the next event as a chunk; whether to go on."""
        told = feed.subscription.poll()
        if told:
            self._transport.write(b"%x\r\n%b\r\n" % (len(told), told))
        elif feed.subscription.broken:
            reset(self._transport)
        elif feed.subscription.ended:
            feed.stop()
            self._feed = None
            self._transport.write(b"0\r\n\r\n")
            return True
        else:
            feed.wait()
        return told is not None


def reset(transport: asyncio.Transport) -> None:
    """Linger 0: the client sees a reset, as from a host that went away."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _head(status: int, length: int | None, *, close: bool) -> bytes:
    """`length` None: events, in chunks."""
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\n%b\r\nx-amzn-RequestId: %b\r\n%b\r\n" % (
        status,
        _REASONS.get(status, b"Refused"),
        CONTENT_TYPE if length is None else JSON,
        framing,
        request_id(),
        b"Connection: close\r\n" if close else b"",
    )
