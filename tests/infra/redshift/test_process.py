"""The front as a process. Those tests that start it again and again are `soak`."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.redshift import postgres
from infra.local.redshift.errors import Stopped
from infra.local.redshift.process import PASSWORD, FrontProcess
from infra.local.redshift.subject import refused, rows

pytestmark = pytest.mark.integration

Start = Callable[..., FrontProcess]
_MANY = 60


def _long(number: signal.Signals) -> Any:
    return pytest.param(number, marks=pytest.mark.soak)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts fronts of the test's own; they end with it."""
    started: list[FrontProcess] = []

    def start_one(data: Path, **options: object) -> FrontProcess:
        started.append(FrontProcess(data, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start_one
    for process in started:
        process.__exit__()


def cwd_of(process: psutil.Process) -> str:
    with suppress(psutil.Error, OSError):
        return process.cwd()
    return ""


def postgres_of(data: Path) -> list[psutil.Process]:
    """The PostgreSQL processes that work on this data."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and process.cwd() == str(data / "pg"):
                found.append(process)
    return found


def postmaster_of(front: FrontProcess) -> psutil.Process:
    [found] = [process for process in psutil.Process(front.pid).children() if process.name() == "postgres"]
    return found


def until(holds: Callable[[], bool], within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def store(front: FrontProcess, *, rows_of: int = 1) -> None:
    connection = front.connect()
    connection.cursor().execute("create table kept (a int)")
    connection.cursor().executemany("insert into kept values (%s)", [(i,) for i in range(rows_of)])
    connection.commit()
    connection.close()


def kept(front: FrontProcess) -> int:
    connection = front.connect()
    [[count]] = rows(connection.cursor(), "select count(*) from kept")
    connection.close()
    return int(count)


def command(data: Path, password_file: Path, *options: str) -> list[str]:
    told = [sys.executable, "-m", "infra.local.redshift", "--port", "0", "--data", str(data)]
    told += ["--s3-endpoint", "http://127.0.0.1:9", "--access-key-id", "1", "--secret-access-key", "2"]
    return [*told, "--password-file", str(password_file), *options]


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, _long(signal.SIGINT), _long(signal.SIGHUP)])
def test_a_signal_ends_it_with_all_its_processes(tmp_path: Path, start: Start, number: signal.Signals) -> None:
    front = start(tmp_path)
    front.connect()
    assert postgres_of(tmp_path)
    assert front.stop(number) == 0
    assert not postgres_of(tmp_path)


def test_what_was_committed_is_there_after_kill_9_and_no_process_is_left(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path)
    store(front, rows_of=100)
    open_transaction = front.connect()
    open_transaction.cursor().execute("insert into kept values (-1)")
    front.kill()
    assert until(lambda: not postgres_of(tmp_path)), "PostgreSQL outlived the front"
    assert kept(start(tmp_path)) == 100


@pytest.mark.soak
def test_it_starts_over_the_remains_of_killed_processes(tmp_path: Path, start: Start) -> None:
    """All of them by kill -9 in the middle of a write: the old lock file and shared memory are no obstacle."""
    front = start(tmp_path)
    store(front, rows_of=100)
    busy = front.connect()
    busy.cursor().execute("insert into kept select a from kept")
    for process in [psutil.Process(front.pid), *postgres_of(tmp_path)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    front.kill()
    assert (tmp_path / "pg" / "postmaster.pid").exists()
    assert kept(start(tmp_path)) == 100


@pytest.mark.soak
def test_it_ends_a_postgres_that_an_earlier_front_left(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path)
    store(front)
    postmaster = postmaster_of(front)
    postmaster.suspend()  # so that it does not hear that the front is gone
    front.kill()
    again = start(tmp_path)
    assert not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE
    assert kept(again) == 1


@pytest.mark.soak
def test_it_says_so_and_ends_when_postgres_dies(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path)
    postmaster = postmaster_of(front)
    postmaster.kill()
    assert front.wait() == 1
    assert until(lambda: not postgres_of(tmp_path))


@pytest.mark.soak
def test_one_killed_session_costs_the_others_theirs_and_no_more(tmp_path: Path, start: Start) -> None:
    """PostgreSQL recovers by itself; a login waits for it."""
    front = start(tmp_path)
    store(front)
    connection = front.connect()
    [[pid]] = rows(connection.cursor(), "select pg_backend_pid()")
    os.kill(pid, signal.SIGKILL)
    assert kept(front) == 1


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after_s", [0.3, 0.6, 0.9, 1.2])
def test_a_signal_during_the_start_leaves_nothing(
    tmp_path: Path, password_file: Path, start: Start, number: signal.Signals, after_s: float
) -> None:
    data = tmp_path / "data"
    with subprocess.Popen(command(data, password_file), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(after_s)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    if process.returncode != -number:  # else it came before Python had even begun
        assert (process.returncode, errors) == (0, b"")
    assert not postgres_of(data)
    assert not (data / "pg.new").exists()
    front = start(data)
    store(front)
    assert kept(front) == 1


def test_a_start_that_is_broken_off_ends_what_initdb_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed alone, initdb would leave processes that go on writing while their folder is removed."""
    initdb = tmp_path / "bin" / "initdb"
    initdb.parent.mkdir()
    initdb.write_text("#!/bin/sh\nwhile :; do : > written; done &\nwait\n")
    initdb.chmod(0o755)
    monkeypatch.setattr(postgres, "_programs", lambda: initdb.parent)
    stop = threading.Event()
    new = tmp_path / "data" / "pg.new"
    new.parent.mkdir()
    threading.Thread(target=lambda: until((new / "written").exists) and stop.set()).start()
    with pytest.raises(Stopped):
        postgres.Postgres(new.parent).start(stop)
    assert not new.exists()
    assert not [process for process in psutil.process_iter() if str(new) in cwd_of(process)]


def test_a_taken_port_is_named(tmp_path: Path, password_file: Path, front: FrontProcess) -> None:
    said = subprocess.run(
        command(tmp_path / "data", password_file, "--port", str(front.port)), capture_output=True, text=True, timeout=30
    )
    assert said.returncode == 2
    assert (
        said.stderr
        == f"error: cannot listen on 127.0.0.1:{front.port}: Address already in use; choose another --port\n"
    )


@pytest.mark.soak
def test_a_folder_has_one_front(tmp_path: Path, password_file: Path, start: Start) -> None:
    start(tmp_path / "data")
    said = subprocess.run(command(tmp_path / "data", password_file), capture_output=True, text=True, timeout=30)
    assert said.returncode == 2
    assert said.stderr == f"error: {tmp_path / 'data'} is in use by another server; stop it or choose another --data\n"


@pytest.mark.soak
def test_a_path_too_long_for_a_socket_will_do(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path / ("d" * 100) / "data")
    store(front)
    front.kill()
    again = start(tmp_path / ("d" * 100) / "data")
    assert kept(again) == 1


@pytest.mark.soak
def test_the_password_is_the_files_at_each_start(tmp_path: Path, start: Start) -> None:
    start(tmp_path, password="Before-1").stop()
    front = start(tmp_path, password="After-1")
    front.connect().close()
    with pytest.raises(Exception, match="password authentication failed"):
        front.connect(password="Before-1")


def test_nothing_of_it_can_be_reached_from_outside(front: FrontProcess) -> None:
    process = psutil.Process(front.pid)
    listening = [
        connection.laddr.ip
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_secrets_stay_out_of_logs_and_the_table_of_processes(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path, secret_access_key="s3cr3t-key")
    cursor = front.connect().cursor()
    refused("42P01", cursor, "select 'hush-hush' from no_such_table")
    said = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    told = [word for process in postgres_of(tmp_path) for word in [*process.cmdline(), *process.environ().values()]]
    told += psutil.Process(front.pid).cmdline()
    for secret in ("s3cr3t-key", PASSWORD, "hush-hush"):
        assert secret not in said
        assert not any(secret in word for word in told)


def test_many_connections_wait_and_work_side_by_side(front: FrontProcess) -> None:
    connections = [front.connect() for _ in range(_MANY)]
    for number, connection in enumerate(connections):
        assert rows(connection.cursor(), "select %s::int", [number]) == [[number]]
    for connection in connections:
        connection.close()


@pytest.mark.soak
def test_more_connections_than_it_takes_are_refused_and_then_let_in(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path)
    connections: list[Any] = []
    with pytest.raises(Exception, match="'C': '53300'"):
        connections.extend(front.connect() for _ in range(200))
    strangers = [socket.create_connection(("127.0.0.1", front.port)) for _ in range(20)]
    for each in [*connections, *strangers]:
        each.close()
    assert until(lambda: _lets_in(front))


def _lets_in(front: FrontProcess) -> bool:
    try:
        front.connect().close()
    except Exception:
        return False
    return True


@pytest.mark.soak
def test_a_result_of_any_size_passes_in_bounded_memory(tmp_path: Path, start: Start) -> None:
    front = start(tmp_path)
    connection = front.connect()
    cursor = connection.cursor()
    cursor.execute("create table wide (a varchar(1000))")
    cursor.execute("insert into wide values (%s)", ["x" * 1000])
    for _ in range(17):
        cursor.execute("insert into wide select a from wide")
    connection.commit()
    before = psutil.Process(front.pid).memory_info().rss
    read = subprocess.run([sys.executable, "-c", _READ, str(front.port), PASSWORD], capture_output=True, text=True)
    assert read.stdout.strip() == str(1 << 17), read.stderr
    assert psutil.Process(front.pid).memory_info().rss - before < 8 << 20


_READ = """
import sys
from infra.local.redshift.rawclient import RawClient, query
client = RawClient(int(sys.argv[1]), user="admin", password=sys.argv[2], database="dev")
client.send(query("select a from wide"))
rows = 0
while (kind := client.reader.message().kind) != b"Z":
    rows += kind == b"D"
print(rows)
"""
