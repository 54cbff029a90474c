"""The keeper's lease: one keeper works, the others wait. For thrift, not for correctness: what was taken, each store
remembers by itself, so a keeper that wakes up after its lease has gone changes nothing."""

import logging

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.balance import Sightings
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.table import LeaseTable, TableGone
from consumers.sources.kinesis.tenure import Tenure
from runtime.clock import Clock

_log = logging.getLogger(__name__)

_ROW = "keeper"


class KeeperLease:
    """A row of a lease table of the keeper's own. `attend` and `release` are called by one thread, `check` by any.

    Expiry is by this process's own monotonic clock; no other machine's clock plays a part.
    """

    def __init__(self, table: LeaseTable, *, owner: str, failover_s: float, clock: Clock) -> None:
        self._table = table
        self._owner = owner
        self._failover_s = failover_s
        self._clock = clock
        self._sightings = Sightings(failover_s)
        self._tenure: Tenure | None = None
        self._renew_at_s = 0.0  # monotonic
        self._row = Lease(shard_id=_ROW, checkpoint=TRIM_HORIZON)  # as last read: somebody may delete it
        self._waits_for: str | None = None  # the owner that the log has named

    def ensure(self) -> None:
        """Create table and row where absent. Raises ConfigError, Outage."""
        self._table.ensure()
        self._table.create(self._row)

    def attend(self) -> None:
        """Renew the lease if it is ours, else take it if it is free. To be called every second or so. Raises Outage."""
        if self._tenure is None:
            self._look()
        elif self._clock.monotonic() >= self._renew_at_s:
            self._renew(self._tenure)

    def check(self) -> None:
        """Raises LeaseLost unless the lease is ours, as far as this process can know."""
        tenure = self._tenure
        if tenure is None:
            raise LeaseLost("another keeper is at work")
        tenure.check()

    def release(self) -> None:
        """Give it back, so that a successor starts at once. Raises Outage: then it expires by itself."""
        tenure, self._tenure = self._tenure, None
        if tenure is not None:
            try:
                tenure.evict()
            except LeaseLost:
                return

    def _look(self) -> None:
        try:
            leases = [lease for lease in self._table.read_all() if lease.shard_id == _ROW]
        except TableGone as gone:
            _log.warning("%s: made again", gone)
            leases = []
        now_s = self._clock.monotonic()
        self._sightings.see(leases, now_s)
        if not leases:
            self.ensure()  # somebody has deleted the row, or the table
        for lease in leases:
            self._row = lease
            if self._sightings.is_free(lease, now_s):
                self._take(lease, now_s)
            elif lease.owner != self._waits_for:
                self._waits_for = lease.owner
                _log.info("the keeper's lease is %s's: waiting", lease.owner)

    def _take(self, lease: Lease, now_s: float) -> None:
        try:
            taken = self._table.take(lease, self._owner)
        except LeaseLost:
            return  # somebody was faster
        _log.info("took the keeper's lease from %s", lease.owner or "nobody")
        self._tenure = Tenure(taken, self._table, self._clock, failover_s=self._failover_s, taken_at_s=now_s)
        self._renew_at_s = now_s + self._failover_s / 3

    def _renew(self, tenure: Tenure) -> None:
        started_s = self._clock.monotonic()
        try:
            tenure.renew()
        except LeaseLost as lost:
            _log.warning("the keeper's lease is lost: %s", lost)
            self._tenure = None
        else:
            self._renew_at_s = started_s + self._failover_s / 3
