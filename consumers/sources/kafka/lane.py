"""One partition's way: a thread that opens its path and offers batches to it, one at a time."""

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime

from consumers.delivery import Backpressure, Batch, Path, Position, Shard
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)

_TICK_S = 0.3


class Lane:
    """Holds at most one batch. The path is this thread's alone; all else is the caller's side."""

    def __init__(
        self,
        shard: Shard,
        open_path: Callable[[Shard], Path],
        checkpoint: Position | None,
        *,
        clock: Clock,
        rng: random.Random,
        wake: Callable[[], None],
    ) -> None:
        """`checkpoint` is the group's commit. `wake` is called when the path is open, has room again, or has failed."""
        self.shard = shard
        self._open_path = open_path
        self._checkpoint = checkpoint
        self._clock = clock
        self._rng = rng
        self._wake = wake
        self._writing = Trouble(f"the path of {shard.shard_id}", clock)
        self._news = threading.Condition()
        self._batch: Batch | None = None
        self._ending: str | None = None  # "settle" or "abandon"
        self._head: tuple[datetime, bool] | None = None  # of what was offered: arrival of the last one, nothing behind?
        self.start: int | None = None  # the offset to read from, as the path says; unknown until it is open
        self.expected: int | None = None  # the offset that comes next; None until reading has begun
        self.durable: Position | None = None
        self.taken: Position | None = None
        self.failure: Exception | None = None  # what the path raised: nothing was promised
        self._thread = threading.Thread(target=self._run, name=f"read {shard.shard_id}")
        self._thread.start()

    @property
    def has_room(self) -> bool:
        """Whether `offer` may be called."""
        return self.expected is not None and self._batch is None

    @property
    def is_over(self) -> bool:
        """Whether its thread has ended."""
        return not self._thread.is_alive()

    @property
    def millis_behind(self) -> int | None:
        """At most: how long ago the first record arrived that is not taken. None where nothing was read yet."""
        batch, head = self._batch, self._head
        if head is None:
            return None
        since, is_tip = head
        if batch is not None:
            since, is_tip = batch.records[0].arrived_at, False
        return 0 if is_tip else max(0, round((self._clock.now() - since).total_seconds() * 1000))

    def offer(self, batch: Batch, *, is_tip: bool) -> None:
        """Hand the next batch over. Only when there is room. `is_tip`: the partition holds nothing after it."""
        with self._news:
            assert self.has_room
            self.expected = batch.end.sequence
            self._head = batch.records[-1].arrived_at, is_tip
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
            path = self._open()
            while path is not None and self._step(path):
                pass
        except Exception as error:  # the path's own: nothing was promised, the partition starts again from its commit
            self.failure = error
        self._wake()

    def _open(self) -> Path | None:
        """Ask the path where to read on, for as long as what it asks is away. None where the end came first."""
        path, attempt = self._open_path(self.shard), 0
        while self._ending is None:
            try:
                known = path.resume(self._checkpoint) or self._checkpoint
            except Outage as outage:
                self._writing.goes_on(str(outage))
                attempt += 1
                self._wait_for_the_end(full_jitter(attempt, self._rng))
                continue
            self._writing.over()
            self.start = known.sequence if known else 0
            self._wake()
            return path
        return None

    def _step(self, path: Path) -> bool:
        """Offer what is there, or let time pass. False once the end was asked for and reached."""
        with self._news:
            if self._batch is None and self._ending is None:
                self._news.wait(_TICK_S)
            batch, ending = self._batch, self._ending
        if ending == "abandon":
            return False
        try:
            if batch is not None:
                self._note(path.accept(batch))
                self.taken = batch.end
                self._batch = None
                self._wake()
            elif ending is None:
                self._note(path.tick())
        except Backpressure as pressure:
            self._writing.goes_on(str(pressure))
            if ending is not None:
                return False  # the successor repeats what is open
            self._wait_for_the_end(pressure.wait_s)
            return True
        self._writing.over()
        if ending is None or self._batch is not None:
            return True
        self._settle(path)
        return False

    def _settle(self, path: Path) -> None:
        try:
            self._note(path.settle())
        except Backpressure as pressure:
            log.warning("%s stops unsettled, its successor repeats what is open: %s", self.shard.shard_id, pressure)

    def _wait_for_the_end(self, seconds: float) -> None:
        """So long at most."""
        with self._news:
            self._news.wait_for(lambda: self._ending is not None, seconds)

    def _note(self, durable: Position | None) -> None:
        if durable is not None and (self.durable is None or durable > self.durable):
            self.durable = durable
