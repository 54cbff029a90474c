"""A look at what a shard holds after a checkpoint: how old, and how many records. One small read a shard as a rule."""

import datetime as dt
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from consumers.delivery import Trimmed
from consumers.fleet.reads import Page, Reads
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import LATEST, Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What comes after a checkpoint."""

    checkpoint_at: dt.datetime | None = None  # arrival of the record at the checkpoint; None for a sentinel
    waiting_since: dt.datetime | None = None  # arrival of the oldest record after it; None: there is none
    records: int = 0  # after it, those in aggregates by themselves
    is_counted: bool = True  # no: `records` is estimated, from how dense the first ones are
    gap: str | None = None  # records after the checkpoint are gone


class Looker:
    """Looks at one stream."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def look_at(
        self, places: Iterable[tuple[str, Checkpoint, HashRange | None]], *, at_once: int = 1
    ) -> Mapping[str, Look]:
        """By shard. In: shards, each with its checkpoint and hash range, each once. Raises Outage."""
        listed = list(places)
        with ThreadPoolExecutor(at_once) as pool:
            looks = pool.map(lambda place: self.look(*place), listed)
            return {shard_id: look for (shard_id, _, _), look in zip(listed, looks, strict=True)}

    def look(self, shard_id: str, checkpoint: Checkpoint, hash_range: HashRange | None = None) -> Look:
        """Raises Outage, also where the shard's reads stay used up."""
        if checkpoint == LATEST:
            return Look()  # reading begins where the stream ends: nothing before it is waited for
        position = checkpoint.position
        try:
            page = self._reads.from_checkpoint(
                shard_id,
                checkpoint,
                lambda records: any(position is None or record.position > position for record in records),
                hash_range,
            )
        except Trimmed as gap:
            return Look(gap=str(gap))
        if position is None or not page.records:
            return look_of(page, checkpoint_at=None)
        first = page.records[0]
        if first.position.sequence > position.sequence:
            oldest = first.position.sequence
            return Look(gap=f"the stream no longer holds record {position.sequence}, the oldest is {oldest}")
        after = [record for record in page.records if record.position > position]
        return look_of(Page(after, page.behind_ms), checkpoint_at=first.arrived_at)


def look_of(after: Page, *, checkpoint_at: dt.datetime | None) -> Look:
    """In: what was read after a checkpoint."""
    records = after.records
    if not records:
        return Look(checkpoint_at=checkpoint_at, is_counted=after.behind_ms == 0)
    first, last = records[0].arrived_at, records[-1].arrived_at
    seen_ms = (last - first).total_seconds() * 1000
    more = len(records) * after.behind_ms / seen_ms if seen_ms > 0 else 0.0
    return Look(
        checkpoint_at=checkpoint_at,
        waiting_since=first,
        records=len(records) + round(more),
        is_counted=after.behind_ms == 0,
    )
