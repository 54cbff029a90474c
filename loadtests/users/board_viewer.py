"""Those who watch the board: server-sent events, as the page takes them."""

import time

import gevent
import msgspec
import urllib3
from locust import User, task

from loadtests.users.taking_part import part_of

_SILENCE_S = 30.0  # longer than the board is ever quiet
_AGAIN_S = 1.0


class _Snapshot(msgspec.Struct):
    """What is read of a board's snapshot."""

    fresh_s: float | None = None


class BoardViewer(User):
    """One page that is open. `snapshot`: its time is how old the newest order on it is."""

    def on_start(self) -> None:
        self._url = f"{part_of(self.environment).plan.board_url}/events"
        self._pool = urllib3.PoolManager(retries=False, timeout=_SILENCE_S)

    @task
    def watch(self) -> None:
        """Until the board closes the stream; then again, as a page would."""
        began_s = time.monotonic()
        try:
            stream = self._pool.request("GET", self._url, preload_content=False)
            if stream.status != 200:
                raise urllib3.exceptions.HTTPError(f"status {stream.status}")
        except urllib3.exceptions.HTTPError as error:
            self._fire("open", began_s, error)
            gevent.sleep(_AGAIN_S)
            return
        self._fire("open", began_s)
        try:
            self._read(stream)
        except urllib3.exceptions.HTTPError as error:
            self._fire("viewing that broke off (its length)", began_s, error)
            gevent.sleep(_AGAIN_S)

    def _read(self, stream: urllib3.BaseHTTPResponse) -> None:
        rest = b""
        try:
            while chunk := stream.read1(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        self._shown(line[6:])
        finally:
            stream.close()

    def _shown(self, data: bytes) -> None:
        fresh_s = msgspec.json.decode(data, type=_Snapshot).fresh_s
        if fresh_s is not None:
            self.environment.events.request.fire(
                request_type="BOARD",
                name="snapshot (age of the newest order)",
                response_time=fresh_s * 1000,
                response_length=len(data),
                exception=None,
                context={},
            )

    def _fire(self, name: str, began_s: float, error: Exception | None = None) -> None:
        self.environment.events.request.fire(
            request_type="BOARD",
            name=name,
            response_time=1000 * (time.monotonic() - began_s),
            response_length=0,
            exception=error,
            context={},
        )
