"""The newest snapshot for any number of viewers, as server-sent events.

There is no queue: a viewer who is slow finds the newest snapshot when it is ready for one and skips those between,
so a hundred slow viewers cost as little as one. The framing is that of the HTML standard, "Server-sent events".
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from dashboards.board.snapshot import Snapshot

# Browsers wait this long before they connect again.
RETRY_MS = 1000
# Proxies commonly cut a connection that is silent for 60 s.
HEARTBEAT_S = 15.0
HEARTBEAT = b": still here\n\n"


class Event(NamedTuple):
    """One event, framed once for all viewers."""

    event_id: str
    frame: bytes


def framed(event_id: str, data: bytes) -> bytes:
    """`data` (no newline in it: JSON) as one event."""
    return b"id: " + event_id.encode() + b"\ndata: " + data + b"\n\n"


class Feed:
    """One publisher, many viewers; all in one event loop. `run` makes ids differ between two runs of the board."""

    def __init__(self, run: str, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._run = run
        self._heartbeat_s = heartbeat_s
        self._count = 0
        self._newest: Event | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self.viewers = 0
        self.watched = asyncio.Event()  # set while there are viewers
        self.deserted = asyncio.Event()  # set while there are none
        self.deserted.set()

    def publish(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the newest."""
        self._count += 1
        event_id = f"{self._run}-{self._count}"
        self._newest = Event(event_id, framed(event_id, msgspec.json.encode(snapshot)))
        self._wake()

    def forget(self) -> None:
        """There is no newest any more: it is too old to greet the next viewer with."""
        self._newest = None

    def close(self) -> None:
        """End every viewer's stream, after the newest snapshot."""
        self._closed = True
        self._wake()

    async def events(self, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
        """One viewer's stream: the newest snapshot unless it is `last_event_id`, then each newer one, or heartbeats."""
        with self._viewer():
            yield f"retry: {RETRY_MS}\n\n".encode()
            seen = last_event_id
            while True:
                newest, changed = self._newest, self._changed
                if newest is not None and newest.event_id != seen:
                    seen = newest.event_id
                    yield newest.frame
                elif self._closed:
                    return
                elif not await _set_within(changed, self._heartbeat_s):
                    yield HEARTBEAT

    @contextmanager
    def _viewer(self) -> Iterator[None]:
        self.viewers += 1
        self.watched.set()
        self.deserted.clear()
        try:
            yield
        finally:
            self.viewers -= 1
            if not self.viewers:
                self.watched.clear()
                self.deserted.set()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
