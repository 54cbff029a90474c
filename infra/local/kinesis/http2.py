"""HTTP/2 on asyncio: many requests at once over one connection, each a stream with windows of its own.

What a client sends is acknowledged as there is room for it, and what it is sent goes as its windows open, in turn over
the streams: a frame is made when it can leave. So memory does not depend on how slowly a client takes its answers.
"""

import asyncio
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from infra.local.kinesis.bodies import FREE_BYTES, MOST_BODY_BYTES, BodyBudget, Grant
from infra.local.kinesis.errors import KinesisError
from infra.local.kinesis.eventstream import CONTENT_TYPE
from infra.local.kinesis.exchange import JSON, Outcome, Outgoing, Request, refusal, request_id, respond
from infra.local.kinesis.feed import Feed
from infra.local.kinesis.http1 import BODY_TIMEOUT_S, MOST_HEAD_BYTES, Open, reset
from infra.local.kinesis.operations import Api
from infra.local.kinesis.subscription import Subscription

_STREAMS = 128  # at once on a connection
_STREAM_WINDOW = 256 << 10  # bytes of a body that may come before they are acknowledged
_TURN = 64 << 10  # bytes that a stream sends before the next one has its turn


class Exchange:
    """One stream: its request as it comes in, then its answer."""

    __slots__ = (
        "answer",
        "body",
        "feed",
        "grant",
        "late",
        "length",
        "method",
        "number",
        "path",
        "ready",
        "target",
        "timer",
        "unacknowledged",
        "whole",
    )

    def __init__(self, number: int, headers: dict[bytes, bytes]) -> None:
        self.number = number
        self.method = headers.get(b":method", b"")
        self.path = headers.get(b":path", b"")
        self.target = headers.get(b"x-amz-target", b"").decode("latin-1")
        self.length = int(headers.get(b"content-length", 0))  # as it says; 0: it does not say
        self.body = bytearray()
        self.unacknowledged = 0
        self.whole = False  # all of the request is here
        self.grant: Grant | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.late: Outcome | None = None  # an answer held back by a fault
        self.answer: Outgoing | None = None
        self.feed: Feed | None = None  # a subscription, whose events are answers one after the other
        self.ready = False  # there may be something to send

    @property
    def request(self) -> Request:
        return Request(self.method, self.path, self.target, self.body)

    def release(self) -> None:
        """Give back the room of the body, and wait for nothing more."""
        if self.feed:
            self.feed.stop()
        if self.late:
            self.late.drop()
        if self.grant:
            self.grant.release()
            self.grant = None
        if self.timer:
            self.timer.cancel()
            self.timer = None


