"""A command that is run to its end, unless somebody no longer wants it."""

import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from infra.local.errand import run_errand
from infra.local.home import Home
from infra.local.leftovers import MARKER
from infra.local.settings import Local

pytestmark = pytest.mark.integration

SLEEP = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); {SLEEP}"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.of(Local(home=str(tmp_path)))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_code_is_returned(home: Home, code: int) -> None:
    assert run_errand(python(f"raise SystemExit({code})"), home=home, stop=threading.Event()) == code


def test_it_is_marked_as_a_part_of_the_home(home: Home) -> None:
    code = f"import os; raise SystemExit(os.environ[{MARKER!r}] != {str(home.root)!r})"
    assert run_errand(python(code), home=home, stop=threading.Event()) == 0


def test_a_stop_ends_it(home: Home) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    assert run_errand(python(SLEEP), home=home, stop=stop) == -signal.SIGTERM
    timer.join()


def test_what_cannot_come_is_not_waited_for(home: Home) -> None:
    assert run_errand(python(SLEEP), home=home, stop=threading.Event(), hopeless=lambda: True) == -signal.SIGTERM


def test_one_that_will_not_end_is_killed(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.local.errand.GRACE_S", 0.2)
    said = ""

    def runs() -> bool:
        nonlocal said
        said += capfd.readouterr().out
        return "here" in said

    assert run_errand(python(STUBBORN), home=home, stop=threading.Event(), hopeless=runs) == -signal.SIGKILL
    assert not [child for child in psutil.Process().children() if STUBBORN in child.cmdline()]
