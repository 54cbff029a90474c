"""What an agent has not sent yet, said once a minute for alarms: of the host by name, and of all hosts together.

The budget is one PutMetricData a minute and host, or two lines; docs/metrics.md states it.
"""

import datetime as dt
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from contract.health import UNSENT_AGE, UNSENT_BYTES
from producers.agent.globs import Glob
from producers.agent.positions import positions
from producers.agent.roads import Road
from producers.agent.state import Kind
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.metrics import Sample, Sink, metrics_of
from runtime.outage import Outage, Trouble

UNSENT_METRICS = metrics_of((UNSENT_BYTES, UNSENT_AGE))


class Unsent:
    """Says it from a thread of its own: neither a look at the files nor CloudWatch holds up a line."""

    def __init__(
        self, roads: Sequence[Road], globs: Mapping[Kind, Sequence[Glob]], folder: Path, sink: Sink, clock: Clock
    ) -> None:
        """`folder`: of the state."""
        self._roads = roads
        self._globs = globs
        self._folder = folder
        self._sink = sink
        self._clock = clock
        self._began_at = clock.now()
        self._trouble = Trouble("metrics", clock)
        self._over = threading.Event()

    def run(self, every_s: float) -> None:
        """Until `close`, and a last time then."""
        while not self._over.wait(every_s):
            self.say()
        self.say()

    def close(self) -> None:
        """End `run`."""
        self._over.set()

    def say(self) -> None:
        """Once. Raises nothing."""
        now = self._clock.now()
        try:
            unsent = sum(
                each.lag_bytes for kind, globs in self._globs.items() for each in positions(self._folder, kind, globs)
            )
            values = {UNSENT_BYTES.name: [float(unsent)], UNSENT_AGE.name: [self._age_s(now)]}
            self._sink.put([Sample({}, values), Sample({"Host": socket.gethostname()}, values)], now)
        except (Outage, ConfigError) as error:  # the lines go on
            self._trouble.goes_on(str(error))
        else:
            self._trouble.over()

    def _age_s(self, now: dt.datetime) -> float:
        """Since one of the roads last had all: within a look at its files of 0 while all is well."""
        caught_up = (road.meter.read().caught_up_at or self._began_at for road in self._roads)
        return max(0.0, (now - min(caught_up)).total_seconds())
