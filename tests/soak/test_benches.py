"""Each bench runs, at its small size, in a process of its own; what the figures are is not looked at."""

import json
import subprocess
import sys

import pytest

from infra.local.home import PROJECT
from loadtests.bench.registry import BENCHES

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

# The log of `access` may be absent; `fleet` waits for fail-overs and a JVM: its parts have tests of their own.
_NAMES = sorted(BENCHES.keys() - {"access", "fleet"})


@pytest.mark.parametrize("name", _NAMES)
def test_it_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", "bench", name, "--quick", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bench"] == name
    assert report["figures"]
    assert all(figure["value"] > 0 for figure in report["figures"].values())
