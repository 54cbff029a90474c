"""Who lives: leases looked at until the counter of every owned one has moved, or has stood still for too long.

A lease table holds no times, and no clock of another machine would be worth anything: an owner lives if it writes.
"""

from dataclasses import dataclass

from consumers.sources.kinesis.checkpoints import SHARD_END
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.table import LeaseTable
from runtime.clock import Clock
from runtime.outage import Stop

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A lease table as it was at the end of the looks."""

    leases: list[Lease]
    silent: frozenset[str]  # shards whose owner has not written for `failover_s`: anybody may take them
    is_certain: bool = True  # no: the looks were cut short, and owners that were not heard yet are believed


def take_pulse(table: LeaseTable, *, failover_s: float, clock: Clock, stop: Stop, patience: bool = True) -> Pulse:
    """Look until every owner was heard: a third of `failover_s` where all live, `failover_s` where one does not.

    Without `patience` the first look is the last, and owners are believed. Raises Outage, TableGone.
    """
    leases = table.read_all()
    unheard = {lease.shard_id: lease for lease in leases if _is_held(lease)}
    if not patience:
        return Pulse(leases=leases, silent=frozenset(), is_certain=not unheard)
    give_up_s = clock.monotonic() + failover_s
    while unheard and clock.monotonic() < give_up_s:
        if stop.wait(min(_LOOK_S, max(0.0, give_up_s - clock.monotonic()))):
            return Pulse(leases=leases, silent=frozenset(), is_certain=False)
        leases = table.read_all()
        now = {lease.shard_id: lease for lease in leases if _is_held(lease)}
        unheard = {
            shard_id: lease
            for shard_id, lease in unheard.items()
            if shard_id in now and now[shard_id].counter == lease.counter
        }
    return Pulse(leases=leases, silent=frozenset(unheard))


def _is_held(lease: Lease) -> bool:
    """Somebody's to read. A finished one may bear its last owner's name for ever: the Java library leaves it."""
    return lease.owner is not None and lease.checkpoint.rank is not SHARD_END.rank
