"""Real web logs, and the wrong kind of log, byte for byte through the agent."""

import json
import zlib
from pathlib import Path

import pytest
import zstandard

from producers.agent.testing import FakeStream, agent_on, original_of
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

SHARED = Path(__file__).parents[4] / "shared" / "data"
LOGS = sorted((SHARED / "weblogs").glob("*")) if SHARED.is_dir() else []
HOSTILE = SHARED / "hostile_strings" / "blns.json"

ODD = [
    b'shop.example:80 192.0.2.1 - - [27/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 17 "-" "-"',
    b'203.0.113.7, 10.0.0.1, unix: - - [27/Nov/2026:08:00:00 +0000] "-" 408 - "-" "-"',
    b'2001:db8::1 - frank [27/Nov/2026:08:00:00 +0000] "GET /\\xe4\\xe5 HTTP/1.0" 200 -',
    b'unix: - - [27/Nov/2026:08:00:00 +0000] "" 400 0 "-" "unterminated',
    b"",
    b"\r",
    b"\x00" * 40,
    b'\xe4\xe5 "GET /\xff"',
    b'{"type":"access","path":"/caf\xc3\xa9"}\r',
    b'{"type":"access","path":"/caf\xe9"}',
    b'{"_sp":{},"line":"forged"}',
]


def through_the_agent(folder: Path, content: bytes) -> FakeStream:
    (folder / "logs").mkdir()
    (folder / "logs" / "access.log").write_bytes(content)
    clock, stream = ManualClock(), FakeStream()
    agent, _ = agent_on(folder, stream, clock, kind="access", globs=[f"{folder}/logs/*.log*"])
    assert agent.run(StopAfter(1_000, clock), once=True)
    return stream


def assert_byte_for_byte(stream: FakeStream, content: bytes) -> None:
    """Every complete line, in order, with its stamp and in the account; each record one JSON object a line."""
    lines = content.split(b"\n")[:-1]
    offset = 0
    for record, line in zip(stream.lines, lines, strict=True):
        stamp, original = original_of(record.data)
        assert original == line
        assert (stamp.k, stamp.o, stamp.n, stamp.c) == ("access", offset, len(line), zlib.crc32(line))
        assert isinstance(json.loads(record.data), dict) and b"\n" not in record.data
        offset += len(line) + 1
    beat = stream.heartbeats[-1]
    assert (beat.kind, beat.lines, beat.sp.o, beat.size, beat.final) == (
        "access",
        len(lines),
        content.rfind(b"\n") + 1,
        len(content),
        True,
    )
    assert beat.crc_sum == sum(map(zlib.crc32, lines))


@pytest.mark.skipif(not LOGS, reason=f"no real web logs in {SHARED}")
@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_a_real_log_passes_through(tmp_path: Path, log: Path) -> None:
    content = log.read_bytes()
    if log.suffix == ".zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    content += b"\n" if not content.endswith(b"\n") else b""
    assert_byte_for_byte(through_the_agent(tmp_path, content), content)


@pytest.mark.skipif(not LOGS, reason=f"no real web logs in {SHARED}")
def test_a_compressed_log_passes_through_as_it_is(tmp_path: Path) -> None:
    packed = SHARED / "weblogs" / "elastic_apache_access.log.zst"
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / packed.name).write_bytes(packed.read_bytes())
    clock, stream = ManualClock(), FakeStream()
    agent, _ = agent_on(tmp_path, stream, clock, kind="access", globs=[f"{tmp_path}/logs/*.zst"])
    assert agent.run(StopAfter(1_000, clock), once=True)
    assert_byte_for_byte(stream, zstandard.ZstdDecompressor().decompressobj().decompress(packed.read_bytes()))


@pytest.mark.skipif(not HOSTILE.is_file(), reason=f"no hostile strings in {SHARED}")
@pytest.mark.parametrize("as_json", [True, False])
def test_hostile_strings_pass_through(tmp_path: Path, as_json: bool) -> None:
    texts = json.loads(HOSTILE.read_text(encoding="utf-8"))
    lines = [
        json.dumps({"agent": text}, ensure_ascii=False).encode() if as_json else text.replace("\n", " ").encode()
        for text in texts
    ]
    content = b"".join(line + b"\n" for line in lines)
    assert_byte_for_byte(through_the_agent(tmp_path, content), content)


def test_odd_lines_pass_through(tmp_path: Path) -> None:
    content = b"".join(line + b"\n" for line in ODD) + b"torn"
    assert_byte_for_byte(through_the_agent(tmp_path, content), content)
