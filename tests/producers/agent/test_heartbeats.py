"""When a heartbeat is sent, what it says, and what it takes to stop it."""

import errno
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from consumers.stages.decode import decode
from consumers.stages.heartbeats import heartbeat_row
from contract.heartbeat import Heartbeat
from producers.agent.agent import Agent
from producers.agent.files import FileRecord, Said
from producers.agent.pack import RECORD_LIMIT, Packed, partition_key
from producers.agent.put import ONE_REQUEST
from producers.agent.spool import FORGET_AFTER_S, Host
from producers.agent.state import Ledger, State, read_ledger
from producers.agent.testing import RHYTHM, FakeStream, Fault, agent_on, is_heartbeat
from runtime.outage import Stop
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

LINE = b'{"order_id":"O-1"}'


def append(folder: Path, content: bytes = LINE + b"\n", name: str = "a.ndjson") -> Path:
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "spool" / name
    with path.open("ab") as file:
        file.write(content)
    return path


def drain(folder: Path, stream: FakeStream, clock: ManualClock | None = None) -> bool:
    clock = clock or ManualClock()
    agent, _ = agent_on(folder, stream, clock)
    return agent.run(StopAfter(1_000, clock), once=True)


def claims(stream: FakeStream) -> list[tuple[int, int, bool]]:
    """Offset, file size and whether it is final, of each heartbeat in order."""
    return [(beat.sp.o, beat.size, beat.final) for beat in stream.heartbeats]


class Follower:
    """An agent that is told to go on for a while, and to look around."""

    def __init__(self, folder: Path, stream: FakeStream) -> None:
        self.clock = ManualClock()
        self.agent: Agent
        self.agent, self.state = agent_on(folder, stream, self.clock)
        self.stream = stream

    def go_on(self, seconds: float = 1.0) -> None:
        """As if nobody stopped it: what is left to say is not said."""
        end_s = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end_s:
            self.agent._send_next(StopAfter(100, self.clock))
            self.clock.advance(0.25)


def test_a_drained_file_is_final_with_the_figures_of_its_complete_lines(tmp_path: Path) -> None:
    path = append(tmp_path, b'{"n":1}\n\xff\n\n{"torn"')
    stream = FakeStream()
    assert drain(tmp_path, stream)
    (beat,) = stream.heartbeats
    assert (beat.kind, beat.lines, beat.bytes, beat.size, beat.final) == ("order", 3, 8, 18, True)
    assert beat.crc_sum == sum(zlib.crc32(line) for line in (b'{"n":1}', b"\xff", b""))
    assert (beat.sp.k, beat.sp.o, beat.sp.n, beat.sp.c, beat.sp.h) == ("heartbeat", 11, 0, 0, f"web-1{path}")
    assert beat.sp.f == stream.lines[0].file_id


def test_on_the_stream_it_is_one_json_object(tmp_path: Path) -> None:
    path = append(tmp_path, LINE + b"\n" + LINE + b"\n")
    stream = FakeStream()
    drain(tmp_path, stream)
    record = stream.stored[-1]
    assert json.loads(record.data) == {
        "type": "heartbeat",
        "kind": "order",
        "lines": 2,
        "bytes": 36,
        "crc_sum": 2 * zlib.crc32(LINE),
        "size": 38,
        "final": True,
        "_sp": {
            "k": "heartbeat",
            "f": record.file_id,
            "o": 38,
            "n": 0,
            "c": 0,
            "h": f"web-1{path}",
            "t": "2026-11-27T08:00:00.000Z",
        },
    }
    assert record.key == partition_key(record.file_id)


def test_the_consumers_read_it(tmp_path: Path) -> None:
    append(tmp_path, LINE + b"\ntorn", "\udcff" * 80 + ".ndjson")
    stream = FakeStream()
    drain(tmp_path, stream)
    beat = decode(stream.stored[-1].data)
    assert isinstance(beat, Heartbeat)
    row = heartbeat_row(beat, now := ManualClock().now())
    assert (row.end_offset, row.lines, row.bytes, row.crc_sum) == (19, 1, 18, zlib.crc32(LINE))
    assert (row.file_size, row.final, row.read_at) == (23, True, now)
    assert row.path == stream.heartbeats[0].sp.h


def test_a_path_that_fits_no_column_is_cut() -> None:
    assert len(Host(name="web-1", instance="i-1").place_of("\ufffd" * 4_000).encode()) in range(4_094, 4_097)


