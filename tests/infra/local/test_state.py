"""What `state.json` says is only believed of processes that it can have meant."""

import os
from pathlib import Path

import psutil
import pytest

from infra.local.home import Home
from infra.local.settings import Local
from infra.local.state import PartState, ProcessState, State, process_state, read_state, write_state
from infra.local.status import report

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.of(Local(home=str(tmp_path)))
    home.make()
    return home


def test_what_is_written_is_read(home: Home) -> None:
    me = process_state(os.getpid())
    assert me
    state = State(supervisor=me, parts=[PartState(name="kinesis", condition="ready", process=me, url="http://x")])

    write_state(home, state)

    assert read_state(home) == state
    assert me.process() == psutil.Process()


def test_a_pid_that_another_process_has_by_now_is_nobody() -> None:
    created = psutil.Process().create_time()

    assert ProcessState(pid=os.getpid(), created=created - 5).process() is None
    assert ProcessState(pid=2**22 + 1, created=created).process() is None  # above Linux's highest pid


def test_no_state_and_a_broken_one_mean_that_nothing_is_known(home: Home) -> None:
    assert read_state(home) is None
    home.state_file.write_text("{")
    assert read_state(home) is None


def test_the_state_of_a_killed_supervisor_is_reported_as_not_running(home: Home) -> None:
    gone = ProcessState(pid=os.getpid(), created=1.0)
    write_state(home, State(supervisor=gone, parts=[PartState(name="kinesis", condition="ready", process=gone)]))

    found = report(home)

    assert (found.running, found.ready, found.parts) == (False, False, [])
