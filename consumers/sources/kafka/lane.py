"""One partition's way: a thread that offers batches to its path, one at a time."""

import logging
import threading
from collections.abc import Callable

from consumers.delivery import Backpressure, Batch, Path, Position, Shard
from runtime.clock import Clock
from runtime.outage import Trouble

log = logging.getLogger(__name__)

_TICK_S = 0.3


class Lane:
    """Holds at most one batch. `offer` and `durable` are the caller's side; the path is this thread's alone."""

    def __init__(self, shard: Shard, path: Path, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` is called when there is room again, or the path has failed."""
        self._shard = shard
        self._path = path
        self._wake = wake
        self._writing = Trouble(f"the path of {shard.shard_id}", clock)
        self._news = threading.Condition()
        self._batch: Batch | None = None
        self._ending: str | None = None  # "settle" or "abandon"
        self.durable: Position | None = None
        self.taken: Position | None = None
        self.failure: Exception | None = None  # what the path raised: nothing was promised
        self._thread = threading.Thread(target=self._run, name=f"read {shard.shard_id}")
        self._thread.start()

    @property
    def has_room(self) -> bool:
        """Whether `offer` may be called."""
        return self._batch is None

    def offer(self, batch: Batch) -> None:
        """Hand the next batch over. Only when there is room."""
        with self._news:
            assert self._batch is None
            self._batch = batch
            self._news.notify()

    def ask_to_settle(self) -> None:
        """Let the thread end in good order: what was taken is made durable."""
        self._ask("settle")

    def abandon(self) -> None:
        """Another member has the partition: end without a promise. What its successor repeats changes nothing."""
        self._ask("abandon")

    def join(self) -> None:
        self._thread.join()

    def _ask(self, ending: str) -> None:
        with self._news:
            self._ending = self._ending or ending
            self._news.notify()

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except Exception as error:  # the path's own: nothing was promised, the partition starts again from its commit
            self.failure = error
        self._wake()

    def _step(self) -> bool:
        """Offer what is there, or let time pass. False once the end was asked for and reached."""
        with self._news:
            if self._batch is None and self._ending is None:
                self._news.wait(_TICK_S)
            batch, ending = self._batch, self._ending
        if ending == "abandon":
            return False
        try:
            if batch is not None:
                self._note(self._path.accept(batch))
                self.taken = batch.end
                self._batch = None
                self._wake()
            elif ending is None:
                self._note(self._path.tick())
        except Backpressure as pressure:
            self._writing.goes_on(str(pressure))
            if ending is not None:
                return False  # the successor repeats what is open
            with self._news:
                self._news.wait_for(lambda: self._ending is not None, pressure.wait_s)
            return True
        self._writing.over()
        if ending is None or self._batch is not None:
            return True
        self._settle()
        return False

    def _settle(self) -> None:
        try:
            self._note(self._path.settle())
        except Backpressure as pressure:
            log.warning("%s stops unsettled, its successor repeats what is open: %s", self._shard.shard_id, pressure)

    def _note(self, durable: Position | None) -> None:
        if durable is not None and (self.durable is None or durable > self.durable):
            self.durable = durable
