"""The agent from spool to stream: the order of its effects, and the law that nothing is lost."""

import contextlib
import errno
import io
import json
import logging
import os
import random
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from producers.agent.pack import RECORD_LIMIT
from producers.agent.put import ONE_REQUEST
from producers.agent.spool import FORGET_AFTER_S
from producers.agent.state import read_ledger
from producers.agent.testing import FakeStream, Fault, agent_on, original_of
from producers.agent.testing_laws import assert_checkpoints_acknowledged, assert_in_order
from producers.agent.testing_shards import FakeShards
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit


def append(folder: Path, content: bytes, name: str = "a.ndjson") -> Path:
    (folder / "spool").mkdir(exist_ok=True)
    path = folder / "spool" / name
    with path.open("ab") as file:
        file.write(content)
    return path


def drain(folder: Path, stream: FakeStream, clock: ManualClock | None = None) -> bool:
    clock = clock or ManualClock()
    agent, _ = agent_on(folder, stream, clock)
    return agent.run(StopAfter(10_000, clock), once=True)


def lines_of(stream: FakeStream) -> list[bytes | None]:
    return [original_of(record.data)[1] for record in stream.lines]


def test_the_checkpoint_follows_the_acknowledgement(tmp_path: Path) -> None:
    append(tmp_path, b'{"order_id":"O-1"}\n{"order_id":"O-2"}\n')
    log: list[str] = []
    clock = ManualClock()
    stream = FakeStream([Fault.DROP_ANSWER, Fault.THROTTLE_ALL], effect=log.append)
    agent, _ = agent_on(tmp_path, stream, clock, effect=log.append)
    assert agent.run(StopAfter(100, clock), once=True)
    new_file = checkpoint = said = ["state: write", "state: rename"]
    lines, heartbeat = ["put", "stored"] * 3, ["put", "stored"]
    assert log == [*new_file, *lines, *checkpoint, *heartbeat, *said]
    (record,) = read_ledger(tmp_path / "state").files
    assert (record.offset, record.acknowledged_lines) == (38, 2)


def test_an_oversize_line_is_kept_before_its_stub_is_sent(tmp_path: Path) -> None:
    huge = b'{"a":"' + b"x" * RECORD_LIMIT + b'"}'
    append(tmp_path, b'{"before":1}\n' + huge + b'\n{"after":1}\n')
    log: list[str] = []
    clock = ManualClock()
    stream = FakeStream(effect=log.append)
    agent, _ = agent_on(tmp_path, stream, clock, effect=log.append)
    assert agent.run(StopAfter(100, clock), once=True)
    save = ["state: write", "state: rename"]
    put = ["put", "stored"]
    assert log == ["refused: write", "refused: rename", *save, *put, *save, *put, *save]
    assert lines_of(stream) == [b'{"before":1}', None, b'{"after":1}']
    stamp, _ = original_of(stream.lines[1].data)
    assert (tmp_path / "state" / "refused" / f"{stamp.f}@13").read_bytes() == huge
    assert json.loads(stream.lines[1].data)["oversize"]["bytes"] == stamp.n == len(huge)
    assert stamp.c == zlib.crc32(huge)


def test_a_line_that_grows_too_long_in_its_envelope_is_kept_as_well(tmp_path: Path) -> None:
    append(tmp_path, b"\x00" * 200_000 + b"\n")
    stream = FakeStream()
    assert drain(tmp_path, stream)
    stamp, _ = original_of(stream.lines[0].data)
    assert (tmp_path / "state" / "refused" / f"{stamp.f}@0").read_bytes() == b"\x00" * 200_000


def test_a_batch_spans_files_and_no_file_waits_for_another_ones_backlog(tmp_path: Path) -> None:
    append(tmp_path, b"{}\n" * 2000, "backlog.ndjson")
    append(tmp_path, b'{"late":1}\n', "late.ndjson")
    stream = FakeStream()
    assert drain(tmp_path, stream)
    assert stream.requests == [500] * 4 + [1, len(stream.heartbeats)]
    assert lines_of(stream).index(b'{"late":1}') == ONE_REQUEST.lines


