"""The cold path: one shard's records to the lake, a span at a time. The chain of manifests is its checkpoint."""

import logging
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from consumers.delivery import Backpressure, Batch, Position, Record, Shard
from consumers.manifests import START, Manifest
from consumers.spans.budget import Budget
from consumers.spans.chain import Chain
from consumers.spans.commit import Commit
from consumers.spans.raw import read_raw
from consumers.spans.span import Author, Span
from consumers.stages.judge import Judge
from consumers.tally import Tally
from contract.tables import SPANNED
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.objects import Objects
from runtime.outage import Outage

_log = logging.getLogger(__name__)

_TOGETHER = 256  # records judged before the span is measured: their rows are still in the processor's cache then
# A manifest's last record is in it whole, so the position after it lies behind every record inside an aggregate. Fits
# the 32 bits that other readers of the lease table may give it.
_WHOLE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a span ends: at whichever comes first."""

    nbytes: int  # of records, as the stream delivered them
    records: int
    parts: int  # Parquet objects: imports bring many days at once
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Where spans go."""

    lake: Objects
    restricted: Objects


class ColdPath:
    """Judge, span, put, append the manifest, and only then answer with its end. Holds one span, open or sealed."""

    def __init__(
        self,
        shard: Shard,
        judge: Judge,
        buckets: Buckets,
        *,
        author: Author,
        limits: Limits,
        budget: Budget,
        tally: Tally,
        clock: Clock,
        rng: random.Random,
        effect: Effect = no_effect,
    ) -> None:
        """`budget` is shared by all paths of the process."""
        self._shard = shard
        self._judge = judge
        self._buckets = buckets
        self._author = author
        self._limits = limits
        self._budget = budget
        self._tally = tally
        self._clock = clock
        self._rng = rng
        self._effect = effect
        self._chain = Chain(buckets.lake, author.application, shard.shard_id)
        self._span: Span | None = None  # open, unless a sealed one waits
        self._waiting: Commit | None = None
        self._opened_s = 0.0  # monotonic
        self._has_resumed = False
        self._end = START  # last sequence of the chain, as far as known
        self._taken = Position(START)  # last record that is in the chain or in the span
        self._durable: Position | None = None
        self._failures = 0

    def resume(self, checkpoint: Position | None) -> Position | None:
        """After the end of the chain. Raises Outage, and ConfigError for a checkpoint that the chain does not know."""
        end = self._chain.end(None if checkpoint is None else checkpoint.sequence)
        self._end = START if end is None else end.last
        self._taken = Position(self._end, _WHOLE)
        self._durable = None if end is None else self._taken
        self._has_resumed = True
        return self._durable

    def accept(self, batch: Batch) -> Position | None:
        """Returns the end of the last span that is in the chain. A batch holds the stream's records whole.

        Records up to the end of the chain are skipped: they are in it, whoever wrote them.
        """
        self._commit()
        for records in _together(batch.records):
            self._add(self._new(records))
            if self._is_due():
                self._close()
        return self._durable

    def tick(self) -> Position | None:
        """Time may end the span."""
        self._commit()
        if self._is_due():
            self._close()
        return self._durable

    def settle(self) -> Position | None:
        """End the span now; and what is left of it, where another worker was first."""
        self._commit()
        while self._span is not None:
            self._close()
        return self._durable

    def _new(self, records: list[Record]) -> list[Record]:
        """Those after what is taken."""
        if records[0].position <= self._taken:
            records = [record for record in records if record.position > self._taken]
        if records and records[0].position.sequence == self._taken.sequence:
            raise RuntimeError(f"record {self._taken.sequence} of {self._shard.shard_id} came in two batches")
        return records

    def _add(self, records: list[Record]) -> None:
        if not records:
            return
        judged = self._judge.judge(Batch(shard=self._shard, records=records))  # first: it may ask for patience
        if self._span is None:
            self._span = Span(self._shard, self._end, span_id=f"{self._rng.getrandbits(128):032x}")
            self._opened_s = self._clock.monotonic()
        self._span.add(records, judged)
        self._taken = max(self._taken, records[-1].position)
        self._budget.hold(self, self._span.nbytes)

    def _is_due(self) -> bool:
        span, limits = self._span, self._limits
        return span is not None and (
            span.taken_bytes >= limits.nbytes
            or span.records >= limits.records
            or span.parts >= limits.parts
            or self._clock.monotonic() - self._opened_s >= limits.age_s
            or self._budget.is_exceeded
        )

    def _close(self) -> None:
        assert self._span
        sealed = self._span.seal(self._author, self._clock.now(), self._judge.reference(*self._span.arrived))
        self._span = None
        self._waiting = Commit(sealed, self._buckets.lake, self._buckets.restricted, self._chain, self._effect)
        self._budget.hold(self, sealed.nbytes)
        self._commit()

    def _commit(self) -> None:
        """Bring the sealed span, if there is one, into the chain; raises Backpressure while that cannot be."""
        try:
            if not self._has_resumed:
                self.resume(None)
            if self._waiting is None:
                return
            standing = self._waiting.run()
        except Outage as outage:
            self._failures += 1
            raise Backpressure(full_jitter(self._failures, self._rng), str(outage)) from outage
        done, self._waiting, self._failures = self._waiting, None, 0
        self._end = standing.last
        self._budget.hold(self, 0)
        if standing.span_id == done.sealed.manifest.span_id:
            self._durable = done.sealed.end
            self._count(standing)
        else:
            self._give_way(done)

    def _give_way(self, lost: Commit) -> None:
        """Another worker's manifests stand: drop what they cover, and judge the rest again, from its raw records."""
        _log.info("%s: another worker's spans stand up to %d; going on there", self._shard.shard_id, self._end)
        lost.discard()
        self._durable = Position(self._end, _WHOLE)
        self._taken = max(self._taken, self._durable)
        originals = (Record(raw.position, raw.arrived_at, raw.data) for raw in read_raw(lost.sealed.raw))
        for records in _together(record for record in originals if record.position > self._durable):
            try:
                self._add(records)
            except Backpressure as trouble:  # they are in nobody's hands but ours: read them from the stream again
                raise RuntimeError(
                    f"{self._shard.shard_id}: what stands cannot be judged again: {trouble}"
                ) from trouble

    def _count(self, manifest: Manifest) -> None:
        self._tally.add("spans", 1)
        for table in SPANNED:
            self._tally.add(table.name, manifest.rows(table.name))
        self._tally.delayed((self._clock.now() - manifest.first_arrived_at).total_seconds())


def _together(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Runs of records, those of one sequence in one run."""
    left = iter(records)
    run = list(islice(left, _TOGETHER))
    while run:
        following = next(left, None)
        while following is not None and following.position.sequence == run[-1].position.sequence:
            run.append(following)
            following = next(left, None)
        yield run
        run = [] if following is None else [following, *islice(left, _TOGETHER - 1)]
