"""Reading the board's stream, as sockets deliver it."""

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.local.viewer import viewing
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextmanager
def board(*pieces: bytes, stays: bool) -> Iterator[str]:
    """Sends `pieces`, then falls silent or goes away."""
    left = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD)
            for piece in pieces:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            if stays:
                left.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        left.set()
        server.join()


def test_each_snapshot_is_shown_once_however_it_is_cut_and_a_silent_board_can_be_left_at_once() -> None:
    shown: queue.Queue[bytes] = queue.Queue()
    pieces = (b"retry: 1000\n\nid: 1\nda", b'ta: {"a":1}\n', b'\n: still here\n\nid: 2\ndata: {"a":2}\n\nid')

    with board(*pieces, stays=True) as url, viewing(url, shown.put):
        found = [shown.get(timeout=10), shown.get(timeout=10)]

    assert found == [b'{"a":1}', b'{"a":2}']
    assert shown.empty()


def test_a_board_that_goes_away_ends_the_stream() -> None:
    shown: queue.Queue[bytes] = queue.Queue()

    with board(b"data: {}\n\n", stays=False) as url, viewing(url, shown.put):
        assert shown.get(timeout=10) == b"{}"
        for thread in threading.enumerate():
            if thread.name == "viewer":
                thread.join(10)
                assert not thread.is_alive()


def test_a_board_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(ConfigError, match=f"^{url}: the board does not answer"), viewing(url, print):
        pass
