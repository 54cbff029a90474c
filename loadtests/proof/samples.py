"""Samples of a run: what each process uses, how far each application lags, what the agent says. One JSON line each."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

from consumers.fleet.status_command import View, take, views_of
from infra.local.home import Home
from infra.local.state import read_state
from loadtests.sale.settings import SaleSettings
from producers.agent.report import read_report
from runtime.clock import SystemClock

_MIB = 1 << 20


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """One process with its children."""

    pid: int
    cpu_s: float  # since its start
    memory_mib: float  # proportional share


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """One application."""

    path: str  # live, cold
    lag_s: float | None  # of the shard that is furthest behind; None: not known
    shards: int
    wrong: list[str]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One of the agent's roads."""

    condition: str
    lines: int  # acknowledged since its start
    pending: int
    troubles: list[str]  # of this run; the agent remembers older ones too


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one time."""

    at_us: int
    processes: dict[str, Used]
    lag: dict[str, Lag]
    agent: dict[str, Sent]


class Sampler:
    """Appends to a file. `home` None: the processes are on other machines, and are not looked at."""

    def __init__(
        self, file: Path, settings: SaleSettings, home: Home | None, own: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        """`own`: pids of further processes by name, such as Locust's."""
        self._file, self._settings, self._home, self._own = file, settings, home, own
        self._since = SystemClock().now()
        stop = threading.Event()
        self._views: list[View] = list(views_of(settings.of_fleet(), [], SystemClock(), stop))

    def sample(self) -> None:
        """Append one. Raises OSError."""
        with self._file.open("ab") as out:
            out.write(msgspec.json.encode(self._taken()) + b"\n")

    def _taken(self) -> Sample:
        at_us, processes, agent = time.time_ns() // 1000, dict(self._processes()), self._agent()
        # Last: it waits for signs of life, under load for many seconds, and the others are to be of one time.
        return Sample(at_us=at_us, processes=processes, lag=self._lag(), agent=agent)

    def _processes(self) -> Iterator[tuple[str, Used]]:
        pids = dict(self._own())
        state = read_state(self._home) if self._home else None
        for part in state.parts if state else []:
            if part.process:
                pids[part.name] = part.process.pid
        for name, pid in pids.items():
            try:
                process = psutil.Process(pid)
                # What a supervisor has started is listed by itself.
                family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
                times = [member.cpu_times() for member in family]
                # With children that have ended: PostgreSQL has one for each connection.
                cpu_s = sum(
                    t.user + t.system + (t.children_user + t.children_system) * (pid != os.getpid()) for t in times
                )
                memory = sum(member.memory_full_info().pss for member in family)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            yield name, Used(pid=pid, cpu_s=round(cpu_s, 2), memory_mib=round(memory / _MIB, 1))

    def _lag(self) -> dict[str, Lag]:
        found = {}
        for application in take(self._views, SystemClock()).applications:
            lags = [shard.lag_ms for shard in application.shards if shard.lag_ms is not None]
            wrong = [*application.wrong, *([application.unreachable] if application.unreachable else [])]
            found[application.application] = Lag(
                path=application.path,
                lag_s=max(lags) / 1000 if lags else None,
                shards=len(application.shards),
                wrong=wrong,
            )
        return found

    def _agent(self) -> dict[str, Sent]:
        report = read_report(Path(self._settings.agent.state))
        return {
            road.kind: Sent(
                condition=road.condition,
                lines=road.lines,
                pending=road.pending,
                troubles=[trouble.text for trouble in road.errors if trouble.at >= self._since],
            )
            for road in (report.roads if report else ())
        }


def read_samples(file: Path) -> list[Sample]:
    """All of them; a last line that was cut off is left out."""
    if not file.exists():
        return []
    whole = file.read_bytes().rpartition(b"\n")[0]
    return msgspec.json.Decoder(Sample).decode_lines(whole) if whole else []
