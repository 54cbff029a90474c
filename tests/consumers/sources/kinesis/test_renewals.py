"""Many leases are renewed side by side; what hangs holds up nobody else."""

import threading

import pytest

from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.renewals import Renewals
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration  # threads

_PATIENCE_S = 30.0


class HangingTable(InMemoryLeaseTable):
    """Renewals of the leases in `hanging` do not return before `opened`; `renewed` counts the others."""

    def __init__(self, hanging: set[str]) -> None:
        super().__init__()
        self.hanging = hanging
        self.hangs = threading.Semaphore(0)
        self.renewed = threading.Semaphore(0)
        self.opened = threading.Event()
        self.asked: list[str] = []

    def renew(self, lease: Lease) -> Lease:
        self.asked.append(lease.shard_id)
        if lease.shard_id in self.hanging:
            self.hangs.release()
            assert self.opened.wait(_PATIENCE_S)
        renewed = super().renew(lease)
        self.renewed.release()
        return renewed


def tenures(table: InMemoryLeaseTable, count: int) -> list[Tenure]:
    clock = ManualClock()
    found = []
    for number in range(count):
        lease = Lease(shard_id=f"s-{number}", checkpoint=TRIM_HORIZON)
        table.create(lease)
        found.append(Tenure(table.take(lease, "me"), table, clock, failover_s=10.0, taken_at_s=0.0))
    return found


def test_a_renewal_that_hangs_costs_no_other_lease_and_is_not_sent_again() -> None:
    table = HangingTable({"s-0", "s-1"})
    due = tenures(table, 20)
    renewals = Renewals(Tenure.renew, most=4)
    try:
        renewals.offer(due)
        assert table.hangs.acquire(timeout=_PATIENCE_S)
        assert table.hangs.acquire(timeout=_PATIENCE_S)
        for _ in range(18):
            assert table.renewed.acquire(timeout=_PATIENCE_S)
        renewals.offer(due[:2])
    finally:
        table.opened.set()
        renewals.close()
    assert sorted(table.asked) == sorted(tenure.lease.shard_id for tenure in due)
    assert {lease.counter for lease in table.read_all()} == {2}
    assert renewals.error is None


def test_a_renewal_does_not_wait_for_a_checkpoint_of_the_same_lease() -> None:
    table = HangingTable({"s-0"})
    (tenure,) = tenures(table, 1)
    first = threading.Thread(target=tenure.renew)
    first.start()
    try:
        assert table.hangs.acquire(timeout=_PATIENCE_S)
        tenure.renew()  # returns: the other write renews too
        tenure.check()
    finally:
        table.opened.set()
        first.join()
    assert table.asked == ["s-0"]


def test_what_ends_the_worker_is_kept_and_the_others_are_renewed() -> None:
    table = HangingTable(set())
    refused, *others = tenures(table, 3)

    def keep(tenure: Tenure) -> None:
        if tenure is refused:
            raise ConfigError("no right to write")
        tenure.renew()

    renewals = Renewals(keep, most=2)
    renewals.offer([refused, *others])
    for _ in others:
        assert table.renewed.acquire(timeout=_PATIENCE_S)
    renewals.close()
    assert isinstance(renewals.error, ConfigError)
