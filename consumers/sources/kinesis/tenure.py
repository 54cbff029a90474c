"""A lease while it is ours: one object per acquisition, so that an earlier tenure can never checkpoint again."""

import threading
from collections.abc import Callable, Iterable

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.checkpoints import SHARD_END, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import lease_of, start_below
from consumers.sources.kinesis.states import OURS, Event, State, moved
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.table import LeaseTable
from runtime.clock import Clock
from runtime.outage import Outage


class Tenure:
    """From take to loss. Renewed by one thread, checkpointed by another: writes of one lease never overlap.

    Its states and what may happen in them are `states.MOVES`. Every write raises LeaseLost from the moment on that
    another worker may have taken the lease: `failover_s` after the start of the last write that succeeded, whatever
    the table says; where answers were lost before that one, after the start of the first of them, which may be the one
    that others have seen. Once lost it stays lost.
    """

    def __init__(self, lease: Lease, table: LeaseTable, clock: Clock, *, failover_s: float, taken_at_s: float) -> None:
        self._lease = lease
        self._table = table
        self._clock = clock
        self._failover_s = failover_s
        self._renewed_at_s = taken_at_s  # monotonic, before the write was sent: others count from later
        self._unanswered_s: float | None = None  # start of the first write since then of which we know no answer
        self._state = State.HELD
        self._why_over = ""
        self._moving = threading.Lock()  # for a moment
        self._writing = threading.Lock()  # for as long as a write takes

    @property
    def lease(self) -> Lease:
        """As our last write left it."""
        return self._lease

    @property
    def state(self) -> State:
        """As of now. A lease that has run out may still be saved by a write that is under way, until it is checked."""
        has_run_out = self.idle_s >= self._failover_s
        return moved(self._state, Event.RUN_OUT) if has_run_out else self._state

    @property
    def idle_s(self) -> float:
        """Since the start of the last write that is known to have landed."""
        return self._clock.monotonic() - self._renewed_at_s

    def check(self) -> None:
        """Raises LeaseLost where the lease is, or may be, another's."""
        idle_s = self.idle_s
        if idle_s >= self._failover_s:
            self._move(Event.RUN_OUT, f"{self._lease.shard_id} was not renewed for {idle_s:.1f} s")
        if self._state not in OURS:
            raise LeaseLost(self._why_over)

    def compare(self, row: Lease) -> None:
        """Look at the row as the table has it: another's name there ends the tenure before a refused write does."""
        if row.owner != self._lease.owner:
            self._move(Event.ROB, f"{row.shard_id} belongs to {row.owner or 'nobody'}")

    def renew(self) -> None:
        """Show the others that we live, unless another write does so now. Raises LeaseLost, Outage."""
        if not self._writing.acquire(blocking=False):
            return  # a checkpoint is under way, and it renews too
        try:
            self._keep(Event.RENEW, self._table.renew)
        finally:
            self._writing.release()

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store what is durable; nothing where the table holds that and more. Raises LeaseLost, Outage."""
        with self._writing:
            # Asked under the lock: a renewal may just have found that an end landed whose answer was lost.
            if checkpoint <= self._lease.checkpoint:
                self.check()
                return
            self._keep(Event.CHECKPOINT, lambda lease: self._table.checkpoint(lease, checkpoint))

    def end(self, children: Iterable[ShardInfo]) -> None:
        """The shard is finished: create its children's leases, then say so. Raises LeaseLost, Outage (repeat it).

        The child of a merge is left to the other parent's end where that one has no lease yet: see `missing_leases`.
        """
        with self._writing:
            self._check_for(Event.END)
            listed = list(children)
            is_merge = any(len(child.parents) > 1 for child in listed)
            rows = {lease.shard_id for lease in self._table.read_all()} if is_merge else set()
            for child in listed:
                if not is_merge or child.parents <= rows:
                    self._table.create(lease_of(child, start_below([self._lease])))
            if listed:
                self._table.link(self._lease.shard_id, [child.shard_id for child in listed])
            self._keep(Event.END, lambda lease: self._table.checkpoint(lease, SHARD_END))

    def evict(self) -> None:
        """Give the lease back. Raises LeaseLost, Outage; it is over in any case."""
        with self._writing:
            self._check_for(Event.RETURN)
            self._move(Event.RETURN, f"{self._lease.shard_id} was given back")
            self._table.evict(self._lease)

    def _keep(self, event: Event, write: Callable[[Lease], Lease]) -> None:
        self._check_for(event)
        started_s = self._clock.monotonic()
        try:
            lease = write(self._lease)
        except LeaseLost as error:
            self._move(Event.ROB, str(error))
            raise
        except Outage:
            self._unanswered_s = started_s if self._unanswered_s is None else self._unanswered_s
            raise
        if lease.counter == self._lease.counter + 1 and self._unanswered_s is not None:
            started_s = self._unanswered_s  # perhaps that write had landed, and others count from then
        self._lease = lease
        self._renewed_at_s = started_s
        self._unanswered_s = None
        if self._state in OURS:  # it may have been robbed, or have run out, since the write was sent
            # A renewal, too, may find that an end had landed.
            self._move(Event.END if lease.checkpoint.rank is Rank.SHARD_END else event)

    def _check_for(self, event: Event) -> None:
        """Raises LeaseLost where the lease is lost, and where `event` cannot happen to it."""
        self.check()
        moved(self._state, event)

    def _move(self, event: Event, why: str = "") -> None:
        with self._moving:
            before, self._state = self._state, moved(self._state, event)
            if before in OURS and self._state not in OURS:
                self._why_over = why
