"""A viewer of the board without a browser."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import urllib3

from runtime.errors import ConfigError

_SILENCE_S = 30.0  # the board sends a heartbeat every 15 s


@contextmanager
def viewing(board_url: str, shown: Callable[[bytes], None]) -> Iterator[None]:
    """Call `shown` with each snapshot (JSON) that the board sends, in a thread of its own, until the context is left.

    Nothing more is shown once the board has gone away. Raises ConfigError when it is not there to begin with.
    """
    pool = urllib3.PoolManager(retries=False, timeout=_SILENCE_S)
    try:
        stream = pool.request("GET", f"{board_url}/events", preload_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise ConfigError(f"{board_url}: the board does not answer; look at its log") from error
    assert isinstance(stream, urllib3.HTTPResponse)

    def read() -> None:
        with suppress(urllib3.exceptions.HTTPError):
            for line in _lines(stream):
                if line.startswith(b"data: "):
                    shown(line[6:])

    reader = threading.Thread(target=read, name="viewer", daemon=True)
    reader.start()
    try:
        yield
    finally:
        with suppress(RuntimeError, OSError):  # the board was faster, and the connection is closed already
            stream.shutdown()
        reader.join()
        stream.close()


def _lines(stream: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read1(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