class Http2Connection(asyncio.Protocol):
    """One client's connection. `open_connections` holds it for as long as it lives."""

    def __init__(self, api: Api, budget: BodyBudget, open_connections: set[Open]) -> None:
        self._api = api
        self._budget = budget
        self._open = open_connections
        self._exchanges: dict[int, Exchange] = {}
        self._paused = False  # the client is slow to take what is written
        self._closing = False  # no request is taken any more, and the connection closes when all are answered
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEAD_BYTES,
            },
        )

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derives from none of asyncio's
        self._open.add(self)
        self._h2.initiate_connection()
        # As much as all streams may hold back together: one that waits for room never stops the others.
        self._h2.increment_flow_control_window(_STREAMS * _STREAM_WINDOW)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._abandon()
        self._open.discard(self)

    def pause_writing(self) -> None:
        self._paused = True
        self._transport.pause_reading()  # or answers to pings would pile up

    def resume_writing(self) -> None:
        self._paused = False
        self._transport.resume_reading()
        self._proceed()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
            # A stream that has been reset takes no answer: what came before that in the same bytes is not looked at.
            gone = {event.stream_id for event in events if isinstance(event, StreamReset)}
            for event in events:
                self._meet(event, gone)
        except (ProtocolError, ValueError):  # h2 has written why; ValueError: a content-length that is no number
            self._abandon()
        self._proceed()

    def eof_received(self) -> bool:
        self.finish()
        return True  # stay open until all is answered

    def finish(self) -> None:
        """Close when what has been asked is answered; subscriptions end now."""
        self._closing = True
        for exchange in list(self._exchanges.values()):
            if not exchange.whole:
                self._drop(exchange.number)
            elif exchange.feed:
                exchange.feed.stop()
                exchange.ready = True  # to say that it has ended
        self._proceed()

    def _abandon(self) -> None:
        for exchange in self._exchanges.values():
            exchange.release()
        self._exchanges.clear()
        self._flush()
        self._transport.close()

    # what comes in

    def _meet(self, event: Event, gone: set[int]) -> None:
        if isinstance(event, DataReceived):
            self._fill(event)
        elif isinstance(event, RequestReceived) and event.stream_id not in gone:
            self._begin(event)
        elif isinstance(event, StreamEnded) and event.stream_id not in gone:
            self._answer(event.stream_id)
        elif isinstance(event, StreamReset):
            self._drop(event.stream_id)
        elif isinstance(event, ConnectionTerminated):  # h2 sends nothing more after it
            self._abandon()

    def _begin(self, event: RequestReceived) -> None:
        number, headers = event.stream_id, dict(event.headers)
        if self._closing:
            self._h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        exchange = self._exchanges[number] = Exchange(number, headers)
        if exchange.length > MOST_BODY_BYTES:
            self._refuse(exchange)
        elif exchange.length > FREE_BYTES:
            self._ask_room(exchange, exchange.length)
        if headers.get(b"expect") == b"100-continue":
            self._h2.send_headers(number, [(b":status", b"100")])

    def _fill(self, event: DataReceived) -> None:
        exchange = self._exchanges.get(event.stream_id)
        if exchange is None or exchange.answer:  # refused, or ended: the connection's window is still owed
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return
        exchange.body += event.data
        exchange.unacknowledged += event.flow_controlled_length
        if len(exchange.body) > MOST_BODY_BYTES:
            self._refuse(exchange)
        elif len(exchange.body) > FREE_BYTES and not exchange.grant:
            self._ask_room(exchange, MOST_BODY_BYTES)
        self._acknowledge(exchange)

    def _ask_room(self, exchange: Exchange, size: int) -> None:
        def granted() -> None:
            self._acknowledge(exchange)
            self._flush()

        exchange.grant = self._budget.ask(size, granted)
        exchange.timer = asyncio.get_running_loop().call_later(BODY_TIMEOUT_S, self._time_out, exchange.number)

    def _acknowledge(self, exchange: Exchange) -> None:
        if exchange.unacknowledged and (exchange.grant is None or exchange.grant.held):
            self._h2.acknowledge_received_data(exchange.unacknowledged, exchange.number)
            exchange.unacknowledged = 0

    def _time_out(self, number: int) -> None:
        self._drop(number)
        self._h2.reset_stream(number, ErrorCodes.CANCEL)
        self._flush()

    def _drop(self, number: int) -> None:
        exchange = self._exchanges.pop(number, None)
        if exchange:
            exchange.release()
            self._acknowledge(exchange)  # what it held back of the connection's window is the others'

    # what goes out

    def _refuse(self, exchange: Exchange) -> None:
        exchange.release()
        exchange.body = bytearray()
        error = KinesisError("RequestEntityTooLarge", f"bodies are at most {MOST_BODY_BYTES} bytes", 413)
        self._send(exchange, refusal(error))

    def _answer(self, number: int) -> None:
        exchange = self._exchanges.get(number)
        if exchange is None:
            return
        exchange.whole = True
        if exchange.answer:
            return
        outcome = respond(self._api, exchange.request)
        exchange.release()
        exchange.body = bytearray()
        if outcome is None:
            reset(self._transport)
        elif outcome.delay_s:
            loop = asyncio.get_running_loop()
            exchange.timer = loop.call_later(outcome.delay_s, self._end_delay, exchange, outcome)
            exchange.late = outcome
        else:
            self._send(exchange, outcome)

    def _end_delay(self, exchange: Exchange, outcome: Outcome) -> None:
        exchange.timer = exchange.late = None
        self._send(exchange, outcome)
        self._proceed()

    def _send(self, exchange: Exchange, outcome: Outcome) -> None:
        headers = [(b":status", b"%d" % outcome.status), (b"x-amzn-requestid", request_id())]
        if isinstance(outcome.answer, Subscription):
            exchange.feed = Feed(outcome.answer, lambda: self._ring(exchange))
            headers.append((b"content-type", CONTENT_TYPE))
        else:
            exchange.answer = Outgoing(outcome.answer)
            headers += [(b"content-type", JSON), (b"content-length", b"%d" % exchange.answer.left)]
        exchange.ready = True
        self._h2.send_headers(exchange.number, headers)

    def _ring(self, exchange: Exchange) -> None:
        exchange.ready = True
        self._proceed()

    def _proceed(self) -> None:
        """Send what windows and the transport let through, in turn; close if that was all."""
        moved = True
        while moved and not self._paused and not self._transport.is_closing():
            moved = False
            for exchange in list(self._exchanges.values()):
                moved = (exchange.ready and self._take_turn(exchange)) or moved
            self._flush()
        if self._closing and not self._exchanges and not self._transport.is_closing():
            self._h2.close_connection()
            self._flush()
            self._transport.close()

    def _take_turn(self, exchange: Exchange) -> bool:
        """Whether anything of the answer went."""
        number, turn = exchange.number, _TURN
        while turn > 0:
            most = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size, turn)
            if most <= 0 or not (exchange.answer or self._listen(exchange)):
                break
            assert exchange.answer
            try:
                part = exchange.answer.take(most)
            except EOFError:  # what was promised cannot be sent
                self._time_out(number)
                return True
            turn -= len(part)
            over = not exchange.answer.left
            self._h2.send_data(number, part, end_stream=over and exchange.feed is None)
            if over:
                exchange.answer = None
                if exchange.feed is None:
                    self._end(exchange)
                    return True
        return turn < _TURN

    def _listen(self, exchange: Exchange) -> bool:
        """Whether there is a next event to send."""
        feed = exchange.feed
        if feed is None:
            return False
        told = feed.subscription.poll()
        if told:
            exchange.answer = Outgoing(told)
        elif feed.subscription.broken:
            reset(self._transport)
        elif feed.subscription.ended:
            self._h2.end_stream(exchange.number)
            self._end(exchange)
        else:
            exchange.ready = False
            feed.wait()
        return told is not None

    def _end(self, exchange: Exchange) -> None:
        self._drop(exchange.number)
        if not exchange.whole:  # refused
            self._h2.reset_stream(exchange.number, ErrorCodes.NO_ERROR)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
