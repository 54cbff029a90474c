"""The access log: one JSON object a line for every request that was answered.

A line is what nginx with `nginx/access_json.conf` writes: the same fields, and an empty text for what a request lacks.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.clock import Clock

LONGEST_WAIT_S = 1.0  # a line is in the file at most this much later
FLUSH_AT = 64 * 1024  # bytes
LARGEST_BUFFER = 4 * 1024 * 1024  # bytes kept while the file cannot be written; then lines are dropped and counted

_PORT = re.compile(r":\d*$")

_log = logging.getLogger(__name__)


class AccessLog:
    """The file and the lines on their way to it. Used from one event loop."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._dropped = 0

    def append(self, entry: dict[str, Any]) -> None:
        """Take one line. It is written within a second, or counted as dropped when the file stays unwritable."""
        line = msgspec.json.encode(entry) + b"\n"
        if len(self._buffer) + len(line) > LARGEST_BUFFER:
            self._dropped += 1
            return
        self._buffer += line
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT_S, self.flush)
        elif FLUSH_AT <= len(self._buffer) < FLUSH_AT + len(line):
            self.flush()

    def flush(self) -> None:
        """Write what is buffered. What could not be written stays for the next flush."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._write()
        except OSError as error:
            _log.error("%s: access log not written, %d bytes wait: %s", self._file, len(self._buffer), error.strerror)
        else:
            if self._dropped:
                _log.error(
                    "%s: %d access log lines were dropped while it could not be written", self._file, self._dropped
                )
                self._dropped = 0

    def _write(self) -> None:
        if not self._buffer:
            return
        # Opened anew each time: a log rotated by renaming is left to whoever reads it to its end.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            while self._buffer:
                # A disk that fills up takes a part: the rest of a torn line goes after it once there is room.
                del self._buffer[: os.write(descriptor, self._buffer)]
        finally:
            os.close(descriptor)


class LogRequests:
    """ASGI middleware, outermost: appends a line to `log` when an answer has been sent, or could not be."""

    def __init__(self, app: ASGIApp, *, log: AccessLog, clock: Clock, new_id: Callable[[], str]) -> None:
        self._app = app
        self._log = log
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()
        status, sent = 500, 0

        async def count(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, count)
        finally:
            self._log.append(
                {
                    "type": "access",
                    "request_id": self._new_id(),
                    "time": round(self._clock.now().timestamp(), 3),  # UTC seconds, when the answer had been sent
                    **_request(scope),
                    "status": status,
                    "bytes": sent,  # of the body
                    "duration_s": round(self._clock.monotonic() - began, 3),
                    **_client(scope),
                }
            )


def _request(scope: Scope) -> dict[str, Any]:
    headers = Headers(scope=scope)
    host = headers.get("host", "").lower()
    path, query = scope.get("raw_path", scope["path"].encode()), scope["query_string"]
    return {
        "address": scope["client"][0] if scope.get("client") else "",
        "forwarded_for": ", ".join(headers.getlist("x-forwarded-for")),
        "host": _PORT.sub("", host),
        "method": scope["method"],
        "path": (path + b"?" + query if query else path).decode("latin-1"),  # as it was requested
        "protocol": f"HTTP/{scope['http_version']}",
    }


def _client(scope: Scope) -> dict[str, Any]:
    headers = Headers(scope=scope)
    return {
        "referer": headers.get("referer", ""),
        "agent": headers.get("user-agent", ""),
        "session": scope.get("session_id") or "",
    }
