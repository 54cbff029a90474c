"""A source that stands by while an operator wishes it: everything settled, every lease released, the process alive.

A process that ended instead would be started again by whatever looks after it, and take its leases back.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from consumers.delivery import Path, Shard, Source
from consumers.fleet.wishes import EVERYONE, Wishes
from consumers.sources.kinesis.source import ShardStatus
from consumers.sources.kinesis.table import TableGone
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)

_POLL_S = 0.2  # between two looks whether to stop


class OnceSource(Source, Protocol):
    """What a worker is: it runs once, under an id of its own."""

    @property
    def worker_id(self) -> str: ...

    def status(self) -> Sequence[ShardStatus]: ...


class StandbySource:
    """Runs one worker after another, each from a wish's end to the next. `run` may be called once."""

    def __init__(
        self, make: Callable[[], OnceSource], wishes: Wishes, clock: Clock, *, name: str, look_s: float
    ) -> None:
        """`make` a worker; nothing is connected yet. `name` is the application's."""
        self._make = make
        self._wishes = wishes
        self._name = name
        self._look_s = look_s
        self._source = make()
        self._ids = {self._source.worker_id}  # that this process has had: a wish is for one of them
        self._is_standing_by = False
        self._asking = Trouble(f"{name}: whether to stand by", clock)

    @property
    def worker_id(self) -> str:
        """Of the worker that runs, or is to run next."""
        return self._source.worker_id

    def status(self) -> Sequence[ShardStatus]:
        """Of the worker that runs, nothing while none does; safe from any thread."""
        return [] if self._is_standing_by else self._source.status()

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        """See Source. Raises what the worker raises."""
        if self._is_wished(unknown=False):
            self._stand_by(stop)
        while not stop.is_set() and self._run_one(open_path, stop):
            self._stand_by(stop)
            if not stop.is_set():
                self._source = self._make()
                self._ids.add(self._source.worker_id)

    def _run_one(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> bool:
        """Until a stop, or a wish: True."""
        halt, wished = threading.Event(), threading.Event()
        # Asking may hang for as long as DynamoDB does: neither a stop nor the end of the run waits for that.
        threading.Thread(target=self._ask, args=(halt, wished), name="wishes", daemon=True).start()
        watch = threading.Thread(target=_pass_on, args=(stop, halt), name="stop")
        watch.start()
        try:
            self._source.run(open_path, halt)
        finally:
            halt.set()
            watch.join()
        return wished.is_set()

    def _ask(self, halt: threading.Event, wished: threading.Event) -> None:
        while not halt.wait(self._look_s):
            if self._is_wished(unknown=False):
                wished.set()
                halt.set()

    def _stand_by(self, stop: threading.Event) -> None:
        log.warning("%s: an operator wishes that %s stands by: `drain --resume` ends it", self._name, self.worker_id)
        self._is_standing_by = True
        while self._is_wished(unknown=True) and not stop.wait(self._look_s):
            pass  # an outage ends no wish
        self._is_standing_by = False
        log.info("%s: reading again, or ending", self._name)

    def _is_wished(self, *, unknown: bool) -> bool:
        """`unknown`: the answer while that cannot be read. A worker knows for itself what to do without its table."""
        try:
            wished = self._wishes.read()
        except TableGone:
            return False
        except (Outage, ConfigError) as trouble:
            self._asking.goes_on(str(trouble))
            return unknown
        self._asking.over()
        return EVERYONE in wished or not self._ids.isdisjoint(wished)


def _pass_on(stop: threading.Event, halt: threading.Event) -> None:
    while not halt.wait(_POLL_S):
        if stop.is_set():
            halt.set()
