"""The agent as a process, against a Kinesis as a process; both die."""

import signal
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.heartbeat import Heartbeat
from producers.agent.state import read_ledger
from producers.agent.testing import original_of
from producers.agent.testing_process import (
    WAIT_S,
    Kinesis,
    acknowledged,
    running_agent,
    settings_file,
    start,
    wait_for,
)
from producers.emit import Spool

pytestmark = pytest.mark.integration

ORDER = {
    "type": "order",
    "schema_version": 1,
    "event_time": "2026-11-27T08:00:00.123Z",
    "kind": "sale",
    "channel": "web",
    "currency": "GBP",
    "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
    "total": 1530,
}


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    running = Kinesis(tmp_path / "kinesis")
    yield running
    running.kill()


def start_agent(settings: Path, *options: str) -> subprocess.Popen[str]:
    return start(settings, "agent", *options)


def append(spool: Spool, first: int, last: int) -> None:
    for number in range(first, last):
        spool.append({**ORDER, "order_id": f"O-{number}", "customer_id": f"C-{number % 97}"})


def assert_all_arrived(tmp_path: Path, kinesis: Kinesis) -> None:
    """Every line of every file is in the stream, byte for byte, under one file id; nothing else is."""
    contents = {record.file_id: Path(record.path).read_bytes() for record in read_ledger(tmp_path / "state").files}
    expected = set()
    for file_id, content in contents.items():
        offset = 0
        for line in content.split(b"\n")[:-1]:
            expected.add((file_id, offset, line))
            offset += len(line) + 1
    arrived = set()
    for data in kinesis.lines():
        stamp, original = original_of(data)
        assert original is not None and (stamp.n, stamp.c) == (len(original), zlib.crc32(original))
        arrived.add((stamp.f, stamp.o, original))
    assert arrived == expected
    assert sum(content.count(b"\n") for content in contents.values()) == acknowledged(tmp_path)


def assert_told(tmp_path: Path, kinesis: Kinesis, *, final: bool) -> None:
    """Each file's furthest heartbeat is about all of it."""
    told: dict[str, Heartbeat] = {}
    for beat in kinesis.heartbeats():
        if beat.sp.f not in told or told[beat.sp.f].sp.o <= beat.sp.o:
            told[beat.sp.f] = beat
    for record in read_ledger(tmp_path / "state").files:
        content, beat = Path(record.path).read_bytes(), told.pop(record.file_id)
        lines = content.split(b"\n")[:-1]
        assert (beat.sp.o, beat.lines, beat.bytes) == (content.rfind(b"\n") + 1, len(lines), sum(map(len, lines)))
        assert (beat.crc_sum, beat.size, beat.final) == (sum(map(zlib.crc32, lines)), len(content), final)
    assert not told


def test_nothing_is_lost_when_the_agent_is_killed_again_and_again(tmp_path: Path, kinesis: Kinesis) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint)
    spool = Spool(tmp_path / "spool", max_file_bytes=200_000)
    for round_number in range(4):
        append(spool, round_number * 5_000, (round_number + 1) * 5_000)
        with running_agent(settings):
            before = acknowledged(tmp_path)
            wait_for(lambda before=before: acknowledged(tmp_path) > before)  # type: ignore[misc]
    assert start_agent(settings, "--once").wait(WAIT_S) == 0
    assert acknowledged(tmp_path) == 20_000
    assert_all_arrived(tmp_path, kinesis)
    assert_told(tmp_path, kinesis, final=True)
    before = len(kinesis.heartbeats())
    assert start_agent(settings, "--once").wait(WAIT_S) == 0
    assert len(kinesis.heartbeats()) == before


def test_a_kinesis_that_is_away_at_start_and_dies_later_is_waited_for(tmp_path: Path, kinesis: Kinesis) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint)
    spool = Spool(tmp_path / "spool")
    kinesis.kill()
    with running_agent(settings) as agent:
        append(spool, 0, 3_000)
        assert agent.stderr is not None
        assert "Could not connect" in agent.stderr.readline()
        kinesis.start()
        wait_for(lambda: acknowledged(tmp_path) == 3_000)
        kinesis.kill()
        append(spool, 3_000, 6_000)
        assert "well again" in agent.stderr.readline()
        kinesis.start()
        wait_for(lambda: acknowledged(tmp_path) == 6_000)
    assert_all_arrived(tmp_path, kinesis)


def test_a_line_is_in_the_stream_a_moment_after_it_was_written_and_sigterm_ends_in_good_order(
    tmp_path: Path, kinesis: Kinesis
) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint)
    spool = Spool(tmp_path / "spool")
    append(spool, 0, 1)
    with running_agent(settings) as agent:
        wait_for(lambda: len(kinesis.lines()) == 1)
        append(spool, 1, 2)
        began = time.monotonic()
        wait_for(lambda: len(kinesis.lines()) == 2)
        assert time.monotonic() - began < 1.0  # loose: the machine may be busy
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(WAIT_S) == 0
    assert acknowledged(tmp_path) == 2
    assert_told(tmp_path, kinesis, final=False)


