"""Who lives, as a look from outside finds out."""

from collections.abc import Callable

import pytest

from consumers.delivery import Position
from consumers.fleet.pulse import take_pulse
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


class Ticking:
    """A stop that never comes: each wait moves the clock on, and does what happens meanwhile."""

    def __init__(self, clock: ManualClock, meanwhile: Callable[[], object]) -> None:
        self._clock = clock
        self._meanwhile = meanwhile

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float) -> bool:
        self._clock.advance(timeout)
        self._meanwhile()
        return False


@pytest.fixture
def table() -> InMemoryLeaseTable:
    table = InMemoryLeaseTable()
    for shard_id in ("s-0", "s-1"):
        table.create(Lease(shard_id=shard_id, checkpoint=TRIM_HORIZON))
    return table


def take(table: InMemoryLeaseTable, shard_id: str, owner: str) -> Lease:
    (lease,) = [lease for lease in table.read_all() if lease.shard_id == shard_id]
    return table.take(lease, owner)


def test_it_ends_as_soon_as_every_owner_has_written(table: InMemoryLeaseTable) -> None:
    clock, held = ManualClock(), [take(table, "s-0", "a"), take(table, "s-1", "b")]

    def renew() -> None:
        if clock.monotonic() == 3:
            for lease in held:
                table.renew(lease)

    pulse = take_pulse(table, failover_s=10, clock=clock, stop=Ticking(clock, renew))
    assert (pulse.silent, pulse.is_certain, clock.monotonic()) == (frozenset(), True, 3)


def test_who_does_not_write_for_a_failover_is_silent(table: InMemoryLeaseTable) -> None:
    clock, living = ManualClock(), [take(table, "s-0", "a")]
    take(table, "s-1", "dead")

    def renew() -> None:
        living.append(table.checkpoint(living.pop(), Checkpoint.at(Position(int(clock.monotonic() * 2)))))

    pulse = take_pulse(table, failover_s=10, clock=clock, stop=Ticking(clock, renew))
    assert (pulse.silent, clock.monotonic()) == ({"s-1"}, 10)


def test_who_releases_or_loses_its_lease_meanwhile_is_not_silent(table: InMemoryLeaseTable) -> None:
    clock, first = ManualClock(), take(table, "s-0", "a")
    take(table, "s-1", "b")

    def meanwhile() -> None:
        if clock.monotonic() == 1:
            table.evict(first)
            take(table, "s-1", "c")

    pulse = take_pulse(table, failover_s=10, clock=clock, stop=Ticking(clock, meanwhile))
    assert pulse.silent == frozenset()
    assert {lease.owner for lease in pulse.leases} == {None, "c"}


def test_the_name_on_a_finished_lease_says_nothing(table: InMemoryLeaseTable) -> None:
    clock = ManualClock()
    table.checkpoint(take(table, "s-0", "java"), SHARD_END)
    pulse = take_pulse(table, failover_s=10, clock=clock, stop=Ticking(clock, lambda: None))
    assert (pulse.silent, clock.monotonic()) == (frozenset(), 0)


def test_without_patience_owners_are_believed(table: InMemoryLeaseTable) -> None:
    clock = ManualClock()
    take(table, "s-0", "a")
    pulse = take_pulse(table, failover_s=10, clock=clock, stop=Ticking(clock, lambda: None), patience=False)
    assert (pulse.silent, pulse.is_certain, clock.monotonic()) == (frozenset(), False, 0)
