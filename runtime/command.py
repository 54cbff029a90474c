"""One shape for every command: settings, `--print-settings`, one-line errors, exit codes, a clean stop."""

import _thread
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from runtime.errors import ConfigError
from runtime.settings import describe, load

EXIT_CONFIG = 2  # the operator has to change something first


def run(group: click.Group) -> None:
    """Run a `python -m NAME` command. A ConfigError becomes one line on stderr and exit code 2."""
    if os.getpid() == 1:  # of a container: the kernel drops what process 1 has no handler for
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        group(help_option_names=["-h", "--help"])
    except ConfigError as error:
        # One line whatever it quotes: a file's first bytes, a gateway's page.
        text = "".join(letter if letter.isprintable() else " " for letter in str(error))
        click.echo(f"error: {text}", err=True)
        sys.exit(EXIT_CONFIG)


def with_settings(
    cls: type[Any], *, default_may_be_absent: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command `--settings FILE` and `--print-settings`, and call it with `settings` of type `cls`.

    `default_may_be_absent`: see `load`.
    """

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        def call(settings_file: Path | None, print_settings: bool, **options: Any) -> Any:
            settings = load(cls, file=settings_file, default_may_be_absent=default_may_be_absent)
            if print_settings:
                click.echo(describe(settings))
                return None
            return command(settings=settings, **options)

        call.__name__, call.__doc__ = command.__name__, command.__doc__
        call.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        file = click.option(
            "--settings",
            "settings_file",
            type=click.Path(path_type=Path),
            help="Settings TOML. Default: STOREPULSE_SETTINGS, else the local stack's.",
        )
        show = click.option("--print-settings", is_flag=True, help="Print the settings in force and exit.")
        return file(show(call))

    return wrap


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log lines as `time level logger message`, to stderr."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")


@contextmanager
def errors_alone(name: str) -> Iterator[None]:
    """Meanwhile the loggers from `name` on down say errors alone: what matters is in what the command prints."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM, SIGINT or SIGHUP sets: the loop that waits on it ends in good order."""
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        # The main thread may be interrupted inside `stop.wait`, with the event's lock held: setting it here would wait
        # for ever. `Thread.start` takes locks of its own, so the thread is a bare one.
        _thread.start_new_thread(stop.set, ())

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    return stop
