"""The kinds of lines side by side: each with its own files, state, stream and thread.

A stream that is away holds up its own road alone.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from producers.agent.agent import Agent, Drain
from producers.agent.meter import Meter
from producers.agent.state import Kind
from runtime.errors import ConfigError

# A road that cannot go is tried again, while another one goes: what has to be changed may be outside of the settings.
AGAIN_S = 60.0
TURN_S = 0.2  # how often the others are looked after

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Road:
    """One kind."""

    kind: Kind
    stream: str  # its name
    agent: Agent
    meter: Meter
    drain: Drain
    failure: ConfigError | None = None  # why it does not go just now
    crash: BaseException | None = None  # a fault of ours: the end of all
    has_drained: bool = False
    thread: threading.Thread = field(init=False)


class Roads:
    """All of an agent's."""

    def __init__(self, roads: Sequence[Road]) -> None:
        self.all = roads

    def run(self, stop: threading.Event, *, once: bool = False, each_turn: Callable[[], None] = lambda: None) -> bool:
        """As Agent.run, for all of them; `each_turn` is called about five times a second meanwhile.

        Raises ConfigError when none of them can go; with `once`, when one of them cannot. Raises whatever ends a
        thread, when the others have ended in good order.
        """
        for road in self.all:
            road.thread = threading.Thread(target=self._follow, args=(road, stop, once), name=road.kind)
            road.thread.start()
        try:
            while any(road.thread.is_alive() for road in self.all):
                each_turn()
                if not once and all(road.failure for road in self.all):
                    stop.set()
                self._wait(TURN_S)
        except BaseException:
            stop.set()
            raise
        finally:
            for road in self.all:
                road.thread.join()
            each_turn()
        for road in self.all:
            if road.crash is not None:
                raise road.crash
        failures = [road.failure for road in self.all if road.failure is not None]
        if failures and (once or len(failures) == len(self.all)):
            raise failures[0]
        return all(road.has_drained for road in self.all)

    def _wait(self, seconds: float) -> None:
        """For the end of the first road that still goes: the last turn comes at once."""
        next(road for road in self.all if road.thread.is_alive() or road is self.all[-1]).thread.join(seconds)

    def _follow(self, road: Road, stop: threading.Event, once: bool) -> None:
        try:
            while not stop.is_set():
                try:
                    road.has_drained = road.agent.run(stop, once=once)
                    return
                except ConfigError as error:
                    road.failure = error
                    road.meter.failed(str(error))
                if once or len(self.all) == 1:
                    return
                _log.error("%s: %s; tried again in %g s, the others go on", road.kind, road.failure, AGAIN_S)
                stop.wait(AGAIN_S)
                if not stop.is_set():
                    road.failure = None
        except BaseException as error:
            road.crash = error
            stop.set()
