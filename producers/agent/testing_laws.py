"""What holds of a stream whatever happened to the agent that filled it."""

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from contract.heartbeat import Heartbeat
from producers.agent.pack import Packed
from producers.agent.state import Kind, read_ledger
from producers.agent.testing import FakeStream, is_heartbeat, original_of


def assert_checkpoints_acknowledged(folder: Path, stream: FakeStream, kind: Kind = "order") -> None:
    """No byte before a checkpoint on disk is missing from the stream."""
    if not (folder / "state").exists():
        return
    stored = {(record.file_id, record.offset): record.end for record in stream.lines}
    for record in read_ledger(folder / "state", kind).files:
        offset = lines = 0
        while offset < record.offset:
            offset = stored[record.file_id, offset]
            lines += 1
        assert (offset, lines) == (record.offset, record.acknowledged_lines)


def assert_in_order(records: Iterable[Packed]) -> None:
    """The lines of one file with one key were stored in their order, whatever was stored twice."""
    newest: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, int]] = set()
    for record in records:
        if (record.file_id, record.offset) not in seen:
            assert newest.get((record.file_id, record.key), -1) < record.offset
            newest[record.file_id, record.key] = record.offset
            seen.add((record.file_id, record.offset))


def assert_true(stream: FakeStream, contents: list[bytes]) -> dict[str, Heartbeat]:
    """Each heartbeat as it came, against the lines that came before it. Returns each file's newest with its offset."""
    stored: dict[str, dict[int, bytes]] = {}
    last: dict[str, Heartbeat] = {}
    for record in stream.stored:
        if not is_heartbeat(record.data):
            _take_line(stored, record)
            continue
        beat = msgspec.json.decode(record.data, type=Heartbeat)
        lines = list(_lines_before(stored[beat.sp.f], beat.sp.o))
        assert (beat.lines, beat.bytes) == (len(lines), sum(map(len, lines)))
        assert beat.crc_sum == sum(map(zlib.crc32, lines))
        (content,) = (content for content in contents if content.startswith(lines[0] + b"\n"))
        assert content.startswith(b"".join(line + b"\n" for line in lines))
        assert beat.sp.o <= beat.size <= len(content)
        assert not beat.final or beat.sp.o == content.rfind(b"\n", 0, beat.size) + 1
        if beat.sp.f not in last or last[beat.sp.f].sp.o <= beat.sp.o:
            last[beat.sp.f] = beat
    return last


def assert_known_again(stream: FakeStream) -> None:
    """Whatever became of a file, none of its lines came under two ids: no two files begin alike."""
    begin: dict[bytes | None, str] = {}
    for record in stream.lines:
        stamp, line = original_of(record.data)
        if stamp.o == 0:
            assert begin.setdefault(line, stamp.f) == stamp.f


def _lines_before(stored: dict[int, bytes], end: int) -> Iterator[bytes]:
    offset = 0
    while offset < end:
        line = stored[offset]  # KeyError: a heartbeat came before a line that it vouches for
        yield line
        offset += len(line) + 1
    assert offset == end


def _take_line(stored: dict[str, dict[int, bytes]], record: Packed) -> None:
    stamp, line = original_of(record.data)
    assert line is not None
    assert stored.setdefault(stamp.f, {}).setdefault(stamp.o, line) == line
