"""Reads one shard for as long as its lease is ours: read, accept, checkpoint, in this order."""

import logging
import random
from collections.abc import Sequence

from consumers.delivery import Backpressure, Batch, Path, Position, Record, Shard, ShardEnded, Trimmed
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import IteratorExpired, ShardGone, ShardInfo, Stream, Throttled
from consumers.sources.kinesis.tenure import Tenure
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)


class ShardReader:
    """One shard's loop, a step at a time: no thread and no waiting of its own. At most one answer is in memory.

    The checkpoint is only ever what the path called durable, and at most one is written per `checkpoint_s`.
    """

    def __init__(
        self,
        *,
        shard: Shard,
        stream: Stream,
        tenure: Tenure,
        path: Path,
        settings: KinesisSourceSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._shard = shard
        self._stream = stream
        self._tenure = tenure
        self._path = path
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._start: Checkpoint | None = None  # where reading goes on after; unknown until the path was asked
        self._iterator: str | None = None
        self._expected: Position | None = None  # what an iterator at a number must bring first
        self._batch: Batch | None = None  # read, not yet accepted
        self._ended: Sequence[ShardInfo] | None = None  # the children, once the end was read
        self._durable: Position | None = None
        self._attempts = 0  # reads refused in a row
        self._next_read_s = 0.0  # monotonic
        self._next_save_s = 0.0
        self._reading = Trouble(f"reading {shard.shard_id}", clock)
        self._saving = Trouble(f"the checkpoint of {shard.shard_id}", clock)
        self._writing = Trouble(f"the path of {shard.shard_id}", clock)
        self.taken: Position | None = None  # last record that the path accepted
        self.millis_behind: int | None = None  # of the last answer
        self.strays = 0  # records read that were packed for another shard; delivered all the same

    @property
    def durable(self) -> Position | None:
        """Last position whose effects are durable."""
        return self._durable or self._tenure.lease.checkpoint.position

    def step(self) -> float:
        """Read once, or offer again what was read. Returns how long to wait before the next step (s).

        Raises LeaseLost (stop, no checkpoint), ShardEnded (already checkpointed), Trimmed, and whatever the path
        raised, except Backpressure, after which the next step offers the same batch.
        """
        self._tenure.check()
        self._save()
        try:
            wait_s = self._try_to_read() if self._batch is None and self._ended is None else 0.0
            if self._start is not None:
                self._hand_over()  # with the stream away too: time goes on for what the path holds
        except Backpressure as pressure:
            self._writing.goes_on(str(pressure))
            return pressure.wait_s
        except Outage as outage:
            self._reading.goes_on(str(outage))
            return self._patience_s()
        self._save()
        return wait_s or max(0.0, self._next_read_s - self._clock.monotonic())

    def finish(self) -> None:
        """At a stop in good order: settle and checkpoint. Raises LeaseLost, and what the path raises.

        A path that cannot settle now, or a table that is away, costs a repetition: the successor starts further back.
        """
        self._tenure.check()
        if self._start is None:
            return
        try:
            self._note(self._path.settle())
        except Backpressure as pressure:
            log.warning("%s stops unsettled, its successor repeats what is open: %s", self._shard.shard_id, pressure)
        self._next_save_s = self._clock.monotonic()
        self._save()

    def _try_to_read(self) -> float:
        """Returns how long to wait before the next try (s), 0 after a good one."""
        try:
            self._read()
        except IteratorExpired:
            self._iterator = None
            return self._settings.poll_s
        except Throttled:
            return self._patience_s()
        except Outage as outage:
            self._reading.goes_on(str(outage))
            return self._patience_s()
        return 0.0

    def _read(self) -> None:
        if self._start is None:
            known = self._tenure.lease.checkpoint
            resume = self._path.resume(known.position)
            self._start = known if resume is None else Checkpoint.at(resume)
        self._next_read_s = self._clock.monotonic() + self._settings.poll_s
        try:
            self._iterator = self._iterator or self._new_iterator(self._start)
        except ShardGone as gap:
            self._meet(gap)
            self._ended = ()
            return
        answer = self._stream.read(self._iterator, self._tenure.lease.hash_range)
        self._reading.over()
        self._attempts = 0
        records = self._new_records(answer.records)
        self._iterator = answer.next_iterator
        self.millis_behind = answer.millis_behind
        self.strays += answer.strays
        if records:
            self._batch = Batch(shard=self._shard, records=records)
        if answer.next_iterator is None and answer.children:
            self._ended = answer.children

    def _new_iterator(self, start: Checkpoint) -> str:
        """At the last record that was processed: from after it, the rest of a half-done aggregate would be lost."""
        if self.taken is not None:
            start = Checkpoint.at(self.taken)
        self._expected = start.position
        try:
            return self._stream.iterator(self._shard.shard_id, start)
        except ShardGone:
            raise
        except Trimmed as gap:
            self._meet(gap)
            self._expected = None
            return self._stream.iterator(self._shard.shard_id, TRIM_HORIZON)

    def _new_records(self, records: list[Record]) -> list[Record]:
        """Without those up to the position that the iterator stands at. Raises Trimmed where its record is gone."""
        if not records or self._expected is None:
            return records
        last, self._expected = self._expected, None
        oldest = records[0].position
        if oldest.sequence > last.sequence:
            self._meet(Trimmed(f"the stream no longer holds record {last.sequence}, the oldest is {oldest.sequence}"))
        return [record for record in records if record.position > last]

    def _meet(self, gap: Trimmed) -> None:
        """A gap ends the shard, unless the operator accepted gaps; it is named in either case."""
        if self._settings.after_trim == "stop":
            raise gap
        log.error("%s: records may be lost, reading on: %s", self._shard.shard_id, gap)

    def _hand_over(self) -> None:
        if self._batch is not None:
            self._note(self._path.accept(self._batch))
            self.taken = self._batch.end
            self._batch = None
            self._writing.over()
        elif self._ended is None:
            self._note(self._path.tick())
            self._writing.over()
        if self._ended is not None:
            self._end(self._ended)

    def _end(self, children: Sequence[ShardInfo]) -> None:
        self._note(self._path.settle())
        if self.taken is not None and (self._durable is None or self._durable < self.taken):
            raise RuntimeError(f"the path settled at {self._durable}, but it had accepted {self.taken}")
        self._tenure.end(children)
        raise ShardEnded(f"{self._shard.shard_id} is finished; next: {', '.join(c.shard_id for c in children)}")

    def _note(self, durable: Position | None) -> None:
        if durable is not None and (self._durable is None or durable > self._durable):
            self._durable = durable

    def _save(self) -> None:
        """Checkpoint what is durable, if that is news and the last one is long enough ago."""
        now_s = self._clock.monotonic()
        if self._durable is None or now_s < self._next_save_s:
            return
        checkpoint = Checkpoint.at(self._durable)
        if checkpoint <= self._tenure.lease.checkpoint:
            return
        self._next_save_s = now_s + self._settings.checkpoint_s
        try:
            self._tenure.checkpoint(checkpoint)
        except Outage as outage:
            self._saving.goes_on(str(outage))
        else:
            self._saving.over()

    def _patience_s(self) -> float:
        """How long to wait after a refused read: the poll, and a jitter that grows."""
        self._attempts += 1
        return self._settings.poll_s + full_jitter(self._attempts, self._rng, base_s=0.1)
