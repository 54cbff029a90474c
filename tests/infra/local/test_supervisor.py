"""Starting, restarting and stopping parts; the parts here are small web servers."""

import io
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import psutil
import pytest
from rich.console import Console

from infra.local import ports
from infra.local.home import Home
from infra.local.leftovers import MARKER, end_leftovers
from infra.local.parts import HttpReady, Part, TcpReady
from infra.local.settings import Local
from infra.local.state import ProcessState, State, read_state, write_state
from infra.local.supervisor import Supervisor
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.of(Local(home=str(tmp_path)))


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stack(home: Home, said: io.StringIO) -> Iterator[Supervisor]:
    with Supervisor(home, Console(file=said)) as stack:
        yield stack
    assert marked(home) == []


@pytest.fixture
def until() -> Until:
    def wait(condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(400):
            if condition():
                return
            pause.wait(0.05)
        raise AssertionError("not within 20 s")

    return wait


def marked(home: Home) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(home.root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def free_port() -> int:
    return ports.choose(["x"], {}, random.Random())["x"]


def web(name: str = "web", *, port: int | None = None) -> Part:
    port = port or free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", ports.HOST)
    url = f"http://{ports.HOST}:{port}"
    return Part(name=name, command=command, ready=HttpReady(url=url), url=url)


def script(name: str, code: str, **options: object) -> Part:
    return Part(name=name, command=(sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def pid_of(home: Home, name: str) -> int | None:
    state = read_state(home)
    assert state
    (part,) = (part for part in state.parts if part.name == name)
    return part.process.pid if part.process and part.condition == "ready" else None


def test_a_part_is_up_when_start_returns_and_gone_when_the_context_is_left(home: Home, said: io.StringIO) -> None:
    part = web()

    with Supervisor(home, Console(file=said)) as stack:
        stack.start([part])
        assert urllib.request.urlopen(part.url).status == 200
        assert pid_of(home, "web") in marked(home)

    assert marked(home) == []
    assert not home.state_file.exists()
    assert "web ready in" in said.getvalue()


def test_a_killed_part_comes_back_on_its_port_and_one_line_says_so(
    stack: Supervisor, home: Home, said: io.StringIO, until: Until
) -> None:
    part = web()
    stack.start([part])
    first = pid_of(home, "web")
    assert first

    os.kill(first, signal.SIGKILL)
    until(lambda: pid_of(home, "web") not in (None, first))

    assert urllib.request.urlopen(part.url).status == 200
    lines = [line for line in said.getvalue().splitlines() if "died" in line]
    assert lines == [f"web died (exit code -9, SIGKILL), restarting it; log: {home.log_of('web')}"]


class Impatient(random.Random):
    """Makes every backoff as short as it can be."""

    def uniform(self, a: float, b: float) -> float:
        return a


def test_a_part_that_keeps_dying_is_given_up_after_five_times(
    stack: Supervisor, said: io.StringIO, until: Until
) -> None:
    stack.rng = Impatient()
    stack.start([script("crash", "import time; time.sleep(0.3); raise SystemExit(3)"), web()])

    until(lambda: stack.given_up == ["crash"])

    assert said.getvalue().count("crash died") == 5
    assert "crash died 5 times within a minute (exit code 3), given up; log: " in said.getvalue()


def test_a_part_that_dies_at_start_is_named_with_its_last_words_and_takes_all_others_down(
    home: Home, said: io.StringIO
) -> None:
    broken = script("broken", "print('no such [thing]'); raise SystemExit(7)", ready=TcpReady(port=free_port()))

    with (
        pytest.raises(ConfigError, match=r"^broken did not start \(exit code 7\); .*broken.log; .*no such \[thing\]$"),
        Supervisor(home, Console(file=said)) as stack,
    ):
        stack.start([web(), broken])

    assert marked(home) == []
    assert not home.state_file.exists()


def test_a_part_that_is_not_ready_in_time_is_named(home: Home, said: io.StringIO) -> None:
    part = script("deaf", "import time; time.sleep(60)", ready=TcpReady(port=free_port()), start_s=0.5)

    with (
        pytest.raises(ConfigError, match=r"^deaf did not start \(not ready within"),
        Supervisor(home, Console(file=said)) as stack,
    ):
        stack.add(part)

    assert marked(home) == []


def test_a_program_that_is_not_there_is_named(home: Home, said: io.StringIO) -> None:
    with (
        pytest.raises(ConfigError, match=r"^ghost did not start \(cannot be started: .*no/such/program"),
        Supervisor(home, Console(file=said)) as stack,
    ):
        stack.add(Part(name="ghost", command=("/no/such/program",)))


def test_a_part_whose_log_cannot_be_written_is_named(home: Home, said: io.StringIO) -> None:
    with (
        pytest.raises(ConfigError, match=r"^web did not start \(cannot be attended: .*web\.log"),
        Supervisor(home, Console(file=said)) as stack,
    ):
        home.logs.rmdir()
        stack.add(web())

    assert marked(home) == []


def test_a_stop_while_parts_start_ends_them(home: Home, said: io.StringIO, until: Until) -> None:
    stop = threading.Event()
    part = script("slow", "import time; time.sleep(60)", ready=TcpReady(port=free_port()))

    def stop_once_it_runs() -> None:
        until(lambda: bool(marked(home)))
        stop.set()

    thread = threading.Thread(target=stop_once_it_runs)
    thread.start()
    with pytest.raises(click.Abort), Supervisor(home, Console(file=said), stop=stop) as stack:
        stack.add(part)
    thread.join()

    assert marked(home) == []


def test_later_waves_stop_before_earlier_ones(home: Home, said: io.StringIO, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_):\n"
        f"    open({str(ended)!r}, 'a').write(NAME + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(NAME).touch()\n"
        "time.sleep(60)\n"
    )

    with Supervisor(home, Console(file=said)) as stack:
        for name in ("first", "second", "third"):
            port = free_port()
            serve = f"import socket; s = socket.create_server(('127.0.0.1', {port}))\nNAME = {name!r}\n"
            wait = code.replace("pathlib.Path(NAME).touch()\n", serve)
            stack.add(script(name, f"NAME = {name!r}\n{wait}", ready=TcpReady(port=port), cwd=tmp_path))
        stack.stop_part("second")

    assert ended.read_text().split() == ["second", "third", "first"]


def test_a_part_that_ignores_sigterm_is_killed_after_its_grace_with_its_children(stack: Supervisor, home: Home) -> None:
    port = free_port()
    code = (
        "import signal, socket, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"s = socket.create_server(('127.0.0.1', {port}))\n"
        "time.sleep(60)\n"
    )
    stack.add(script("stubborn", code, ready=TcpReady(port=port), grace_s=0.5))
    assert len(marked(home)) == 2

    stack.stop_part("stubborn")

    assert marked(home) == []
    with socket.socket() as probe:
        assert probe.connect_ex((ports.HOST, port)) != 0


def test_a_part_that_may_wait_stands_behind_the_others(stack: Supervisor, home: Home) -> None:
    stack.start([Part(name="history", command=(sys.executable, "-c", "import time; time.sleep(60)"), nice=7)])

    (pid,) = marked(home)
    assert psutil.Process(pid).nice() == 7 + os.nice(0)
    autogroup = Path(f"/proc/{pid}/autogroup")
    if autogroup.exists() and (says := autogroup.read_text()):
        assert says.endswith("nice 7\n")


def test_a_second_supervisor_on_the_folder_is_refused_and_the_first_runs_on(stack: Supervisor, home: Home) -> None:
    part = web()
    stack.add(part)

    with pytest.raises(ConfigError, match="a stack runs here already"), Supervisor(home, Console(quiet=True)):
        pass

    assert urllib.request.urlopen(part.url).status == 200


def test_leftovers_are_ended_but_not_a_stranger_whose_pid_the_old_state_names(home: Home) -> None:
    home.make()
    environ = {**os.environ, MARKER: str(home.root)}
    with (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environ) as leftover,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger,
    ):
        try:
            gone = ProcessState(pid=stranger.pid, created=psutil.Process(stranger.pid).create_time() - 60)
            write_state(home, State(supervisor=gone, parts=[]))

            assert end_leftovers(home) == 1

            assert leftover.poll() is not None
            assert stranger.poll() is None
        finally:
            leftover.kill()
            stranger.kill()
