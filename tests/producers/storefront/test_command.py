"""The shop as a process: what stops it from starting is one line and exit code 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def start(tmp_path, **settings):
    values = {"port": 0, "spool": str(tmp_path / "spool"), "access_log": str(tmp_path / "access.log"), **settings}
    environment = {f"STOREPULSE_STOREFRONT_{name.upper()}": str(value) for name, value in values.items()}
    command = [sys.executable, "-m", "producers", "storefront"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=20, check=False
    )


def refused(done, said):
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(start(tmp_path, port=port), f"127.0.0.1:{port}")


def test_a_catalogue_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "bad.ndjson").write_text("SKU;price\n")
    refused(start(tmp_path, catalogue=tmp_path / "bad.ndjson"), "not a catalogue")
    refused(start(tmp_path, catalogue=tmp_path / "none.ndjson"), "none.ndjson")


@pytest.mark.parametrize("name", ["spool", "access_log"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, name):
    (tmp_path / "file").write_text("")
    refused(start(tmp_path, **{name: tmp_path / "file" / "below"}), name)
