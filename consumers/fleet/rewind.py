"""Sending an application back in time: which checkpoint each shard goes back to, and the writes that put it there."""

import datetime as dt
import logging
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from consumers.delivery import LeaseLost, Trimmed
from consumers.fleet.look import Look, Looker
from consumers.fleet.picture import few
from consumers.fleet.places import Places
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.table import LeaseTable
from runtime.outage import Outage

log = logging.getLogger(__name__)

_MOST_ATTEMPTS = 5  # against a worker that renews in between


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one shard."""

    shard: ShardInfo
    lease: Lease | None  # None: a finished one that was tidied away, or one from before the application's beginning
    to: Checkpoint | None  # None: it stays where it is
    why: str  # in a few words
    since: dt.datetime | None = None  # arrival of the first record that is read again
    until: dt.datetime | None = None  # and of the last; None: to the shard's end, or the tip
    records: int | None = None  # that are read again, of those that are known to be; None: not known
    is_counted: bool = True  # no: estimated


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was written."""

    rewound: list[str] = field(default_factory=list)
    refused: str | None = None  # why the rest was not


class Planner:
    """Asks the stream where each shard was. Nothing is written."""

    def __init__(self, places: Places, looker: Looker, *, at_once: int = 1) -> None:
        self._places = places
        self._looker = looker
        self._at_once = at_once

    def plan(self, shards: Sequence[ShardInfo], leases: Iterable[Lease], to: dt.datetime) -> list[Step]:
        """A step for each listed shard, in the order of the listing. Raises Outage."""
        leased = {lease.shard_id: lease for lease in leases}
        with ThreadPoolExecutor(self._at_once) as pool:
            return list(pool.map(lambda shard: self._step(shard, leased.get(shard.shard_id), to), shards))

    def _step(self, shard: ShardInfo, lease: Lease | None, to: dt.datetime) -> Step:
        if lease is None and shard.is_open:
            return Step(shard=shard, lease=None, to=None, why="has no lease yet: is read from its beginning")
        since = lease.checkpoint.since if lease is not None else None
        if since is not None and since <= to:
            return Step(shard=shard, lease=lease, to=None, why="has not come so far")
        try:
            first = self._places.first_from(shard.shard_id, to)
            if first is None:
                return Step(shard=shard, lease=lease, to=None, why="nothing has arrived since")
            target = self._places.checkpoint_before(shard.shard_id, to)
        except Trimmed as gap:
            return Step(shard=shard, lease=lease, to=None, why=f"the stream no longer has it: {gap}")
        # Where LATEST and times stand among the records, the order of checkpoints does not say.
        ordered = None if lease is None or since is not None or lease.checkpoint == LATEST else lease.checkpoint
        if ordered is not None and ordered <= target:
            return Step(shard=shard, lease=lease, to=None, why="has not come so far")
        return self._measured(shard, lease, target)

    def _measured(self, shard: ShardInfo, lease: Lease | None, target: Checkpoint) -> Step:
        """How much lies between: what follows the target, less what follows the checkpoint of now."""
        again = self._looker.look(shard.shard_id, target, shard.hash_range)
        present = lease.checkpoint if lease is not None else SHARD_END
        is_placed = present.position is not None or present.since is not None
        ahead = self._looker.look(shard.shard_id, present, shard.hash_range) if is_placed else Look()
        return Step(
            shard=shard,
            lease=lease,
            to=target,
            why="goes back" if lease is not None else "is read again: its lease is made anew",
            since=again.waiting_since,
            until=ahead.checkpoint_at or present.since,
            records=max(0, again.records - ahead.records),
            is_counted=again.is_counted and ahead.is_counted,
        )


class Rewind:
    """Writes a plan, every write conditional on the row as it was read."""

    def __init__(self, table: LeaseTable, me: str) -> None:
        """`me` owns the leases while it lasts: a name that no worker has."""
        self._table = table
        self._me = me

    def write(self, steps: Iterable[Step], *, live: Sequence[str], force: bool) -> Outcome:
        """Take all leases of the application, so that whoever holds one is fenced; write; release.

        `live`: shards whose owners were seen to live. Without `force` nothing is written if there are any, or if a row
        changes in between. A crash on the way leaves leases of `me` that expire; the same rewind then ends the work.
        Raises Outage.
        """
        outcome = Outcome()
        if live and not force:
            outcome.refused = f"workers that live read {few(live)}"
            return outcome
        listed = list(steps)
        going = {step.shard.shard_id: step for step in listed if step.to is not None}
        planned = {step.lease.shard_id: step.lease.counter for step in listed if step.lease is not None}
        for step in going.values():
            if step.lease is None and step.to is not None:
                self._table.create(lease_of(step.shard, step.to))
        held: dict[str, Lease] = {}
        try:
            for lease in self._table.read_all():
                if not force and lease.counter != planned.get(lease.shard_id, lease.counter):
                    raise LeaseLost(f"{lease.shard_id} was written to by {lease.owner or 'somebody'} in between")
                if lease.shard_id in going or lease.checkpoint.rank is not SHARD_END.rank:
                    held[lease.shard_id] = self._take(lease, force=force)
            for shard_id, step in going.items():
                if step.to is not None and shard_id in held:
                    held[shard_id] = self._table.checkpoint(held[shard_id], step.to)
                    outcome.rewound.append(shard_id)
        except LeaseLost as lost:
            outcome.refused = str(lost)
        finally:
            self._release(held.values())
        return outcome

    def _take(self, lease: Lease, *, force: bool) -> Lease:
        """Raises LeaseLost where somebody writes to the row in between; with `force`, only if that does not end."""
        for _ in range(_MOST_ATTEMPTS if force else 0):
            try:
                return self._table.take(lease, self._me)
            except LeaseLost:
                lease = next((row for row in self._table.read_all() if row.shard_id == lease.shard_id), lease)
        return self._table.take(lease, self._me)

    def _release(self, held: Iterable[Lease]) -> None:
        for lease in held:
            try:
                self._table.evict(lease)
            except LeaseLost:
                continue  # somebody took it when it had expired
            except Outage as outage:
                log.warning("%s is not given back and expires: %s", lease.shard_id, outage)


def live_shards(leases: Iterable[Lease], silent: Collection[str]) -> list[str]:
    """Shards whose owners were seen to live."""
    return [
        lease.shard_id
        for lease in leases
        if lease.owner is not None and lease.checkpoint.rank is not SHARD_END.rank and lease.shard_id not in silent
    ]
