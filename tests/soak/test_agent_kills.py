"""kill -9 of the agent at random moments, in fifty rounds, while two kinds of files grow, rotate and are compressed.

In each round the next agent brings all that was written into its stream, and every heartbeat is true.
"""

import gzip
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contract.heartbeat import Heartbeat
from producers.agent.state import Kind
from producers.agent.testing import is_heartbeat, original_of
from producers.agent.testing_process import (
    ACCESS,
    ORDERS,
    Kinesis,
    acknowledged,
    finished,
    running_agent,
    settings_file,
    wait_for,
)

pytestmark = pytest.mark.soak

ROUNDS = 50
SEED = 20261127
LINES = 400  # of each kind a round
STREAMS: dict[Kind, str] = {"order": ORDERS, "access": ACCESS}
CATCHES_UP_WITHIN_S = 60.0


class Files:
    """One kind's files: one that grows, renamed ones, compressed ones."""

    def __init__(self, folder: Path, name: str, rng: random.Random) -> None:
        folder.mkdir()
        self._current = folder / name
        self._rng = rng
        self._texts: list[bytes] = []  # of the files that do not grow any more
        self._text = b""
        self._rotated: list[Path] = []
        self.lines = 0

    def texts(self) -> list[bytes]:
        """The content of every file that ever was."""
        return [*self._texts, self._text] if self._text else self._texts

    def write(self, count: int) -> None:
        for _ in range(count):
            line = b'{"n":%d,"text":"%b"}\n' % (self.lines, b"x" * self._rng.randrange(300))
            self.lines += 1
            self._text += line
            with self._current.open("ab") as file:
                file.write(line)

    def rotate(self) -> None:
        """What was renamed the last time is compressed now, while the agent may be anywhere in it."""
        for path in self._rotated:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 1))
            path.unlink()
        number, name = len(self._texts), self._current.name  # both names are among those that the agent reads
        rotated = self._current.with_name(f"a-{number}.ndjson" if name == "a.ndjson" else f"{name}.{number}")
        self._current.rename(rotated)
        self._rotated = [rotated]
        self._texts.append(self._text)
        self._text = b""


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis")
    yield running
    running.kill()


def assert_delivered(kinesis: Kinesis, kind: Kind, texts: list[bytes], *, final: bool) -> None:
    """Every line of every file, each file's under one id; every heartbeat true; at the end the last ones final."""
    stored: dict[str, dict[int, bytes]] = {}
    beats: list[Heartbeat] = []
    for data in kinesis.records(STREAMS[kind]):
        if is_heartbeat(data):
            beats.append(msgspec.json.decode(data, type=Heartbeat))
            continue
        stamp, line = original_of(data)
        assert line is not None and (stamp.k, stamp.n, stamp.c) == (kind, len(line), zlib.crc32(line))
        assert stored.setdefault(stamp.f, {}).setdefault(stamp.o, line) == line
    wanted = {text.split(b"\n")[0]: text for text in texts}
    delivered = {lines[0]: b"".join(lines[offset] + b"\n" for offset in sorted(lines)) for lines in stored.values()}
    assert len(delivered) == len(stored)
    assert delivered == wanted
    for beat in beats:
        lines = [line for offset, line in sorted(stored[beat.sp.f].items()) if offset < beat.sp.o]
        assert (beat.lines, beat.crc_sum) == (len(lines), sum(map(zlib.crc32, lines)))
        assert beat.bytes + beat.lines == beat.sp.o
    if final:
        ends = {(beat.sp.o, beat.crc_sum) for beat in beats if beat.final}
        assert {(len(text), sum(map(zlib.crc32, text.splitlines()))) for text in texts} <= ends


@pytest.mark.timeout(900)
def test_nothing_is_lost_whenever_the_agent_is_killed(tmp_path: Path, kinesis: Kinesis) -> None:
    rng = random.Random(SEED)
    logs = tmp_path / "logs"
    settings = settings_file(
        tmp_path,
        kinesis.endpoint,
        more=f'access_logs = "{logs}/access.log*"\ncompressed = true\nheartbeat_s = 0.2\nfinal_after_s = 2.0\n',
    )
    files: dict[Kind, Files] = {
        "order": Files(tmp_path / "spool", "a.ndjson", rng),
        "access": Files(logs, "access.log", rng),
    }
    for number in range(ROUNDS):
        if rng.random() < 0.4:
            with running_agent(settings):
                time.sleep(rng.uniform(0.3, 1.8))  # anywhere from its imports to its last heartbeat
        with running_agent(settings):
            written = {kind: part.lines for kind, part in files.items()}
            wait_for(
                lambda written=written: all(acknowledged(tmp_path, kind) >= n for kind, n in written.items()),  # type: ignore[misc]
                within_s=CATCHES_UP_WITHIN_S,
            )
            for kind, part in files.items():
                assert_delivered(kinesis, kind, part.texts(), final=False)
            write_some(files, rng)
            time.sleep(rng.uniform(0.0, 0.6))
        print(f"round {number + 1}: {written} lines, all delivered", flush=True)
    assert finished(settings, "drain")[0] == 0
    for kind, part in files.items():
        assert acknowledged(tmp_path, kind) == part.lines
        assert_delivered(kinesis, kind, part.texts(), final=True)


def write_some(files: dict[Kind, Files], rng: random.Random) -> None:
    for part in files.values():
        part.write(LINES // 2)
        if rng.random() < 0.4:
            part.rotate()
        part.write(LINES // 2)
