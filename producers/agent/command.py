"""`python -m producers agent`: builds the agent from its settings and runs it until it is told to stop."""

import contextlib
import os
import random
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from producers.agent.agent import Agent
from producers.agent.heartbeats import Heartbeats, Rhythm
from producers.agent.put import Sender, Stream
from producers.agent.settings import AgentSettings
from producers.agent.spool import Host, Spool
from producers.agent.state import State, lock_folder
from producers.agent.streams import stream_named
from runtime.clock import SystemClock
from runtime.command import log_to_stderr, stop_on_signals, with_settings
from runtime.errors import ConfigError


@click.command(name="agent")
@click.option("--once", is_flag=True, help="Send every complete line, then exit: 0 if all is acknowledged.")
@with_settings(AgentSettings)
def agent(settings: AgentSettings, once: bool) -> None:
    """Follow the spool and send its lines to the stream."""
    log_to_stderr()
    stop = stop_on_signals()
    with opened(settings) as running:
        drained = running.run(stop, once=once)
    if once and not drained:
        sys.exit(1)


@contextlib.contextmanager
def opened(settings: AgentSettings) -> Iterator[Agent]:
    """The agent that `settings` describe, alone on its folders until the context ends. Raises ConfigError."""
    state_folder, spool_folder = Path(settings.agent.state).absolute(), Path(settings.agent.spool).absolute()
    if state_folder == spool_folder:
        raise ConfigError(f"{state_folder}: both [agent] spool and [agent] state; give the state a folder of its own")
    stream = stream_named(settings.streams.transactions, settings)
    with contextlib.closing(stream), _locked(state_folder), _locked(spool_folder):
        state = _writable(State(state_folder), state_folder)
        yield _agent(settings, spool_folder, state, stream)


def _agent(settings: AgentSettings, spool_folder: Path, state: State, stream: Stream) -> Agent:
    clock, name, how = SystemClock(), socket.gethostname(), settings.agent
    host = Host(name=name, instance=how.instance or name)
    spool = Spool(
        spool_folder,
        state,
        kind="order",
        host=host,
        limits=stream.limits,
        clock=clock,
        token=lambda: secrets.token_hex(8),
    )
    sender = Sender(stream, rng=random.Random(), clock=clock, start_patience_s=how.start_patience_s)
    rhythm = Rhythm(moved_s=how.heartbeat_s, idle_s=how.heartbeat_idle_s, final_after_s=how.final_after_s)
    return Agent(
        spool=spool,
        state=state,
        sender=sender,
        heartbeats=Heartbeats(spool=spool, state=state, sender=sender, host=host, clock=clock, rhythm=rhythm),
        clock=clock,
        poll_s=how.poll_s,
        state_every_s=how.state_every_s,
    )


def _writable(state: State, folder: Path) -> State:
    """Found out before the first line is sent: what cannot be remembered would be sent again after every start."""
    try:
        state.save()
    except OSError as error:
        raise ConfigError(
            f"{folder}: the state cannot be written: {error.strerror}; mend that, or [agent] state"
        ) from error
    return state


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = lock_folder(folder)
    try:
        yield
    finally:
        os.close(fd)
