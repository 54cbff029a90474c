"""Compressed files: read once, and never what was sent before they were compressed."""

import gzip
import os
import random
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from producers.agent import likeness
from producers.agent.agent import Agent
from producers.agent.pack import RECORD_LIMIT
from producers.agent.spool import FORGET_AFTER_S
from producers.agent.state import PAST_FILES, State, read_ledger
from producers.agent.testing import FakeStream, Fault, agent_on, original_of
from producers.agent.unpack import Unpacked, text_of
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit


class Follower:
    """An agent on web logs, compressed ones too, in a folder that tests write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stream = FakeStream()
        self.clock = ManualClock()
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.begin()

    def begin(self) -> None:
        """As after a start of the process."""
        self.agent, self.state = self._agent()

    def _agent(self) -> tuple[Agent, State]:
        globs = [f"{self.logs}/{name}" for name in ("access.log", "access.log*.gz", "access.log*.zst")]
        return agent_on(self.folder, self.stream, self.clock, kind="access", globs=globs)

    def drain(self) -> bool:
        return self.agent.run(StopAfter(10_000, self.clock), once=True)

    def write(self, content: bytes, name: str = "access.log") -> Path:
        path = self.logs / name
        with path.open("ab") as file:
            file.write(content)
        return path

    def lines(self) -> list[bytes | None]:
        return [original_of(record.data)[1] for record in self.stream.lines]

    def ids(self) -> set[str]:
        return {original_of(record.data)[0].f for record in self.stream.lines}


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path)


def log_of(first: int, last: int) -> bytes:
    return b"".join(b"request %d\n" % number for number in range(first, last))


def packed(path: Path, *, keep: bool = False, suffix: str = ".gz") -> Path:
    """As gzip or zstd does it."""
    content, target = path.read_bytes(), path.with_name(path.name + suffix)
    target.write_bytes(gzip.compress(content) if suffix == ".gz" else zstandard.compress(content))
    if not keep:
        path.unlink()
    return target


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_an_old_file_is_read_once(follower: Follower, suffix: str) -> None:
    packed(follower.write(log_of(0, 3_000), "access.log.7"), suffix=suffix)
    assert follower.drain()
    assert follower.lines() == log_of(0, 3_000).splitlines()
    follower.begin()
    assert follower.drain()
    assert len(follower.lines()) == 3_000
    beat = follower.stream.heartbeats[-1]
    assert (beat.lines, beat.size, beat.final, beat.sp.o) == (3_000, len(log_of(0, 3_000)), True, beat.size)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("restarts", [True, False])
def test_what_was_followed_and_then_compressed_is_not_sent_again(
    follower: Follower, suffix: str, restarts: bool
) -> None:
    path = follower.write(log_of(0, 1_000))
    follower.drain()
    if restarts:
        follower.begin()
    packed(path, suffix=suffix)
    follower.write(log_of(1_000, 1_010))
    assert follower.drain()
    assert follower.lines() == log_of(0, 1_010).splitlines()
    assert follower.stream.heartbeats[-1].final


def test_what_was_not_sent_before_it_was_compressed_is_sent_under_the_same_id(follower: Follower) -> None:
    path = follower.write(log_of(0, 1_000))
    follower.drain()
    follower.write(log_of(1_000, 1_500) + b"torn")
    packed(path)
    follower.begin()
    assert follower.drain()
    assert follower.lines() == log_of(0, 1_500).splitlines()
    assert len(follower.ids()) == 1
    beat = follower.stream.heartbeats[-1]
    assert (beat.lines, beat.size - beat.sp.o, beat.final) == (1_500, 4, True)


def test_a_copy_beside_the_plain_file_waits_until_that_has_gone(follower: Follower) -> None:
    path = follower.write(log_of(0, 1_000))
    follower.drain()
    packed(path, keep=True)
    for _ in range(2):
        follower.drain()
        follower.begin()
    follower.drain()
    path.unlink()
    follower.clock.advance(2)
    follower.drain()
    assert len(follower.lines()) == 1_000
    assert len(follower.state.followed()) == 1


def test_a_copy_that_was_made_while_its_file_grew_goes_on_if_the_file_is_truncated(follower: Follower) -> None:
    """copytruncate: what was written between the last look and the truncation is in the copy alone."""
    path = follower.write(log_of(0, 1_000))
    follower.drain()
    follower.write(log_of(1_000, 1_200))
    packed(path, keep=True).rename(follower.logs / "access.log.1.gz")
    os.truncate(path, 0)
    follower.write(log_of(5_000, 5_001))
    follower.begin()
    assert follower.drain()
    assert sorted(follower.lines(), key=str) == sorted((log_of(0, 1_200) + log_of(5_000, 5_001)).splitlines(), key=str)


def test_a_copy_of_a_file_that_grows_on_is_not_sent_while_that_is_there(follower: Follower) -> None:
    path = follower.write(log_of(0, 1_000))
    follower.drain()
    packed(path, keep=True)
    for number in range(1_000, 1_003):
        follower.write(log_of(number, number + 1))
        follower.begin()
        follower.drain()
    assert follower.lines() == log_of(0, 1_003).splitlines()


def test_what_only_begins_alike_is_another_file(follower: Follower) -> None:
    path = follower.write(log_of(0, 100) + b"one\n")
    follower.drain()
    path.unlink()
    packed(follower.write(log_of(0, 100) + b"other\n", "access.log.2"))
    assert follower.drain()
    assert len(follower.lines()) == 202
    assert len(follower.ids()) == 2


def test_a_second_copy_is_not_sent_again(follower: Follower) -> None:
    first = packed(follower.write(log_of(0, 500), "access.log.1"))
    follower.drain()
    (follower.logs / "access.log.2.gz").write_bytes(gzip.compress(gzip.decompress(first.read_bytes()), 1))
    assert follower.drain()
    follower.begin()
    assert follower.drain()
    assert len(follower.lines()) == 500


def test_a_renamed_or_touched_one_is_the_same_file(follower: Follower) -> None:
    path = packed(follower.write(log_of(0, 500), "access.log.1"))
    follower.drain()
    path = path.rename(path.with_name("access.log.2.gz"))
    os.utime(path, ns=(1, 1))
    assert follower.drain()
    follower.begin()
    assert follower.drain()
    assert len(follower.lines()) == 500
    assert len(follower.state.followed()) == 1


def test_one_that_is_replaced_in_its_place_is_a_new_file(follower: Follower) -> None:
    path = packed(follower.write(log_of(0, 500), "access.log.1"))
    follower.drain()
    path.write_bytes(gzip.compress(log_of(700, 900)))
    assert follower.drain()
    assert len(follower.lines()) == 700


def test_a_plain_file_that_gets_the_number_of_a_compressed_one_is_read(follower: Follower) -> None:
    path = packed(follower.write(log_of(0, 5), "access.log.1"))
    follower.drain()
    path.rename(plain := follower.logs / "access.log")  # the same number, as a file system may choose it
    plain.write_bytes(b"plain\n")
    follower.clock.advance(2)
    assert follower.drain()
    assert follower.lines()[5:] == [b"plain"]


def test_one_that_is_still_being_written_waits(follower: Follower, caplog: pytest.LogCaptureFixture) -> None:
    content = gzip.compress(random.Random(1).randbytes(50_000).hex("\n", 32).encode() + b"\n")
    path = follower.logs / "access.log.1.gz"
    path.write_bytes(b"")
    assert follower.drain()
    path.write_bytes(content[:-9])
    assert not follower.drain()
    assert follower.stream.lines == []
    assert [line.rsplit(":", 1)[0] for line in caplog.messages if "waits" in line]
    path.write_bytes(content)
    follower.clock.advance(2)
    assert follower.drain()
    assert len(follower.lines()) == len(gzip.decompress(content).splitlines())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("access.log.1.gz", b"plain text\n"),
        ("access.log.1.zst", zstandard.compress(b"request\n" * 9)[:-3]),
        ("access.log.1.gz", gzip.compress(b"request\n")[:-4] + b"\0\0\0\0"),
        ("access.log.1.gz", gzip.compress(b"request\n") + b"rubbish"),
    ],
    ids=["text", "short", "crc", "tail"],
)
def test_what_is_damaged_is_named_and_does_not_stop_the_others(follower: Follower, name: str, content: bytes) -> None:
    (follower.logs / name).write_bytes(content)
    packed(follower.write(log_of(0, 10), "access.log.2"))
    assert not follower.drain()
    assert len(follower.lines()) == 10
    (path,) = follower.agent._spool.unreadable
    assert path.endswith(name)


def test_members_frames_and_padding_are_one_text(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    for content in (
        gzip.compress(b"a\n") + gzip.compress(b"") + gzip.compress(b"b\n") + b"\0" * 100_000,
        zstandard.compress(b"a\n") + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(b"b\n"),
    ):
        whole.write_bytes(content)
        with whole.open("rb") as file:
            assert b"".join(text_of(file)) == b"a\nb\n"


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    size, path = 300 << 20, tmp_path / "bomb"
    for compress in (lambda text: gzip.compress(text), lambda text: zstandard.compress(text, 19)):
        path.write_bytes(compress(bytes(size)))
        tracemalloc.start()
        try:
            text = Unpacked(path.open("rb"), size)
            text.seek(size - 5)
            assert text.read(9) == bytes(5)
            assert tracemalloc.get_traced_memory()[1] < 40 << 20
        finally:
            tracemalloc.stop()
            text.close()


def test_a_text_is_read_from_anywhere(tmp_path: Path) -> None:
    content = random.Random(2).randbytes(5 << 20)
    (tmp_path / "x").write_bytes(gzip.compress(content, 1))
    text = Unpacked((tmp_path / "x").open("rb"), len(content))
    rng = random.Random(3)
    for _ in range(40):
        start, size = rng.randrange(len(content)), rng.randrange(RECORD_LIMIT)
        text.seek(start)
        assert text.read(size) == content[start : start + size]
        assert text.tell() == min(start + size, len(content))
    text.close()


def test_long_lines_and_large_files_go_through_in_steps(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "EXAMINED_AT_ONCE", 100_000)
    huge = b"x" * (3 * RECORD_LIMIT)
    packed(follower.write(log_of(0, 20_000) + huge + b"\n" + log_of(0, 9), "access.log.3"))
    follower.write(b"fresh\n")
    assert follower.drain()
    lines = follower.lines()
    assert lines.index(b"fresh") < 600  # a new line does not wait for an old file's end
    lines.remove(b"fresh")
    assert lines == [*log_of(0, 20_000).splitlines(), None, *log_of(0, 9).splitlines()]
    stamp = next(stamp for stamp, line in (original_of(r.data) for r in follower.stream.lines) if line is None)
    assert (follower.folder / "state" / "refused" / f"{stamp.f}@{stamp.o}").read_bytes() == huge


def test_a_stop_in_the_middle_goes_on_there(follower: Follower) -> None:
    packed(follower.write(log_of(0, 3_000), "access.log.3"))
    follower.stream = FakeStream([Fault.NONE, Fault.THROTTLE_SOME, *[Fault.REFUSE] * 50])
    follower.begin()
    follower.agent.run(StopAfter(3, follower.clock))
    assert 500 < len(follower.lines()) < 1_000
    follower.begin()
    follower.stream._faults = iter([Fault.NONE] * 100)
    assert follower.drain()
    assert set(follower.lines()) == set(log_of(0, 3_000).splitlines())
    assert len(follower.ids()) == 1


def test_a_file_without_a_line_is_looked_at_once(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    (follower.logs / "access.log.1.gz").write_bytes(gzip.compress(b"torn"))
    assert follower.drain()
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("opened"))
    follower.agent.run(StopAfter(50, follower.clock))


def test_files_that_went_are_remembered_a_while(follower: Follower) -> None:
    path = follower.write(log_of(0, 100))
    content = path.read_bytes()
    follower.drain()
    path.unlink()
    follower.agent.run(StopAfter(2, follower.clock))
    follower.clock.advance(FORGET_AFTER_S + 1)
    follower.agent.run(StopAfter(2, follower.clock))
    assert follower.state.followed() == []
    follower.begin()
    (follower.logs / "access.log.9.gz").write_bytes(gzip.compress(content))
    assert follower.drain()
    assert len(follower.lines()) == 100
    assert read_ledger(follower.folder / "state", "access").acknowledged_lines == 100


def test_what_is_remembered_is_bounded(follower: Follower) -> None:
    for number in range(PAST_FILES + 20):
        follower.write(b"request %d\n" % number)
        follower.drain()
        os.truncate(follower.logs / "access.log", 0)
    follower.drain()
    ledger = read_ledger(follower.folder / "state", "access")
    assert len(ledger.past) == PAST_FILES
    assert ledger.acknowledged_lines == PAST_FILES + 20