def test_a_file_that_is_deleted_or_quiet_gets_its_final_heartbeat(tmp_path: Path, kinesis: Kinesis) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint)
    settings.write_text(settings.read_text() + "heartbeat_s = 0.2\nfinal_after_s = 1.5\n")
    (tmp_path / "spool").mkdir()
    for name in ("deleted", "kept"):
        (tmp_path / "spool" / f"{name}.ndjson").write_bytes(b'{"name":"%b"}\ntorn' % name.encode())
    with running_agent(settings):
        wait_for(lambda: len(kinesis.heartbeats()) >= 2)
        (tmp_path / "spool" / "deleted.ndjson").unlink()
        wait_for(lambda: sum(beat.final for beat in kinesis.heartbeats()) == 2)
    finals = [(Path(beat.sp.h).stem, beat.sp.o, beat.size) for beat in kinesis.heartbeats() if beat.final]
    assert sorted(finals) == [("deleted", 19, 23), ("kept", 16, 20)]  # on two shards


@pytest.mark.parametrize("away", [True, False])
def test_sigterm_ends_an_agent_that_waits(tmp_path: Path, kinesis: Kinesis, away: bool) -> None:
    if away:
        kinesis.kill()
    with running_agent(settings_file(tmp_path, kinesis.endpoint)) as agent:
        wait_for(lambda: (tmp_path / "spool").exists())
        time.sleep(0.2)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(WAIT_S) == 0


def test_a_missing_stream_is_one_line_and_exit_code_2(tmp_path: Path, kinesis: Kinesis) -> None:
    agent = start_agent(settings_file(tmp_path, kinesis.endpoint, "elsewhere"))
    _, errors = agent.communicate(timeout=WAIT_S)
    assert agent.returncode == 2
    assert errors.splitlines() == [
        "error: stream 'elsewhere' does not exist: create it, or name another under [streams]"
    ]


def test_a_dead_port_is_one_line_and_exit_code_2_after_the_patience(tmp_path: Path) -> None:
    settings = settings_file(tmp_path, "http://127.0.0.1:9")
    settings.write_text(settings.read_text() + "start_patience_s = 1.0\n")
    with Spool(tmp_path / "spool") as spool:
        append(spool, 0, 1)
    agent = start_agent(settings)
    _, errors = agent.communicate(timeout=WAIT_S)
    assert agent.returncode == 2
    warning, error = errors.splitlines()
    assert "127.0.0.1:9" in warning and "waiting, nothing is lost" in warning
    assert error.startswith("error: ") and "127.0.0.1:9" in error and "[aws] kinesis_endpoint" in error
    assert acknowledged(tmp_path) == 0


def test_a_state_that_cannot_be_written_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "state" / "state.json.tmp").mkdir(parents=True)
    agent = start_agent(settings_file(tmp_path, "http://127.0.0.1:9"))
    _, errors = agent.communicate(timeout=WAIT_S)
    assert agent.returncode == 2
    (line,) = errors.splitlines()
    assert line.startswith("error: ") and "the state cannot be written: Is a directory" in line


@pytest.mark.parametrize("stream", ["", "no good"])
def test_a_stream_name_that_kinesis_refuses_is_one_line_and_exit_code_2(
    tmp_path: Path, kinesis: Kinesis, stream: str
) -> None:
    agent = start_agent(settings_file(tmp_path, kinesis.endpoint, stream))
    _, errors = agent.communicate(timeout=WAIT_S)
    assert agent.returncode == 2
    (line,) = errors.splitlines()
    assert line.startswith(f"error: stream '{stream}'") and "[streams]" in line


def test_a_second_agent_on_the_same_folders_is_refused(tmp_path: Path, kinesis: Kinesis) -> None:
    settings = settings_file(tmp_path, kinesis.endpoint)
    with running_agent(settings):
        wait_for(lambda: (tmp_path / "spool").exists())
        second = start_agent(settings)
        _, errors = second.communicate(timeout=WAIT_S)
        assert second.returncode == 2
        assert "another agent works on this folder" in errors


@pytest.mark.parametrize("endpoint", ["nonsense", "http://"])
def test_an_endpoint_that_is_no_url_is_one_line_and_exit_code_2(tmp_path: Path, endpoint: str) -> None:
    agent = start_agent(settings_file(tmp_path, endpoint))
    _, errors = agent.communicate(timeout=WAIT_S)
    assert agent.returncode == 2
    assert len(errors.splitlines()) == 1