def test_what_a_line_claims_to_be_makes_it_no_heartbeat(tmp_path: Path) -> None:
    append(tmp_path, b'{"type":"heartbeat"}\n{"type":"heartbeat","_sp":{"k":"heartbeat"}}\n')
    stream = FakeStream()
    drain(tmp_path, stream)
    assert (len(stream.lines), len(stream.heartbeats)) == (2, 1)


def test_a_file_that_moves_is_spoken_of_every_ten_seconds_and_one_that_rests_every_minute(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    append(tmp_path)
    follower.go_on(9)
    assert claims(stream) == []
    follower.go_on(2)
    assert claims(stream) == [(19, 19, False)]
    for _ in range(3):
        append(tmp_path)
        follower.go_on(10)
    assert 3 <= len(stream.heartbeats) <= 4
    follower.go_on(15)
    said = len(stream.heartbeats)
    follower.go_on(56)
    assert len(stream.heartbeats) == said + 1
    assert claims(stream)[-1] == (76, 76, False)


def test_a_file_without_news_for_long_is_final_once_and_opens_again_when_it_grows(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    append(tmp_path)
    follower.go_on(RHYTHM.final_after_s + 5)
    assert claims(stream)[-2:] == [(19, 19, False), (19, 19, True)]
    said = len(stream.heartbeats)
    follower.go_on(3_600)
    assert len(stream.heartbeats) == said
    append(tmp_path, LINE)
    follower.go_on(90)
    assert claims(stream)[said:] == [(19, 37, False)]
    append(tmp_path, b"\n")
    follower.go_on(15)
    assert claims(stream)[-1] == (38, 38, False)
    follower.go_on(400)
    assert claims(stream)[-1] == (38, 38, True)
    assert [beat.final for beat in stream.heartbeats].count(True) == 2


def test_a_restart_does_not_repeat_what_is_final(tmp_path: Path) -> None:
    append(tmp_path)
    drain(tmp_path, FakeStream())
    follower = Follower(tmp_path, stream := FakeStream())
    follower.go_on(3_600)
    assert stream.stored == []
    assert drain(tmp_path, stream) and stream.stored == []


def test_a_file_that_was_read_to_its_end_and_is_deleted_is_final_at_once(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    path = append(tmp_path, LINE + b"\ntorn")
    follower.go_on(2)
    path.unlink()
    follower.go_on(2)
    assert claims(stream) == [(19, 23, True)]
    follower.go_on(FORGET_AFTER_S / 100)
    assert len(stream.heartbeats) == 1


def test_a_file_that_was_deleted_before_it_was_read_to_its_end_is_never_final(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    append(tmp_path, LINE + b"\n", "lost.ndjson")
    follower.go_on(2)
    append(tmp_path, (LINE + b"\n") * (ONE_REQUEST.lines + 1), "first.ndjson")
    path = append(tmp_path, LINE + b"\n", "lost.ndjson")
    follower.agent._send_next(StopAfter(100, follower.clock))
    path.unlink()
    follower.go_on(120)
    lost = [beat for beat in stream.heartbeats if "lost" in beat.sp.h]
    assert len(lost) >= 2 and not any(beat.final for beat in lost)
    follower.clock.advance(FORGET_AFTER_S)
    follower.go_on(3)
    assert [Path(record.path).name for record in follower.state.records()] == ["first.ndjson"]


def test_a_file_deleted_in_the_middle_of_its_backlog_is_never_final(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    path = append(tmp_path, b"{}\n" * (ONE_REQUEST.lines + 1))
    follower.agent._send_next(StopAfter(100, follower.clock))
    path.unlink()
    follower.go_on(15)
    assert claims(stream) == [(3 * ONE_REQUEST.lines, 3 * ONE_REQUEST.lines + 3, False)]


def test_a_final_file_that_grows_and_is_deleted_unread_is_opened_again(tmp_path: Path) -> None:
    append(tmp_path, name="lost.ndjson")
    drain(tmp_path, FakeStream())
    follower = Follower(tmp_path, stream := FakeStream())
    append(tmp_path, (LINE + b"\n") * (ONE_REQUEST.lines + 1), "first.ndjson")
    path = append(tmp_path, LINE + b"\n", "lost.ndjson")
    follower.agent._send_next(StopAfter(100, follower.clock))
    path.unlink()
    follower.go_on(65)
    assert [(beat.sp.o, beat.final) for beat in stream.heartbeats if "lost" in beat.sp.h] == [(19, False)]


def test_a_line_that_arrives_while_its_file_is_read_is_in_the_size_if_it_was_taken(tmp_path: Path) -> None:
    huge = b"x" * (RECORD_LIMIT + 1) + b"\n"
    path = append(tmp_path, huge)

    def effect(name: str) -> None:
        if name == "refused: write":
            append(tmp_path, b"{}\n{")

    clock, stream = ManualClock(), FakeStream()
    agent, _ = agent_on(tmp_path, stream, clock, effect=effect)
    agent.run(StopAfter(100, clock), once=True)
    assert claims(stream) == [(len(huge) + 3, path.stat().st_size, True)]
    assert stream.heartbeats[0].crc_sum == zlib.crc32(huge[:-1]) + zlib.crc32(b"{}")


def test_a_truncated_file_ends_as_it_was_and_begins_anew(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := FakeStream())
    path = append(tmp_path, LINE + b"\n" + LINE + b"\n")
    follower.go_on(2)
    path.write_bytes(b"{}\n")
    follower.go_on(15)
    assert claims(stream) == [(38, 38, True), (3, 3, False)]
    first, second = (beat.sp.f for beat in stream.heartbeats)
    assert first != second
    assert [record.file_id for record in follower.state.records()] == [second]


def test_a_last_heartbeat_that_was_not_acknowledged_is_sent_after_the_restart(tmp_path: Path) -> None:
    deaf = FakeStream([Fault.NONE] + [Fault.REFUSE] * 1_000)
    follower = Follower(tmp_path, deaf)
    deleted, truncated = append(tmp_path, name="deleted.ndjson"), append(tmp_path, name="truncated.ndjson")
    follower.go_on(1)
    ids = {Path(record.path).name: record.file_id for record in follower.state.records()}
    deleted.unlink()
    truncated.write_bytes(b"")
    follower.go_on(30)
    assert deaf.heartbeats == []
    follower.state.save()
    assert State(tmp_path / "state").followed() == [follower.state.records()[0].key]
    stream = FakeStream()
    Follower(tmp_path, stream).go_on(3)
    assert {(beat.sp.f, beat.sp.o, beat.final) for beat in stream.heartbeats} == {
        (ids["deleted.ndjson"], 19, True),
        (ids["truncated.ndjson"], 19, True),
    }


def test_a_file_deleted_while_the_agent_was_down_is_final_if_it_had_been_read(tmp_path: Path) -> None:
    path = append(tmp_path)
    follower = Follower(tmp_path, FakeStream())
    follower.go_on(1)
    follower.state.save()
    path.unlink()
    stream = FakeStream()
    Follower(tmp_path, stream).go_on(3)
    assert claims(stream) == [(19, 19, True)]


def test_an_orderly_stop_says_what_was_not_said_yet_and_that_it_is_not_the_end(tmp_path: Path) -> None:
    append(tmp_path)
    stream, clock = FakeStream(), ManualClock()
    agent, _ = agent_on(tmp_path, stream, clock)
    agent.run(StopAfter(3, clock))
    assert claims(stream) == [(19, 19, False)]
    agent.run(StopAfter(3, clock))
    assert len(stream.heartbeats) == 1
    assert read_ledger(tmp_path / "state").files[0].said == Said(19, 19, False)


def test_a_stop_while_the_stream_is_away_does_not_try(tmp_path: Path) -> None:
    append(tmp_path)
    clock = ManualClock()
    stream = FakeStream([Fault.NONE] + [Fault.REFUSE] * 100)
    agent, _ = agent_on(tmp_path, stream, clock)
    agent._send_next(StopAfter(10, clock))
    append(tmp_path)
    agent.run(StopAfter(5, clock))
    assert stream.requests == [1] * 6


def test_a_file_with_lines_that_cannot_be_read_now_is_not_drained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, name="closed.ndjson")
    append(tmp_path, name="open.ndjson")
    Follower(tmp_path, before := FakeStream()).agent.run(StopAfter(3, ManualClock()))
    assert claims(before) == [(19, 19, False)] * 2
    closed = append(tmp_path, name="closed.ndjson")
    append(tmp_path, name="open.ndjson")
    real_open = Path.open

    def guarded(path: Path, *arguments: object, **options: object) -> object:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    stream = FakeStream()
    assert not drain(tmp_path, stream)
    (beat,) = stream.heartbeats
    assert (Path(beat.sp.h).name, beat.sp.o, beat.final) == ("open.ndjson", 38, True)


class NoHeartbeats(FakeStream):
    """One that takes lines and throttles each heartbeat."""

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        lines = [line for line in batch if not is_heartbeat(line.data)]
        if lines:
            super().put(lines, stop)
        self.requests += [0] * (not lines)
        return ["ProvisionedThroughputExceededException" if is_heartbeat(line.data) else None for line in batch]


def test_lines_do_not_wait_for_a_heartbeat_that_is_not_taken(tmp_path: Path) -> None:
    follower = Follower(tmp_path, stream := NoHeartbeats())
    for _ in range(60):
        append(tmp_path)
        before_s = follower.clock.monotonic()
        follower.agent._send_next(StopAfter(100, follower.clock))
        assert follower.clock.monotonic() == before_s
        follower.clock.advance(1.0)
    assert len(stream.lines) == 60
    assert 10 < stream.requests.count(0) <= 50


def test_many_heartbeats_are_several_requests_and_a_drain_sends_them_all(tmp_path: Path) -> None:
    for number in range(ONE_REQUEST.lines + 10):
        append(tmp_path, name=f"{number}.ndjson")
    stream = FakeStream([Fault.NONE] * 2 + [Fault.THROTTLE_SOME, Fault.REFUSE, Fault.DROP_ANSWER])
    assert drain(tmp_path, stream)
    assert len({beat.sp.f for beat in stream.heartbeats if beat.final}) == ONE_REQUEST.lines + 10


def test_a_drain_that_is_stopped_before_the_last_heartbeat_does_not_claim_success(tmp_path: Path) -> None:
    append(tmp_path)
    clock = ManualClock()
    agent, _ = agent_on(tmp_path, FakeStream([Fault.NONE] + [Fault.THROTTLE_ALL] * 100), clock)
    assert not agent.run(StopAfter(5, clock), once=True)


def old_state(folder: Path, *paths: Path) -> None:
    """As an agent wrote it that did not count."""
    files = []
    for path in paths:
        status = path.stat()
        record = FileRecord(
            file_id=path.stem, path=str(path), device=status.st_dev, inode=status.st_ino, head_bytes=0,
            head="e3b0c44298fc1c149afbf4c8996fb924", offset=19, acknowledged_lines=1,
        )  # fmt: skip
        new = {"kind", "crc_sum", "size", "lines_end", "is_over", "said"}
        files.append({name: value for name, value in msgspec.to_builtins(record).items() if name not in new})
    (folder / "state").mkdir()
    (folder / "state" / "state.json").write_bytes(msgspec.json.encode({"version": 1, "files": files}))


def test_a_state_of_before_heartbeats_is_counted_from_the_files_and_a_file_that_is_gone_has_none(
    tmp_path: Path,
) -> None:
    there, gone = append(tmp_path, name="there.ndjson"), append(tmp_path, name="gone.ndjson")
    append(tmp_path, b"{}\n", name="there.ndjson")
    old_state(tmp_path, there, gone)
    gone.unlink()
    stream = FakeStream()
    assert drain(tmp_path, stream)
    (beat,) = stream.heartbeats
    assert (beat.sp.f, beat.lines, beat.bytes, beat.final) == ("there", 2, 20, True)
    assert beat.crc_sum == zlib.crc32(LINE) + zlib.crc32(b"{}")
    ledger = read_ledger(tmp_path / "state")
    assert (ledger.version, ledger.acknowledged_lines) == (Ledger().version, 3)


class Crash(Exception):
    """The process ends here."""


def tale(folder: Path, crash_at: int) -> tuple[FakeStream, int]:
    """A file is written, read, truncated, deleted, by an agent that dies before the effect `crash_at`, once.

    Returns the stream and how many effects there were.
    """
    stream, seen = FakeStream([Fault.NONE, Fault.DROP_ANSWER]), 0

    def effect(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == crash_at:
            raise Crash

    stream._effect = effect
    clock = ManualClock()
    agent, _ = agent_on(folder, stream, clock, effect=effect)

    def settled() -> None:
        nonlocal agent
        for _ in range(2):
            try:
                agent.run(StopAfter(50, clock))
            except Crash:
                agent, _ = agent_on(folder, stream, clock, effect=effect)

    path = append(folder, LINE + b"\n" + LINE + b"\ntorn")
    settled()
    path.write_bytes(b"{}\n")
    settled()
    path.unlink()
    settled()
    return stream, seen


def test_a_crash_before_any_effect_takes_no_last_heartbeat_away(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    _, effects = tale(tmp_path / "0", 0)
    assert effects >= 20
    for crash_at in range(1, effects + 1):
        folder = tmp_path / str(crash_at)
        folder.mkdir()
        stream, _ = tale(folder, crash_at)
        last: dict[str, Heartbeat] = {}
        for beat in stream.heartbeats:
            last[beat.sp.f] = beat
        assert {(beat.sp.o, beat.size, beat.lines, beat.final) for beat in last.values()} == {
            (38, 42, 2, True),
            (3, 3, 1, True),
        }, f"effect {crash_at} of {effects}"
        assert read_ledger(folder / "state").acknowledged_lines == 3
