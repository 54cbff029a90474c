"""Lines over real pipes: they come in whatever pieces, and the end is noticed at once."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import pytest

from consumers.sources.kcl.wire import DaemonGone, StreamWire

pytestmark = pytest.mark.unit


class _Pipes:
    def __init__(self) -> None:
        incoming, self.daemon_writes = os.pipe()
        self.daemon_reads, outgoing = os.pipe()
        self._files = [incoming, self.daemon_writes, self.daemon_reads]
        self._outgoing = os.fdopen(outgoing, "wb")
        self.wire = StreamWire(incoming, self._outgoing)

    def hang_up(self) -> None:
        for descriptor in (self.daemon_reads, self.daemon_writes):
            if descriptor in self._files:
                self._files.remove(descriptor)
                os.close(descriptor)

    def close(self) -> None:
        self.hang_up()
        with pytest.raises(DaemonGone):
            while True:
                self.wire.receive()
        for descriptor in self._files:
            os.close(descriptor)
        with contextlib.suppress(BrokenPipeError):
            self._outgoing.close()


@pytest.fixture
def pipes() -> Iterator[_Pipes]:
    made = _Pipes()
    yield made
    made.close()


def test_lines_come_whole_and_empty_ones_do_not_count(pipes: _Pipes) -> None:
    for piece in (b"\n", b"one", b" and", b"\ntwo\n", b" \nthr", b"ee\n"):
        os.write(pipes.daemon_writes, piece)
    assert [pipes.wire.receive().strip() for _ in range(3)] == [b"one and", b"two", b"three"]


def test_a_line_longer_than_any_pipe(pipes: _Pipes) -> None:
    line = b"x" * 3_000_000
    writer = threading.Thread(target=lambda: os.write(pipes.daemon_writes, line) + os.write(pipes.daemon_writes, b"\n"))
    writer.start()
    assert pipes.wire.receive() == line
    writer.join()


def test_what_is_sent_is_there_at_once(pipes: _Pipes) -> None:
    pipes.wire.send(b"done\n")
    assert os.read(pipes.daemon_reads, 100) == b"done\n"


def test_a_line_that_the_daemon_did_not_finish_is_none(pipes: _Pipes) -> None:
    os.write(pipes.daemon_writes, b'whole\n{"action":"leas')
    pipes.hang_up()
    assert pipes.wire.receive() == b"whole"
    with pytest.raises(DaemonGone):
        pipes.wire.receive()


def test_a_daemon_that_hangs_up_ends_a_wait_and_takes_no_more(pipes: _Pipes) -> None:
    threading.Timer(0.05, pipes.hang_up).start()
    started = time.monotonic()
    with pytest.raises(DaemonGone):
        pipes.wire.wait(30.0)
    assert time.monotonic() - started < 10.0
    with pytest.raises(DaemonGone):
        pipes.wire.send(b"late\n")
