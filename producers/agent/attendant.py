"""What goes on beside the roads, five times a second: wishes come in, reports go out."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from contract.health import OURS
from producers.agent.health import health_endpoint
from producers.agent.metrics import Metrics
from producers.agent.report import WRITTEN_EVERY_S, AgentReport, report_of, write_report
from producers.agent.roads import Roads
from producers.agent.running import globs_of
from producers.agent.settings import AgentSettings
from producers.agent.unsent import UNSENT_METRICS, Unsent
from runtime.aws import client
from runtime.clock import Clock
from runtime.metrics import sink_of
from runtime.outage import Trouble

WISH_FILE = "drain"  # in the state folder: the text of a wish, see `Drain`
_METRICS_TIMEOUT_S = 10.0


class Attendant:
    """Of one agent. Its disk may be full, CloudWatch away: the lines go on."""

    def __init__(self, roads: Roads, folder: Path, clock: Clock) -> None:
        """`folder`: of the state."""
        self._roads = roads
        self._folder = folder
        self._clock = clock
        self._started_at = clock.now()
        self._write_at_s = clock.monotonic()
        self._trouble = Trouble("status file", clock)
        self._has_answered: str | None = None

    def turn(self) -> None:
        """Raises nothing."""
        wish = self._wish()
        if wish is not None:
            for road in self._roads.all:
                road.drain.ask(wish)
        report = None
        if wish != self._has_answered:
            report = self.report()
            if report.drain is None or report.drain.wish != wish:
                report = None
            else:
                self._has_answered = wish
        if report is not None or self._clock.monotonic() >= self._write_at_s:
            self.write(report or self.report())

    def report(self) -> AgentReport:
        return report_of(self._roads.all, started_at=self._started_at, now=self._clock.now())

    def write(self, report: AgentReport) -> None:
        """Raises nothing."""
        self._write_at_s = self._clock.monotonic() + WRITTEN_EVERY_S
        try:
            write_report(self._folder, report)
        except OSError as error:
            self._trouble.goes_on(str(error))
        else:
            self._trouble.over()

    def _wish(self) -> str | None:
        try:
            return (self._folder / WISH_FILE).read_text(encoding="utf-8", errors="replace") or None
        except OSError:
            return None


def run_attended(roads: Roads, settings: AgentSettings, stop: threading.Event, clock: Clock, *, once: bool) -> bool:
    """As Roads.run, with all that the settings ask for beside it."""
    attendant = Attendant(roads, Path(settings.agent.state).absolute(), clock)
    with contextlib.ExitStack() as beside:
        if settings.agent.health_port:
            beside.enter_context(health_endpoint(settings.agent.health_port, attendant.report))
        if settings.agent.metrics_namespace:
            beside.enter_context(_metrics(roads, settings, clock))
        beside.enter_context(_unsent(roads, settings, clock))
        try:
            return roads.run(stop, once=once, each_turn=attendant.turn)
        finally:
            attendant.write(attendant.report())


@contextlib.contextmanager
def _unsent(roads: Roads, settings: AgentSettings, clock: Clock) -> Iterator[None]:
    sink = sink_of(settings.metrics, settings.aws, OURS, UNSENT_METRICS)
    if sink is None:
        yield
        return
    unsent = Unsent(roads.all, globs_of(settings.agent), Path(settings.agent.state).absolute(), sink, clock)
    thread = threading.Thread(target=unsent.run, args=(settings.metrics.every_s,), name="unsent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        unsent.close()
        thread.join(_METRICS_TIMEOUT_S)


@contextlib.contextmanager
def _metrics(roads: Roads, settings: AgentSettings, clock: Clock) -> Iterator[None]:
    cloudwatch = client("cloudwatch", settings.aws, attempts=1, connections=1, read_timeout_s=_METRICS_TIMEOUT_S)
    with Metrics(cloudwatch, settings.agent.metrics_namespace, roads.all, clock):
        yield
