"""A client of HTTP/2 with prior knowledge, as the Java SDK talks to a cleartext endpoint; boto3 can be put on it.

For tests: one thread, one connection, many streams. What is not taken is not acknowledged, so the server meets windows
that stay closed.
"""

import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

_READ = 64 << 10
_TIMEOUT_S = 30.0


class Reply:
    """What comes back on one stream."""

    def __init__(self, owed: int) -> None:
        self.owed = owed  # bytes of the request's body that are still to be sent
        self.headers: dict[str, str] = {}
        self.waiting: deque[tuple[bytes, int]] = deque()  # data, and the bytes it takes of the windows
        self.ended = False
        self.reset: int | None = None  # the error code

    @property
    def status(self) -> int:
        return int(self.headers[":status"])


class Http2Client:
    """One connection to a server on 127.0.0.1. A context manager: it closes with the block."""

    def __init__(self, port: int, *, connection_window: int = 1 << 24) -> None:
        """`connection_window`: bytes that may lie here untaken on all streams together; a stream's own is 64 KiB."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(connection_window)
        self._replies: dict[int, Reply] = {}
        self._flush()

    def __enter__(self) -> "Http2Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def carry(self, client: Any) -> None:
        """Send what a boto3 client asks over this connection from now on."""
        client.meta.events.register("before-send.kinesis", self._sent_by_boto3)

    def ask(self, target: str, body: bytes = b"", *, method: str = "POST", path: str = "/") -> int:
        """Send a request; its stream. Takes in answers meanwhile if the server's windows make it wait."""
        number = self.begin(target, len(body), method=method, path=path)
        self.push(number, body)
        return number

    def begin(self, target: str, length: int, *, method: str = "POST", path: str = "/") -> int:
        """Send a request's head; `length` bytes of body are to follow."""
        number = self._h2.get_next_available_stream_id()
        self._replies[number] = Reply(length)
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "127.0.0.1")]
        headers += [("x-amz-target", target), ("content-length", str(length))]
        self._h2.send_headers(number, headers, end_stream=not length)
        self._flush()
        return number

    def push(self, number: int, body: bytes) -> None:
        """Send the next bytes of a body."""
        reply = self._replies[number]
        while body and not reply.ended:
            most = min(self.room(number), self._h2.max_outbound_frame_size)
            if most > 0:
                part, body = body[:most], body[most:]
                reply.owed -= len(part)
                self._h2.send_data(number, part, end_stream=not reply.owed)
                self._flush()
            else:
                self.take_in()

    def room(self, number: int) -> int:
        """How many bytes of a body the server takes now."""
        return self._h2.local_flow_control_window(number)

    def begun(self, number: int) -> Reply:
        """The reply of a stream, once its headers are here. Raises ConnectionError if the server ended it instead."""
        reply = self._replies[number]
        while not reply.headers:
            if reply.reset is not None:
                raise ConnectionError(f"stream {number} reset: {reply.reset}")
            self.take_in()
        return reply

    def pieces(self, number: int) -> Iterator[bytes]:
        """The body of a stream as it comes; each piece is acknowledged when it is taken."""
        reply = self.begun(number)
        while True:
            while reply.waiting:
                data, size = reply.waiting.popleft()
                self._h2.acknowledge_received_data(size, number)
                self._flush()
                yield data
            if reply.reset is not None:
                raise ConnectionError(f"stream {number} reset: {reply.reset}")
            if reply.ended:
                return
            self.take_in()

    def body(self, number: int) -> bytes:
        return b"".join(self.pieces(number))

    def cancel(self, number: int) -> None:
        """Give a stream up, as a client does that wants no more of it."""
        if not self._replies[number].ended:
            self._h2.reset_stream(number)
            self._flush()

    def take_in(self) -> None:
        """Wait for the next bytes. Raises ConnectionError at their end, TimeoutError after 30 s without any."""
        data = self._socket.recv(_READ)
        if not data:
            raise ConnectionError("the server closed the connection")
        for event in self._h2.receive_data(data):
            self._meet(event)
        self._flush()

    def _meet(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self._replies[event.stream_id].headers = {str(name): str(value) for name, value in event.headers}
        elif isinstance(event, DataReceived):
            self._replies[event.stream_id].waiting.append((event.data, event.flow_controlled_length))
        elif isinstance(event, StreamEnded):
            self._replies[event.stream_id].ended = True
        elif isinstance(event, StreamReset):
            self._replies[event.stream_id].reset = event.error_code
            self._replies[event.stream_id].ended = True

    def _sent_by_boto3(self, request: Any, **_: object) -> AWSResponse:
        number = self.ask(request.headers["X-Amz-Target"].decode(), request.body)
        reply = self.begun(number)
        response = AWSResponse(request.url, reply.status, reply.headers, _Raw(self, number))
        if not request.stream_output:
            _ = response.content
        return response

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())


class _Raw:
    """The body of a reply, as boto3 takes it."""

    def __init__(self, client: Http2Client, number: int) -> None:
        self._client, self._number = client, number

    def stream(self) -> Iterator[bytes]:
        return self._client.pieces(self._number)

    def close(self) -> None:
        self._client.cancel(self._number)
