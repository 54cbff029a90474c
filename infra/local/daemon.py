"""The supervisor in the background: started, told of, stopped."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
import psutil
from rich.console import Console

from infra.local.home import PROJECT, Home
from infra.local.kafka import broker
from infra.local.leftovers import end_leftovers
from infra.local.opensearch import node
from infra.local.settings import LocalSettings
from infra.local.state import read_state
from runtime.command import stop_on_signals
from runtime.errors import ConfigError

NAME = "supervisor"  # of its log

_READY = b"ready\n"
_STOP_S = 120.0  # longer than the waves of parts take to stop, one after the other
_LOOK_S = 0.2


def start(home: Home, settings: LocalSettings, arguments: Sequence[str]) -> None:
    """Start `up` with `arguments` as a process of its own and wait until all its parts are ready.

    Raises ConfigError with the supervisor's own words when it fails, click.Abort on Ctrl-C; it has ended by then.
    """
    home.make()
    with home.held():
        pass  # refuse at once where a stack runs
    home.check_space(settings.local.min_free_mib)
    console, stop = Console(), stop_on_signals()
    node.install(home, console, stop)  # here, where a progress bar can be seen
    if settings.streams.transport == broker.NAME:
        broker.install(home, console, stop)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "infra.local", "up", "--home", str(home.root), "--ready-fd", str(writing)]
    with home.log_of(NAME).open("wb") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writing],
            start_new_session=True,
        )
    os.close(writing)
    with os.fdopen(reading, "rb") as answers, console.status("starting in the background"):
        answer = _read(answers.fileno(), stop)
    if answer == _READY:
        return
    if stop.is_set():
        process.send_signal(signal.SIGTERM)
    process.wait()
    if stop.is_set():
        raise click.Abort
    raise ConfigError(answer.decode() or f"the supervisor died; its log: {home.log_of(NAME)}")


def stop(home: Home) -> bool:
    """Stop the supervisor and wait until it has ended; False if none was running."""
    state = read_state(home)
    process = state.supervisor.process() if state else None
    if process is None:
        return False
    process.terminate()
    try:
        process.wait(_STOP_S)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()
        end_leftovers(home)
    return True


@contextmanager
def told(ready_fd: int | None) -> Iterator[Callable[[], None]]:
    """In the background process: a function that tells `start` that all is ready. A ConfigError is told as well."""
    if ready_fd is None:
        yield lambda: None
        return
    with os.fdopen(ready_fd, "wb", buffering=0) as answers:

        def tell_ready() -> None:
            answers.write(_READY)
            answers.close()

        try:
            yield tell_ready
        except ConfigError as error:
            if not answers.closed:
                answers.write(str(error).encode())
            raise


def _read(descriptor: int, stop: threading.Event) -> bytes:
    answer = b""
    while not stop.is_set():
        if select.select([descriptor], [], [], _LOOK_S)[0]:
            more = os.read(descriptor, 4096)
            if not more:
                break
            answer += more
    return answer
