"""Builds an agent from its settings, and keeps every other one out of its folders."""

import contextlib
import gc
import os
import random
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from producers.agent.agent import Agent, Drain
from producers.agent.batch import Host
from producers.agent.globs import Glob
from producers.agent.heartbeats import Heartbeats, Rhythm
from producers.agent.meter import Meter, MeteredStream, watch_requests
from producers.agent.put import Sender
from producers.agent.roads import Road, Roads
from producers.agent.settings import AgentSettings, Spooling
from producers.agent.spool import SUFFIX, Spool
from producers.agent.state import Kind, State, lock_folder
from producers.agent.streams import stream_named
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError
from runtime.settings import Streams


def spare_the_collector() -> None:
    """For a process that is an agent alone: what lasts is looked at no more, and the rest far less often.

    Thousands of lines live at once, and none is part of a cycle: looking for some in them is a tenth of their cost.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def globs_of(how: Spooling) -> dict[Kind, list[Glob]]:
    """What is followed, by kind. Raises ConfigError for a glob that cannot be meant."""
    globs: dict[Kind, list[Glob]] = {"order": [Glob.of(f"{how.spool}/*{SUFFIX}")]}
    if how.access_logs.strip():
        globs["access"] = [Glob.of(text.strip()) for text in how.access_logs.split(",") if text.strip()]
    if how.compressed:
        globs = {
            kind: [*plain, *(packed for glob in plain for packed in glob.packed())] for kind, plain in globs.items()
        }
    return globs


def stream_names(streams: Streams) -> Mapping[Kind, str]:
    """The stream of each kind."""
    return {"order": streams.transactions, "access": streams.access}


@contextlib.contextmanager
def opened(settings: AgentSettings) -> Iterator[Roads]:
    """The agent that `settings` describe, alone on its folders until the context ends. Raises ConfigError."""
    globs = globs_of(settings.agent)
    state, spool = Path(settings.agent.state).absolute(), Path(settings.agent.spool).absolute()
    _refuse_shared(state, spool, globs.get("access", []))
    clock = SystemClock()
    with contextlib.ExitStack() as held:
        _lock([state, spool], globs.get("access", []), held)
        roads = [
            _road(settings, kind, name, globs[kind], state, clock, held)
            for kind, name in stream_names(settings.streams).items()
            if kind in globs
        ]
        yield Roads(roads)


def _road(
    settings: AgentSettings,
    kind: Kind,
    stream_name: str,
    globs: Sequence[Glob],
    folder: Path,
    clock: Clock,
    held: contextlib.ExitStack,
) -> Road:
    meter, drain, how = Meter(clock), Drain(), settings.agent
    stream = stream_named(stream_name, settings, watch=lambda client: watch_requests(client, meter, clock))
    held.callback(stream.close)
    state = _writable(State(folder, kind=kind), folder)
    host = Host(name=socket.gethostname(), instance=how.instance or socket.gethostname())
    metered = MeteredStream(stream, meter, clock)
    sender = Sender(metered, rng=random.Random(), clock=clock, start_patience_s=how.start_patience_s)
    spool = Spool(
        globs,
        state,
        kind=kind,
        host=host,
        limits=stream.limits,
        clock=clock,
        token=lambda: secrets.token_hex(8),
    )
    rhythm = Rhythm(moved_s=how.heartbeat_s, idle_s=how.heartbeat_idle_s, final_after_s=how.final_after_s)
    agent = Agent(
        spool=spool,
        state=state,
        sender=sender,
        heartbeats=Heartbeats(spool=spool, state=state, sender=sender, host=host, clock=clock, rhythm=rhythm),
        meter=meter,
        drain=drain,
        clock=clock,
        poll_s=how.poll_s,
        state_every_s=how.state_every_s,
    )
    return Road(kind=kind, stream=stream_name, agent=agent, meter=meter, drain=drain)


def _refuse_shared(state: Path, spool: Path, access: Sequence[Glob]) -> None:
    """Raises ConfigError where one folder is named for two things: the same lines would be sent twice, or our own."""
    if state.resolve() == spool.resolve():
        raise ConfigError(f"{state}: both [agent] spool and [agent] state; give the state a folder of its own")
    for glob in access:
        for folder, name in ((state, "state"), (spool, "spool")):
            if any(Path(path).resolve() == folder.resolve() for path in glob.folders()):
                raise ConfigError(f"{glob}: of [agent] access_logs, in the folder of [agent] {name}; keep them apart")


def _lock(ours: Sequence[Path], access: Sequence[Glob], held: contextlib.ExitStack) -> None:
    """Those that are there: a web log's folder that comes later is not locked."""
    for folder in ours:
        held.callback(os.close, lock_folder(folder))
    theirs = {Path(path).resolve() for glob in access for path in glob.folders() if Path(path).is_dir()}
    for folder in sorted(theirs):
        held.callback(os.close, lock_folder(folder, make=False))


def _writable(state: State, folder: Path) -> State:
    """Found out before the first line is sent: what cannot be remembered would be sent again after every start."""
    try:
        state.save()
    except OSError as error:
        raise ConfigError(
            f"{folder}: the state cannot be written: {error.strerror}; mend that, or [agent] state"
        ) from error
    return state
