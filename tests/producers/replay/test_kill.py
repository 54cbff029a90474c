"""A replay that is killed for real."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PROGRAM = "from producers.replay.command import replay\nfrom runtime.command import run\nrun(replay)"
INVOICES = 3_000


@pytest.fixture
def large_export(tmp_path: Path, export: Path) -> Path:
    heading = export.read_text().splitlines()[0]
    rows = (f"{number},TEA,1,2.55,2011-01-01 10:00,17850,EIRE" for number in range(INVOICES) for _ in range(20))
    path = tmp_path / "large.csv"
    path.write_text("\n".join([heading, *rows, ""]))
    return path


def replay(export: Path, mapping: Path, spool: Path, *options: str) -> "subprocess.Popen[bytes]":
    arguments = [str(export), "--mapping", str(mapping), "--spool", str(spool), *options]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE)


def test_killed_over_and_over_it_ends_with_every_line_once(
    tmp_path: Path, large_export: Path, mapping_file: Path
) -> None:
    whole = tmp_path / "whole"
    with replay(large_export, mapping_file, whole) as process:
        assert process.wait(60) == 0
    spool = tmp_path / "spool"
    for kills in range(1, 4):
        with replay(large_export, mapping_file, spool, "--rate", "2000") as process:
            wait_until_it_holds(spool, kills * 200_000)
            process.kill()
    with replay(large_export, mapping_file, spool) as process:
        assert process.wait(60) == 0
    (expected,), (written,) = whole.iterdir(), spool.iterdir()
    assert written.name == expected.name
    assert written.read_bytes() == expected.read_bytes()
    assert written.read_bytes().count(b"\n") == INVOICES


def test_a_stopped_replay_exits_with_an_error_that_says_how_to_go_on(
    tmp_path: Path, large_export: Path, mapping_file: Path
) -> None:
    spool = tmp_path / "spool"
    with replay(large_export, mapping_file, spool, "--rate", "100") as process:
        wait_until_it_holds(spool, 1)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Stopped; run it again to go on" in output
    (written,) = spool.iterdir()
    assert written.read_bytes().endswith(b"\n")


def wait_until_it_holds(spool: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while sum(file.stat().st_size for file in spool.glob("*")) < size:
        assert time.monotonic() < deadline, "the replay writes nothing"
        time.sleep(0.005)
