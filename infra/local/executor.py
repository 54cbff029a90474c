"""mirakuru's executors, bound to the supervisor: they die with it, and their start can be called off."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import IO, Any

import mirakuru
import mirakuru.base

from infra.local.leftovers import MARKER
from infra.local.parts import HttpReady, Part, TcpReady
from infra.local.priority import stand_behind

# At exit mirakuru would kill every process whose marker *contains* our pid: other stacks' parts too. Ours are ended
# by the supervisor, and by the kernel when the supervisor is killed.
atexit.unregister(mirakuru.base.cleanup_subprocesses)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Cancelled(Exception):
    """The supervisor stops while the part is still starting."""


class Died(Exception):
    """The process ended by itself before it was ready."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class PartExecutor(mirakuru.base.Executor):
    """A process that is ready as soon as it runs."""

    cancelled: threading.Event
    spawned: Callable[[int], None]
    grace_s: float
    nice: int

    def pre_start_check(self) -> bool:
        return False

    def after_start_check(self) -> bool:
        return True

    def check_subprocess(self) -> bool:
        """Raises Cancelled when the start is called off, Died when the process has ended, with exit code 0 too."""
        assert self.process is not None
        self.spawned(self.process.pid)
        if self.cancelled.is_set():
            raise Cancelled
        exit_code = self.process.poll()
        if exit_code is not None:
            raise Died(exit_code)
        return self.after_start_check()

    def end(self) -> None:
        """SIGTERM, SIGKILL after the grace, and whatever the process has started with it."""
        self._timeout = self.grace_s  # mirakuru has one timeout for both start and stop
        try:
            self.stop()
        except mirakuru.exceptions.ProcessFinishedWithError:
            pass  # Java's exit code after SIGTERM is 143
        finally:
            self.kill()

    @property
    def _popen_kwargs(self) -> dict[str, Any]:
        return {**super()._popen_kwargs, "preexec_fn": partial(_prepared, os.getpid(), self.nice)}


class _HttpExecutor(PartExecutor, mirakuru.HTTPExecutor):
    pre_start_check = mirakuru.HTTPExecutor.pre_start_check
    after_start_check = mirakuru.HTTPExecutor.after_start_check


class _TcpExecutor(PartExecutor, mirakuru.TCPExecutor):
    pre_start_check = mirakuru.TCPExecutor.pre_start_check
    after_start_check = mirakuru.TCPExecutor.after_start_check


def executor_for(
    part: Part, home: str, log: IO[bytes], cancelled: threading.Event, spawned: Callable[[int], None]
) -> PartExecutor:
    """An executor of `part` that writes to `log`. `spawned` gets the pid, more than once."""
    options: dict[str, Any] = {
        "cwd": str(part.cwd),
        "timeout": part.start_s,
        "envvars": {**part.environ, MARKER: home},
        "stdin": subprocess.DEVNULL,
        "stdout": log,
        "stderr": subprocess.STDOUT,
    }
    command = list(part.command)
    executor: PartExecutor
    match part.ready:
        case HttpReady(url=url, status=status):
            executor = _HttpExecutor(command, url, status=status, method="GET", request_timeout=5, **options)
        case TcpReady(port=port):
            executor = _TcpExecutor(command, "127.0.0.1", port, **options)
        case None:
            executor = PartExecutor(command, **options)
    executor.cancelled, executor.spawned = cancelled, spawned
    executor.grace_s, executor.nice = part.grace_s, part.nice
    return executor


def _prepared(parent: int, nice: int) -> None:
    bind_to(parent)
    stand_behind(nice)


def bind_to(parent: int) -> None:
    """In the child: a session of its own, so that Ctrl-C reaches the supervisor alone, and SIGTERM with its death.

    The kernel sends the signal when the *thread* that started the child ends.
    """
    os.setsid()
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