def test_a_line_is_sent_once_its_lf_is_there(tmp_path: Path) -> None:
    stream = FakeStream()
    append(tmp_path, b'{"order_id"')
    assert drain(tmp_path, stream)
    assert stream.lines == []
    append(tmp_path, b':"O-1"}\n{')
    assert drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"order_id":"O-1"}']


def test_a_restart_goes_on_where_the_acknowledgements_ended(tmp_path: Path) -> None:
    stream = FakeStream()
    append(tmp_path, b'{"n":1}\n')
    drain(tmp_path, stream)
    append(tmp_path, b'{"n":2}\n')
    drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"n":1}', b'{"n":2}']
    first, second = (original_of(record.data)[0] for record in stream.lines)
    assert first.f == second.f and (first.o, second.o) == (0, 8)


def test_a_renamed_file_stays_the_same_file(tmp_path: Path) -> None:
    stream = FakeStream()
    path = append(tmp_path, b'{"n":1}\n')
    drain(tmp_path, stream)
    path.rename(path.with_name("b.ndjson"))
    append(tmp_path, b'{"n":2}\n', "b.ndjson")
    append(tmp_path, b'{"n":3}\n', "a.ndjson")
    drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"n":1}', b'{"n":3}', b'{"n":2}']
    ids = [original_of(record.data)[0].f for record in stream.lines]
    assert ids[0] == ids[2] != ids[1]


def test_a_file_that_rotation_renames_is_read_to_its_end(tmp_path: Path) -> None:
    stream = FakeStream()
    path = append(tmp_path, b'{"n":1}\n')
    drain(tmp_path, stream)
    append(tmp_path, b'{"n":2}\n')
    path.rename(tmp_path / "spool" / "a.ndjson.1")
    append(tmp_path, b'{"n":3}\n')
    drain(tmp_path, stream)
    append(tmp_path, b'{"n":4}\n', "a.ndjson.1")  # by a writer that has not noticed yet
    drain(tmp_path, stream)
    assert sorted(line for line in lines_of(stream) if line) == [b'{"n":%d}' % n for n in (1, 2, 3, 4)]
    ids = {line: original_of(record.data)[0].f for line, record in zip(lines_of(stream), stream.lines, strict=True)}
    assert ids[b'{"n":1}'] == ids[b'{"n":2}'] == ids[b'{"n":4}'] != ids[b'{"n":3}']


def test_another_file_in_the_place_of_a_rotated_one_is_not_read(tmp_path: Path) -> None:
    path = append(tmp_path, b'{"n":1}\n')
    drain(tmp_path, stream := FakeStream())
    path.rename(compressed := tmp_path / "spool" / "a.ndjson.1.gz")
    compressed.write_bytes(b"\x1f\x8b no line of ours\n" * 9)
    assert drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"n":1}']


