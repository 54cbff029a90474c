"""Lines to and from the daemon. Its end is noticed at once, also in the middle of a wait."""

import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import IO, Protocol

from runtime.errors import ConfigError

_CHUNK = 1 << 20


class DaemonGone(Exception):
    """The daemon has hung up: there is nobody left to checkpoint for."""


class Wire(Protocol):
    """Lines from the daemon and to it. Every method raises DaemonGone."""

    def receive(self) -> bytes:
        """The next line that is not empty."""
        ...

    def send(self, line: bytes) -> None:
        """`line` ends in a newline."""
        ...

    def wait(self, wait_s: float) -> None:
        """Raises as soon as the daemon is gone."""
        ...


class StreamWire:
    """A file descriptor to read and a file to write. One thread reads ahead: one line at most is under way."""

    def __init__(self, incoming: int, outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._gone = threading.Event()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def receive(self) -> bytes:
        line = self._lines.get()
        if not line:
            self._lines.put(line)  # it stays gone
            raise DaemonGone
        return line

    def send(self, line: bytes) -> None:
        try:
            self._outgoing.write(line)
            self._outgoing.flush()
        except (BrokenPipeError, ValueError) as error:  # ValueError: closed on our side
            raise DaemonGone from error

    def wait(self, wait_s: float) -> None:
        if self._gone.wait(wait_s):
            raise DaemonGone

    def _read(self) -> None:
        # Of the descriptor itself: a thread inside a buffered file would be in the way of the interpreter's end.
        rest = bytearray()
        while chunk := os.read(self._incoming, _CHUNK):
            *lines, last = chunk.split(b"\n")
            for end in lines:
                rest += end
                if rest.strip():
                    self._lines.put(bytes(rest))
                rest.clear()
            rest += last
        # What is left is a line that a dying daemon did not finish.
        self._gone.set()
        self._lines.put(b"")


def stdio() -> StreamWire:
    """This process's stdin and stdout; whatever else prints to stdout prints to stderr from now on.

    Signals that mean "stop" are ignored: Ctrl-C and a service manager send them to the daemon's children too, and it
    is the daemon that stops in good order then. Its end ends them in any case. Raises ConfigError at a terminal.
    """
    if sys.stdin.isatty():
        raise ConfigError("--host kcl is for the MultiLangDaemon to start, see docs/kcl.md: it speaks on stdin")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.flush()
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return StreamWire(sys.stdin.fileno(), outgoing)
