"""A lease while it is ours: one object per acquisition, so that an earlier tenure can never checkpoint again."""

import threading
from collections.abc import Callable, Iterable

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.table import LeaseTable
from runtime.clock import Clock


class Tenure:
    """From take to loss. Renewed by one thread, checkpointed by another: writes of one lease never overlap.

    Every write raises LeaseLost from the moment on that another worker may have taken the lease: `failover_s` after
    the start of the last write that succeeded, whatever the table says; where answers were lost before that one, after
    the start of the first of them, which may be the one that others have seen. Once lost it stays lost.
    """

    def __init__(self, lease: Lease, table: LeaseTable, clock: Clock, *, failover_s: float, taken_at_s: float) -> None:
        self._lease = lease
        self._table = table
        self._clock = clock
        self._failover_s = failover_s
        self._renewed_at_s = taken_at_s  # monotonic, before the write was sent: others count from later
        self._unanswered_s: float | None = None  # start of the first write since then whose answer did not come
        self._over: str | None = None
        self._writing = threading.Lock()

    @property
    def lease(self) -> Lease:
        """As our last write left it."""
        return self._lease

    def check(self) -> None:
        """Raises LeaseLost where the lease is, or may be, another's."""
        idle_s = self._clock.monotonic() - self._renewed_at_s
        if self._over is None and idle_s >= self._failover_s:
            self._over = f"{self._lease.shard_id} was not renewed for {idle_s:.1f} s"
        if self._over is not None:
            raise LeaseLost(self._over)

    def compare(self, row: Lease) -> None:
        """Look at the row as the table has it: another's name there ends the tenure before a refused write does."""
        if row.owner != self._lease.owner and self._over is None:
            self._over = f"{row.shard_id} belongs to {row.owner or 'nobody'}"

    def renew(self) -> None:
        """Show the others that we live. Raises LeaseLost, Outage."""
        with self._writing:
            self._keep(self._table.renew)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store what is durable; nothing where the table holds that and more. Raises LeaseLost, Outage."""
        with self._writing:
            # Asked under the lock: a renewal may just have found that an end landed whose answer was lost.
            if checkpoint <= self._lease.checkpoint:
                self.check()
                return
            self._keep(lambda lease: self._table.checkpoint(lease, checkpoint))

    def end(self, children: Iterable[ShardInfo]) -> None:
        """The shard is finished: create its children's leases, then say so. Raises LeaseLost, Outage (repeat it).

        The child of a merge is left to the other parent's end where that one has no lease yet: see `missing_leases`.
        """
        with self._writing:
            self.check()
            listed = list(children)
            is_merge = any(len(child.parents) > 1 for child in listed)
            rows = {lease.shard_id for lease in self._table.read_all()} if is_merge else set()
            for child in listed:
                if is_merge and not child.parents <= rows:
                    continue
                self._table.create(lease_of(child, TRIM_HORIZON))
            if listed:
                self._table.link(self._lease.shard_id, [child.shard_id for child in listed])
            self._keep(lambda lease: self._table.checkpoint(lease, SHARD_END))

    def evict(self) -> None:
        """Give the lease back. Raises LeaseLost, Outage; it is over in any case."""
        with self._writing:
            self.check()
            self._over = f"{self._lease.shard_id} was given back"
            self._table.evict(self._lease)

    def _keep(self, write: Callable[[Lease], Lease]) -> None:
        self.check()
        if self._unanswered_s is None:
            self._unanswered_s = self._clock.monotonic()
        try:
            self._lease = write(self._lease)
        except LeaseLost as error:
            self._over = str(error)
            raise
        self._renewed_at_s, self._unanswered_s = self._unanswered_s, None
