"""Reads one shard for as long as its lease is ours: read, accept, checkpoint, in this order."""

import logging
import random
from collections.abc import Sequence

from consumers.delivery import Backpressure, Batch, Path, Position, Record, Shard, ShardEnded, Trimmed
from consumers.sources.kinesis.checkpoints import LATEST, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.intake import Intake
from consumers.sources.kinesis.polling import Polling
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import Answer, ShardGone, ShardInfo, Stream, Throttled
from consumers.sources.kinesis.tenure import Tenure
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)


class ShardReader:
    """One shard's loop, a step at a time: no thread and no waiting of its own. It holds one answer at most.

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
        intake: Intake | None = None,
    ) -> None:
        """`intake` None: the reader polls `stream` by itself."""
        self._shard = shard
        self._tenure = tenure
        self._path = path
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._intake: Intake = intake or Polling(
            stream=stream,
            shard_id=shard.shard_id,
            hash_range=tenure.lease.hash_range,
            poll_s=settings.poll_s,
            clock=clock,
            rng=rng,
        )
        self._has_begun = False  # the path was asked where to read on
        self._read: Position | None = None  # last record that was read: this and all before it are not news
        self._batch: Batch | None = None  # read, not yet accepted
        self._ended: Sequence[ShardInfo] | None = None  # the children, once the end was read
        self._durable: Position | None = None
        self._attempts = 0  # of the path's own services, refused in a row
        self._next_save_s = 0.0  # monotonic
        self._reading = Trouble(f"reading {shard.shard_id}", clock)
        self._saving = Trouble(f"the checkpoint of {shard.shard_id}", clock)
        self._writing = Trouble(f"the path of {shard.shard_id}", clock)
        self.waits_for_news = False  # what `step` said to wait may be cut short by the intake's ring
        self.taken: Position | None = None  # last record that the path accepted
        self.millis_behind: int | None = None  # of the last answer
        self.strays = 0  # records read that were packed for another shard; delivered all the same

    @property
    def durable(self) -> Position | None:
        """Last position whose effects are durable."""
        return self._durable or self._tenure.lease.checkpoint.position

    def step(self) -> float:
        """Read once, or offer again what was read. Returns how long to wait before the next step (s).

        Raises LeaseLost (stop, no checkpoint), ShardEnded (already checkpointed), Trimmed, ConfigError, and what
        the path raised, except Backpressure, after which the next step offers the same batch.
        """
        self._tenure.check()
        self._save()
        self.waits_for_news = False
        try:
            if self._batch is None and self._ended is None:
                self._take()
            self._hand_over()  # with the stream away too: time goes on for what the path holds
        except Backpressure as pressure:
            self._writing.goes_on(str(pressure))
            return pressure.wait_s
        except Outage as outage:
            self._reading.goes_on(str(outage))
            return self._patience_s()
        self._attempts = 0
        self._save()
        self.waits_for_news = True
        return self._intake.wait_s()

    def finish(self) -> None:
        """At a stop in good order: settle and checkpoint. Raises LeaseLost, and what the path raises.

        A path that cannot settle now, or a table that is away, costs a repetition: the successor starts further back.
        """
        self._tenure.check()
        if not self._has_begun:
            return
        try:
            self._note(self._path.settle())
        except Backpressure as pressure:
            log.warning("%s stops unsettled, its successor repeats what is open: %s", self._shard.shard_id, pressure)
        self._next_save_s = self._clock.monotonic()
        self._save()

    def close(self) -> None:
        """Nothing is read any more, whatever came before: ends what the intake runs."""
        self._intake.close()

    def _take(self) -> None:
        """Look for a batch, or for the end. Raises Trimmed, and Outage of the path's own."""
        if not self._has_begun:
            self._begin()
        try:
            answer = self._intake.take()
        except Throttled:
            return
        except Outage as outage:
            self._reading.goes_on(str(outage))
            return
        except ShardGone as gap:
            self._meet(gap)
            self._ended = ()
            return
        except Trimmed as gap:
            self._meet(gap)
            self._read = None
            self._intake.begin(TRIM_HORIZON)
            return
        if answer is None:
            return
        self._reading.over()
        self.millis_behind = answer.millis_behind
        self.strays += answer.strays
        if records := self._news(answer):
            self._batch = Batch(shard=self._shard, records=records)
        if answer.next_iterator is None and answer.children:
            self._ended = answer.children

    def _begin(self) -> None:
        known = self._tenure.lease.checkpoint
        resume = self._path.resume(known.position)
        start = self._entered(known) if resume is None else Checkpoint.at(resume)
        self._read = start.position
        self._intake.begin(start)
        self._has_begun = True

    def _entered(self, known: Checkpoint) -> Checkpoint:
        """With a time, where the row has none, as Java writes it: asked for twice, what arrived in between is not lost.

        Raises ConfigError for AT_TIMESTAMP where the settings name no time.
        """
        now = self._clock.now()
        if known == LATEST:
            return Checkpoint.entered(Rank.LATEST, now)
        if known.rank is not Rank.AT_TIMESTAMP or known.since is not None:
            return known
        if self._settings.initial_position != "AT_TIMESTAMP":
            raise ConfigError(
                f"the lease of {self._shard.shard_id} is to begin at a time that it does not name, as Java's do: set"
                " initial_position AT_TIMESTAMP and initial_time as that fleet has them"
            )
        return self._settings.entry(now)

    def _news(self, answer: Answer) -> list[Record]:
        """Without what was read before. Raises Trimmed where the record is gone that reading began at."""
        records = answer.records
        if not records:
            return records
        last, self._read = self._read, records[-1].position
        oldest, began = records[0].position, answer.resumed_at
        if began is not None and oldest.sequence > began.sequence:
            self._meet(Trimmed(f"the stream no longer holds record {began.sequence}, the oldest is {oldest.sequence}"))
        return records if last is None or oldest > last else [record for record in records if record.position > last]

    def _meet(self, gap: Trimmed) -> None:
        """A gap ends the shard, unless the operator accepted gaps; it is named in either case."""
        if self._settings.after_trim == "stop":
            raise gap
        log.error("%s: records may be lost, reading on: %s", self._shard.shard_id, gap)

    def _hand_over(self) -> None:
        if self._batch is not None:
            self._intake.ahead()
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
        """How long to wait for what the path stands on: the poll, and a jitter that grows."""
        self._attempts += 1
        return self._settings.poll_s + full_jitter(self._attempts, self._rng, base_s=0.1)
