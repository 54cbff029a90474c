"""The first bytes of a connection say which HTTP it speaks: HTTP/2 with prior knowledge opens with `PRI `.

RFC 9113, section 3.4. No method of HTTP/1.1 that is served begins with those letters.
"""

import asyncio
from typing import cast

from infra.local.kinesis.bodies import BodyBudget
from infra.local.kinesis.http1 import Connection, Open
from infra.local.kinesis.http2 import Http2Connection
from infra.local.kinesis.operations import Api

_PREFACE = b"PRI "


class Front(asyncio.Protocol):
    """A new connection, until it has said what it speaks. `open_connections` holds it for as long as it lives."""

    def __init__(self, api: Api, budget: BodyBudget, open_connections: set[Open]) -> None:
        self._parts = (api, budget, open_connections)
        self._open = open_connections
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derives from none of asyncio's
        self._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)

    def finish(self) -> None:
        """Close: nothing has been asked."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard != _PREFACE[: len(self._heard)] or len(self._heard) == len(_PREFACE):
            chosen = Http2Connection if self._heard.startswith(_PREFACE) else Connection
            protocol = chosen(*self._parts)
            self._open.discard(self)
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(self._heard)
