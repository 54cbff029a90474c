"""The emit SDK across forks and exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import producers.emit
from producers.emit import Spool

pytestmark = pytest.mark.integration


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append({"order_id": "before"})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            spool.append({"order_id": "child"})
            spool.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    spool.append({"order_id": "after"})
    files = sorted([json.loads(line)["order_id"] for line in file.open()] for file in tmp_path.iterdir())
    assert files == [["before", "after"], ["child"]]


def test_the_child_does_not_wait_for_a_lock_that_a_thread_held_at_the_fork(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                spool.append({"order_id": "child"})
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


def test_the_sdk_runs_alone_and_closes_at_exit(tmp_path: Path) -> None:
    (tmp_path / "emit").mkdir()
    (tmp_path / "emit" / "__init__.py").write_text(Path(producers.emit.__file__).read_text())
    program = "from emit import Spool\nSpool('spool').append({'order_id': 'O-1'})"
    # -I -S: neither site-packages nor the project can be imported by accident.
    code = f"import sys; sys.path.insert(0, '.'); exec({program!r})"
    subprocess.run([sys.executable, "-I", "-S", "-W", "error", "-c", code], cwd=tmp_path, check=True, timeout=30)
    (file,) = (tmp_path / "spool").glob("*.ndjson")
    assert file.read_bytes() == b'{"order_id":"O-1"}\n'