@pytest.mark.parametrize("content", [b"{}\n", b'{"m":1}\n{"m":2}\n{"m":3}\n', b'{"m":1}\n'])
def test_a_truncated_or_replaced_file_is_a_new_file(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    stream = FakeStream()
    path = append(tmp_path, b'{"n":1}\n')
    drain(tmp_path, stream)
    path.write_bytes(content)
    drain(tmp_path, stream)
    assert lines_of(stream)[1:] == content.splitlines()
    ids = [original_of(record.data)[0].f for record in stream.lines]
    assert ids[0] not in ids[1:]
    assert "truncated or replaced" in caplog.text
    ledger = read_ledger(tmp_path / "state")
    assert (ledger.forgotten_files, ledger.acknowledged_lines) == (1, len(stream.lines))


def test_a_file_replaced_between_its_introduction_and_its_first_line_is_a_new_file(tmp_path: Path) -> None:
    path = append(tmp_path, b'{"n":1}\n')
    with pytest.raises(Crash):
        run_until_crash(tmp_path, FakeStream(), at="stored", nth=1)
    (before,) = read_ledger(tmp_path / "state").files
    path.write_bytes(b'{"m":1}\n')
    stream = FakeStream()
    drain(tmp_path, stream)
    assert original_of(stream.lines[0].data)[0].f != before.file_id


def test_a_deleted_file_is_forgotten_after_a_while_but_its_lines_stay_counted(tmp_path: Path) -> None:
    path = append(tmp_path, b"{}\n{}\n")
    drain(tmp_path, FakeStream())
    path.unlink()
    clock = ManualClock()
    agent, state = agent_on(tmp_path, FakeStream(), clock)
    agent.run(StopAfter(1, clock))
    assert len(state.followed()) == 1
    clock.advance(FORGET_AFTER_S + 1)
    agent.run(StopAfter(1, clock))
    assert state.followed() == []
    assert read_ledger(tmp_path / "state").acknowledged_lines == 2


def test_a_file_that_is_deleted_before_it_was_read_to_its_end_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done, lost = append(tmp_path, b"{}\n", "done.ndjson"), append(tmp_path, b"{}\n", "lost.ndjson")
    clock = ManualClock()
    agent, _ = agent_on(tmp_path, FakeStream([Fault.NONE] + [Fault.REFUSE] * 100), clock)
    agent.run(StopAfter(2, clock))
    append(tmp_path, b"{}\n", "lost.ndjson")
    agent.run(StopAfter(2, clock))
    done.unlink()
    lost.unlink()
    agent.run(StopAfter(2, clock))
    assert [m for m in caplog.messages if "gone" in m] == [
        f"{lost}: gone before it was read to its end, from byte 3 on"
    ]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append(tmp_path, b"{}\n", "closed.ndjson")
    append(tmp_path, b"{}\n", "open.ndjson")
    real_open = Path.open

    def guarded(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "closed.ndjson":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, *arguments, **options)  # type: ignore[call-overload]

    stream = FakeStream()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", guarded)
        clock = ManualClock()
        agent, _ = agent_on(tmp_path, stream, clock)
        assert not agent.run(StopAfter(10, clock))
    assert len(stream.lines) == 1
    assert len([m for m in caplog.messages if "waits: Permission denied; the other files go on" in m]) == 1
    assert drain(tmp_path, stream)
    assert len(stream.lines) == 2


class BadSector(io.FileIO):
    """Its second half cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size) or b""


def test_a_read_error_inside_one_file_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = append(tmp_path, b"{}\n" * 1_000, "a-bad.ndjson")
    append(tmp_path, b"{}\n", "b-good.ndjson")
    drain(tmp_path, stream := FakeStream())
    bad.open("ab").write(b'{"n":1}\n')
    append(tmp_path, b'{"n":2}\n', "b-good.ndjson")
    real_open = Path.open

    def opened(path: Path, *arguments: object, **options: object) -> object:
        return BadSector(path) if path == bad else real_open(path, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        clock = ManualClock()
        agent, _ = agent_on(tmp_path, stream, clock)
        assert not agent.run(StopAfter(10, clock))
    assert lines_of(stream)[1_001:] == [b'{"n":2}']
    assert len([m for m in caplog.messages if "a-bad.ndjson: waits: Input/output error" in m]) == 1
    assert drain(tmp_path, stream)
    assert lines_of(stream)[1_001:] == [b'{"n":2}', b'{"n":1}']


def test_an_oversize_line_that_cannot_be_kept_waits_alone(tmp_path: Path) -> None:
    append(tmp_path, b'{"n":1}\n' + b"x" * (RECORD_LIMIT + 1) + b'\n{"n":2}\n', "a-huge.ndjson")
    append(tmp_path, b'{"n":3}\n', "b.ndjson")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "refused").write_text("a file where the folder should be")
    stream = FakeStream()
    assert not drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"n":1}', b'{"n":3}']
    (tmp_path / "state" / "refused").unlink()
    assert drain(tmp_path, stream)
    assert lines_of(stream) == [b'{"n":1}', b'{"n":3}', None, b'{"n":2}']


def test_a_file_that_is_away_for_an_hour_is_not_sent_again(tmp_path: Path) -> None:
    path = append(tmp_path, b"{}\n")
    stream, clock = FakeStream(), ManualClock()
    agent, _ = agent_on(tmp_path, stream, clock)
    agent.run(StopAfter(2, clock))
    path.rename(tmp_path / "elsewhere")
    for _ in range(2):
        agent.run(StopAfter(2, clock))
        clock.advance(3_600)
    (tmp_path / "elsewhere").rename(path)
    agent.run(StopAfter(2, clock))
    assert len(stream.lines) == 1


def test_a_full_disk_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    append(tmp_path, b"{}\n")
    full = iter([True] * 5)

    def effect(name: str) -> None:
        if name == "state: write" and next(full, False):
            raise OSError(errno.ENOSPC, "No space left on device")

    clock = ManualClock()
    stream = FakeStream()
    agent, _ = agent_on(tmp_path, stream, clock, effect=effect)
    assert agent.run(StopAfter(100, clock), once=True)
    assert len(stream.lines) == 1
    assert [m for m in caplog.messages if m.startswith("disk")] == [
        "disk: [Errno 28] No space left on device; waiting, nothing is lost",
        "disk: well again after 5.0 s",
    ]


def test_an_idle_agent_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path, b"{}\n{")
    clock = ManualClock()
    agent, _ = agent_on(tmp_path, FakeStream(), clock)
    agent.run(StopAfter(3, clock))
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("opened"))
    agent.run(StopAfter(50, clock))


def test_what_is_no_spool_file_is_left_alone(tmp_path: Path) -> None:
    append(tmp_path, b"{}\n", "notes.txt")
    (tmp_path / "spool" / "folder.ndjson").mkdir()
    (tmp_path / "spool" / "dangling.ndjson").symlink_to("nowhere")
    (tmp_path / "spool" / "loop.ndjson").symlink_to("loop.ndjson")
    os.mkfifo(tmp_path / "spool" / "fifo.ndjson")
    append(tmp_path, b"{}\n", "a.ndjson")
    (tmp_path / "spool" / "b.ndjson").symlink_to("a.ndjson")
    stream = FakeStream()
    assert drain(tmp_path, stream)
    assert len(stream.lines) == 1


def test_a_run_that_is_stopped_before_the_end_does_not_claim_to_have_drained(tmp_path: Path) -> None:
    append(tmp_path, b"{}\n")
    clock = ManualClock()
    agent, _ = agent_on(tmp_path, FakeStream([Fault.REFUSE] * 100), clock)
    assert not agent.run(StopAfter(10, clock), once=True)


def test_a_stop_in_the_middle_of_a_batch_leaves_the_checkpoint_before_what_is_not_acknowledged(tmp_path: Path) -> None:
    append(tmp_path, b"{}\n" * 100)
    clock = ManualClock()
    stream = FakeStream([Fault.THROTTLE_SOME, Fault.THROTTLE_ALL])
    agent, _ = agent_on(tmp_path, stream, clock)
    agent.run(StopAfter(2, clock))
    assert 0 < len(stream.lines) < 100
    assert_checkpoints_acknowledged(tmp_path, stream)
    drain(tmp_path, stream)
    assert {original_of(record.data)[0].o for record in stream.lines} == set(range(0, 300, 3))


class Crash(Exception):
    """The process ends here."""


def run_until_crash(folder: Path, stream: FakeStream, *, at: str, nth: int) -> None:
    seen = 0

    def effect(name: str) -> None:
        nonlocal seen
        seen += name == at
        if name == at and seen == nth:
            raise Crash

    clock = ManualClock()
    stream._effect = effect
    try:
        agent, _ = agent_on(folder, stream, clock, effect=effect)
        agent.run(StopAfter(1_000, clock), once=True)
    finally:
        stream._effect = lambda _: None


LINES = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(str.encode),
    st.builds(lambda i: b'{"order_id":"O-%d","customer_id":"C-%d"}' % (i, i % 3), st.integers(0, 99)),
    st.sampled_from(
        [
            b"",
            b"\r",
            b"\x00",
            b"{}\r",
            b'{"_sp":1}',
            b'{"a":"\xff"}',
            b'{"a":' + b"[" * 5000,
            b"[" * 5000 + b"]" * 5000,
            b'{"a":"' + b"x" * RECORD_LIMIT + b'"}',
            b"\x01" * 180_000,
            b'{"a":"' + b"y" * (RECORD_LIMIT - 400) + b'"}',
        ]
    ),
).map(lambda content: content.replace(b"\n", b""))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    files=st.lists(st.lists(LINES, max_size=12), min_size=1, max_size=3),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    faults=st.lists(st.sampled_from(Fault), max_size=12),
    ends=st.lists(st.tuples(st.sampled_from(["crash", "stop"]), st.integers(1, 12)), max_size=6),
    reshard_after=st.none() | st.lists(st.integers(1, 12), max_size=3),
    seed=st.integers(0, 2**16),
)
@example(
    files=[[b"a", b"b"]],
    cuts=[],
    faults=[Fault.THROTTLE_SOME, Fault.THROTTLE_ALL],
    ends=[("stop", 1)],
    reshard_after=None,
    seed=4,
)
@example(
    files=[[b"a", b"b"]],
    cuts=[0.5],
    faults=[Fault.DROP_ANSWER_OF_SOME],
    ends=[("crash", 3), ("crash", 4), ("stop", 1)],
    reshard_after=None,
    seed=0,
)
def test_every_complete_line_arrives_and_nothing_is_invented(
    files: list[list[bytes]],
    cuts: list[float],
    faults: list[Fault],
    ends: list[tuple[str, int]],
    reshard_after: list[int] | None,
    seed: int,
) -> None:
    """Written in pieces, over a faulty stream, by an agent that dies or is stopped anywhere and starts again.

    `reshard_after` None: a plain stream; else one that takes aggregates, so small that there are many.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, clock, rng = Path(name), ManualClock(), random.Random(seed)
        stream = (
            FakeStream(faults, rng=rng)
            if reshard_after is None
            else FakeShards(faults, clock=clock, reshard_after=reshard_after, aggregate_bytes=600, rng=rng)
        )
        contents = [b"".join(line + b"\n" for line in lines) + b"torn" for lines in files]
        edges = sorted(cuts)
        for low, high in zip([0.0, *edges], [*edges, 1.0], strict=True):
            for number, content in enumerate(contents):
                append(folder, content[int(low * len(content)) : int(high * len(content))], f"{number}.ndjson")
            run_to_the_end(folder, stream, ends, clock)
        assert_delivered(folder, stream, contents)
        if reshard_after == []:
            assert_in_order(stream.lines)


def run_to_the_end(folder: Path, stream: FakeStream, ends: list[tuple[str, int]], clock: ManualClock) -> None:
    """The n-th run dies before an effect, or is stopped in a wait, as the n-th of `ends` says; the last one is not."""
    for kind, limit in [*ends, ("drained", 0)]:
        effects = 0

        def effect(_: str, crash_at: int = limit if kind == "crash" else 0) -> None:
            nonlocal effects
            effects += 1
            assert_checkpoints_acknowledged(folder, stream)
            if effects == crash_at:
                raise Crash

        stream._effect = effect
        agent, _ = agent_on(folder, stream, clock, effect=effect)
        with contextlib.suppress(Crash):
            drained = agent.run(StopAfter(limit if kind == "stop" else 10_000, clock), once=True)
            assert drained or kind != "drained"
        assert_checkpoints_acknowledged(folder, stream)


def assert_delivered(folder: Path, stream: FakeStream, contents: list[bytes]) -> None:
    ids = {Path(record.path).name: record.file_id for record in read_ledger(folder / "state").files}
    expected: dict[tuple[str, int], bytes] = {}
    for number, content in enumerate(contents):
        offset = 0
        for line in content.split(b"\n")[:-1]:
            expected[ids[f"{number}.ndjson"], offset] = line
            offset += len(line) + 1
    delivered: dict[tuple[str, int], bytes] = {}
    for packed in stream.lines:
        stamp, original = original_of(packed.data)
        if original is None:
            original = (folder / "state" / "refused" / f"{stamp.f}@{stamp.o}").read_bytes()
        assert (stamp.n, stamp.c) == (len(original), zlib.crc32(original))
        assert delivered.setdefault((stamp.f, stamp.o), original) == original
    assert delivered == expected
