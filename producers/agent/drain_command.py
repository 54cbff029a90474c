"""`python -m producers drain`: before a host goes away, all that is on its disk is sent, or we say what is not."""

import contextlib
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from producers.agent.attendant import WISH_FILE, run_attended
from producers.agent.positions import Position, positions
from producers.agent.report import read_report
from producers.agent.running import globs_of, opened
from producers.agent.settings import AgentSettings
from producers.agent.state import Taken, lock_folder
from runtime.clock import Clock, SystemClock
from runtime.command import log_to_stderr, stop_on_signals, with_settings
from runtime.errors import ConfigError

# What systemd gives a stop by default; a spot instance is told 120 s before it goes.
TIMEOUT_S = 90.0
_LOOK_EVERY_S = 0.2
_TELL_EVERY_S = 2.0


@click.command(name="drain")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=TIMEOUT_S,
    show_default=True,
    help="Longest, in s.",
)
@click.option("--json", "as_json", is_flag=True, help="The outcome as JSON on stdout.")
@with_settings(AgentSettings)
def drain(settings: AgentSettings, timeout_s: float, as_json: bool) -> None:
    """Send all that the spool and the web logs hold, and say so in heartbeats; through the agent, if one runs.

    Exit code 0: every complete line that was there when this began is acknowledged. 1: not within the time, or not all
    could be read; what is left is said.
    """
    log_to_stderr()
    stop, clock = stop_on_signals(), SystemClock()
    began_s = clock.monotonic()
    timer = threading.Timer(timeout_s, stop.set)
    timer.daemon = True
    timer.start()
    try:
        is_drained = _drained(settings, stop, clock)
    finally:
        timer.cancel()
    left = [] if is_drained else _left(settings)
    _tell(is_drained, clock.monotonic() - began_s, left, settings, as_json)
    if not is_drained:
        sys.exit(1)


def _drained(settings: AgentSettings, stop: threading.Event, clock: Clock) -> bool:
    """By the agent that runs; by ourselves if none does, or it ends. Raises ConfigError."""
    state = Path(settings.agent.state).absolute()
    while not stop.is_set():
        answer = _by_agent(settings, state, stop, clock)
        if answer is not None:
            return answer
        try:
            with opened(settings) as roads:
                return run_attended(roads, settings, stop, clock, once=True)
        except Taken as taken:
            if taken.folder != state:  # of an agent with another state, which we cannot ask
                raise
    return False


def _by_agent(settings: AgentSettings, state: Path, stop: threading.Event, clock: Clock) -> bool | None:
    """None: no agent runs."""
    if _is_free(state):
        return None
    with _wish(state) as wish:
        tell_at_s = clock.monotonic() + _TELL_EVERY_S
        while not stop.wait(_LOOK_EVERY_S):
            report = read_report(state)
            if report is not None and report.drain is not None and report.drain.wish == wish:
                return report.drain.is_drained
            if _is_free(state):
                return None
            if clock.monotonic() >= tell_at_s:
                tell_at_s += _TELL_EVERY_S
                click.echo(_said(_left(settings)), err=True)
    return False


@contextlib.contextmanager
def _wish(state: Path) -> Iterator[str]:
    """Put where the agent looks, and taken back at the end."""
    wish, file = secrets.token_hex(8), state / WISH_FILE
    try:
        temporary = file.with_name(f"{file.name}.{wish}")
        temporary.write_text(wish)
        temporary.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}; run this as the agent's user") from error
    try:
        yield wish
    finally:
        with contextlib.suppress(OSError):
            if file.read_text() == wish:
                file.unlink()


def _is_free(state: Path) -> bool:
    try:
        held = lock_folder(state)
    except Taken:
        return False
    os.close(held)
    return True


def _left(settings: AgentSettings) -> list[Position]:
    state = Path(settings.agent.state).absolute()
    found = [position for kind, globs in globs_of(settings.agent).items() for position in positions(state, kind, globs)]
    return [position for position in found if position.lag_bytes and position.condition != "gone"]


def _said(left: list[Position]) -> str:
    return f"{sum(position.lag_bytes for position in left):,} bytes in {len(left)} files left"


def _tell(is_drained: bool, took_s: float, left: list[Position], settings: AgentSettings, as_json: bool) -> None:
    report = read_report(Path(settings.agent.state).absolute())
    unwell = [] if is_drained or report is None else report.unwell()
    if as_json:
        outcome = {
            "drained": is_drained,
            "seconds": round(took_s, 1),
            "left_bytes": sum(position.lag_bytes for position in left),
            "left_files": [position.path for position in left],
            "unwell": unwell,
        }
        click.echo(msgspec.json.encode(outcome))
    elif is_drained:
        click.echo(f"drained in {took_s:.1f} s")
    else:
        click.echo(f"not drained in {took_s:.1f} s: {'; '.join([_said(left), *unwell])}")
