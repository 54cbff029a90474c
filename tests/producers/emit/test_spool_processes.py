"""The emit SDK across forks, kills and exits, and as a package of its own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import producers.emit
from producers.emit import Spool

pytestmark = pytest.mark.integration

ORDER: dict[str, Any] = {
    "type": "order",
    "schema_version": 1,
    "event_time": "2026-11-27T08:00:00.123Z",
    "order_id": "O-1",
    "kind": "sale",
    "channel": "web",
    "currency": "GBP",
    "lines": [{"sku": "85123A", "quantity": 6, "unit_price": 255}],
    "total": 1530,
}


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append({**ORDER, "order_id": "before"})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            spool.append({**ORDER, "order_id": "child"})
            spool.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    spool.append({**ORDER, "order_id": "after"})
    files = sorted([json.loads(line)["order_id"] for line in file.open()] for file in tmp_path.iterdir())
    assert files == [["before", "after"], ["child"]]


def test_the_child_does_not_wait_for_a_lock_that_a_thread_held_at_the_fork(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                spool.append({**ORDER, "order_id": "child"})
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


def run_alone(folder: Path, package: str, path: str, program: str) -> subprocess.Popen[str]:
    """A Python that sees the standard library and what lies on `path`, nothing else."""
    code = f"import sys; sys.path.insert(0, {path!r})\nfrom {package} import Spool\nORDER = {ORDER!r}\n{program}"
    # -I -S: neither site-packages nor the project can be imported by accident.
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def lines_of(folder: Path) -> list[bytes]:
    return [line for file in folder.glob("*.ndjson") for line in file.read_bytes().split(b"\n")[:-1]]


@pytest.mark.parametrize("fsync", ["os", "interval", "always"])
def test_the_sdk_runs_alone_and_closes_at_exit(tmp_path: Path, fsync: str) -> None:
    shutil.copytree(Path(producers.emit.__file__).parent, tmp_path / "emit")
    process = run_alone(tmp_path, "emit", str(tmp_path), f"Spool('spool', fsync={fsync!r}).append(ORDER)")
    assert process.wait(30) == 0
    assert [json.loads(line) for line in lines_of(tmp_path / "spool")] == [ORDER]


def test_processes_and_threads_write_one_folder_and_a_kill_tears_nobody_elses_line(tmp_path: Path) -> None:
    program = """
import threading
spool = Spool("spool", max_file_bytes=20_000)
def sell(till):
    for number in range(10**9):
        spool.append({**ORDER, "order_id": f"{till}-{number}"})
        if number == 100:
            print("selling", flush=True)
for till in range(2):
    threading.Thread(target=sell, args=(till,)).start()
"""
    tills = [run_alone(tmp_path, "producers.emit", str(Path.cwd()), program) for _ in range(3)]
    try:
        for process in tills:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["selling\n"] * 2
    finally:
        for process in tills:
            process.kill()
            process.communicate()
    sold: dict[tuple[str, str], list[int]] = {}
    for file in sorted((tmp_path / "spool").iterdir()):
        for line in file.read_bytes().split(b"\n")[:-1]:
            till, number = json.loads(line)["order_id"].split("-")
            sold.setdefault((file.name.split("-")[1], till), []).append(int(number))
    assert len(sold) == 6
    assert all(sorted(numbers) == list(range(len(numbers))) for numbers in sold.values())


def test_the_wheel_holds_the_sdk_alone_and_needs_nothing(tmp_path: Path) -> None:
    shutil.copytree(Path(producers.emit.__file__).parent, tmp_path / "emit", ignore=shutil.ignore_patterns("__py*"))
    build = "from setuptools.build_meta import build_wheel; build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path / "emit", check=True, timeout=120, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {name for name in names if "dist-info" not in name} == {
        f"storepulse_emit/{file.name}" for file in (tmp_path / "emit").glob("*") if file.suffix in (".py", ".typed")
    }
    assert "Requires-Dist" not in metadata
    process = run_alone(tmp_path, "storepulse_emit", str(wheel), "Spool('spool').append(ORDER)")
    assert process.wait(30) == 0
    assert [json.loads(line) for line in lines_of(tmp_path / "spool")] == [ORDER]
