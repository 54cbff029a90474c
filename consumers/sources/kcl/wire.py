"""Lines to and from the daemon. Its end is noticed at once, also in the middle of a wait."""

import os
import sys
import threading
from queue import SimpleQueue
from typing import IO, Protocol


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
    """Two streams of lines. One thread reads ahead: the daemon has at most one line under way."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._gone = threading.Event()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def receive(self) -> bytes:
        line = self._lines.get()
        if not line:
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
        # A last line without its end is one that a dying daemon did not finish.
        while (line := self._incoming.readline()).endswith(b"\n"):
            if line.strip():
                self._lines.put(line)
        self._gone.set()
        self._lines.put(b"")


def stdio() -> StreamWire:
    """This process's stdin and stdout. From now on whatever else prints to stdout prints to stderr instead."""
    sys.stdout.flush()
    outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return StreamWire(sys.stdin.buffer, outgoing)
