"""The Java KCL's lock files, what its peers write down, and a short history of the real thing."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from consumers.delivery import Batch, Position, Record, Shard
from infra.local.jars.lock import read_lock
from infra.local.testing import fast, local_stack
from loadtests.bench.fleet_kcl import drain
from loadtests.kcl import java
from loadtests.kcl.check import check
from loadtests.kcl.counting import counted_in
from loadtests.kcl.recording import Opened, Recorded, RecordingPath, Took
from loadtests.kcl.sending import Sender
from runtime.aws import client

SHARD = Shard(stream="s", shard_id="shardId-000000000000")


@pytest.mark.unit
@pytest.mark.parametrize("release", java.RELEASES)
def test_a_release_is_locked_with_its_daemon(release: str) -> None:
    text = Path(java.__file__).with_name(f"{release}.lock").read_text(encoding="utf-8")
    lock = read_lock(text, java.CORE)
    assert lock.version == release
    assert "software.amazon.kinesis:amazon-kinesis-client-multilang:" in text
    assert text.splitlines() == sorted(text.splitlines())


@pytest.mark.unit
def test_what_was_taken_is_written_down_whole_or_not_at_all(tmp_path: Path) -> None:
    file = os.open(tmp_path / "java-1", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    path = RecordingPath(SHARD, "java-1", file)
    path.resume(Position(4, 1))
    records = [Record(Position(5, sub), datetime(2026, 11, 27, tzinfo=UTC), b"%d" % sub) for sub in (0, 1)]
    assert path.accept(Batch(shard=SHARD, records=records)) == Position(5, 1)
    os.write(file, b'{"type":"took","work')  # killed in the middle of a line
    os.close(file)
    found = Recorded(tmp_path)
    opened, took = found.entries()
    assert isinstance(opened, Opened) and opened.checkpoint == (4, 1)
    assert isinstance(took, Took) and took.positions == [(5, 0), (5, 1)]
    assert took.payloads == ["0", "1"]
    assert found.entries() == [opened, took]


@pytest.mark.unit
def test_counts_of_all_processes_add_up(tmp_path: Path) -> None:
    for name, count in (("11", 300), ("12", 70_000)):
        (tmp_path / name).write_bytes(count.to_bytes(8, "big"))
    (tmp_path / "13").touch()  # a process that has counted nothing yet
    assert counted_in(tmp_path) == 70_300


@pytest.mark.soak
def test_a_java_daemon_and_our_fleet_share_a_table(tmp_path: Path) -> None:
    """One history; `make peer-kcl` has all of them."""
    assert check(fast(tmp_path), ["3.5.1"], ["python"], Console(stderr=True))


@pytest.mark.soak
def test_the_daemon_drains_a_backlog(tmp_path: Path) -> None:
    with local_stack(tmp_path, parts=("kinesis", "ministack")) as endpoints:
        kinesis = client("kinesis", endpoints.aws)
        kinesis.create_stream(StreamName="s", ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
        with Sender(kinesis, "s") as sender:
            threading.Event().wait(3.0)
        kcl = java.java_kcl("3.5.1", Console(stderr=True))
        drained = drain(kcl, aws=endpoints.aws, stream="s", events=len(sender.sent))
    assert drained.events == len(sender.sent)
    assert drained.cpu_s > 0.0
    assert drained.seconds > 0.0
