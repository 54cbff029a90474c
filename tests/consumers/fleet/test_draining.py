"""When a drain is over."""

import pytest

from consumers.delivery import Position
from consumers.fleet.applications import Application
from consumers.fleet.draining import Drain
from consumers.fleet.testing import InMemoryWishes
from consumers.fleet.wishes import EVERYONE
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

APPLICATION = Application(
    name="app", stream="orders", path="live", fleet=KinesisSourceSettings(failover_s=10, scan_s=1), lag_s=30
)
LOOK_S = 5.0


class Fleet:
    """Three shards: a has two of them, b one."""

    def __init__(self, who: str = EVERYONE) -> None:
        self.clock, self.wishes, self.table = ManualClock(), InMemoryWishes(), InMemoryLeaseTable()
        self.held: dict[str, Lease] = {}
        for shard_id, owner in (("s-0", "a"), ("s-1", "a"), ("s-2", "b")):
            lease = Lease(shard_id=shard_id, checkpoint=TRIM_HORIZON)
            self.table.create(lease)
            self.held[shard_id] = self.table.take(lease, owner)
        self.drain = Drain(APPLICATION, self.table, self.wishes, self.clock, who=who, look_s=LOOK_S)

    def renew(self, *shards: str) -> None:
        for shard_id in shards:
            self.held[shard_id] = self.table.renew(self.held[shard_id])

    def release(self, *shards: str) -> None:
        for shard_id in shards:
            self.table.evict(self.held[shard_id])


def test_it_wishes_and_waits_for_the_last_lease() -> None:
    fleet = Fleet()
    assert fleet.drain.look().held == {"a": 2, "b": 1}
    assert fleet.wishes.asked == {EVERYONE}
    fleet.release("s-0", "s-1")
    fleet.clock.advance(7)
    fleet.renew("s-2")
    progress = fleet.drain.look()
    assert (progress.held, progress.is_done) == ({"b": 1}, False)
    fleet.release("s-2")
    assert fleet.drain.look().is_done


def test_workers_that_hold_nothing_must_have_had_time_to_see_the_wish() -> None:
    fleet = Fleet()
    fleet.drain.look()
    fleet.release("s-0", "s-1", "s-2")
    assert not fleet.drain.look().is_done  # an idle one may take them now, and release them once it has looked
    fleet.clock.advance(LOOK_S + 1.1)
    assert fleet.drain.look().is_done


def test_one_worker_is_done_when_it_holds_nothing_whatever_the_others_do() -> None:
    fleet = Fleet("b")
    assert fleet.drain.look().held == {"b": 1}
    fleet.release("s-2")
    fleet.clock.advance(7)
    assert fleet.drain.look().is_done


def test_who_died_is_named_and_not_waited_for_longer_than_its_leases_last() -> None:
    fleet = Fleet()
    fleet.drain.look()
    fleet.release("s-0", "s-1")
    fleet.clock.advance(9.9)
    assert fleet.drain.look().held == {"b": 1}
    fleet.clock.advance(0.1)
    progress = fleet.drain.look()
    assert (progress.is_done, progress.held, progress.ran_out) == (True, {}, {"b": 1})


def test_the_name_on_a_finished_lease_holds_nothing_up() -> None:
    fleet = Fleet()
    fleet.table.checkpoint(fleet.held["s-2"], SHARD_END)
    fleet.held["s-1"] = fleet.table.checkpoint(fleet.held["s-1"], Checkpoint.at(Position(5)))
    fleet.release("s-0", "s-1")
    fleet.drain.look()
    fleet.clock.advance(7)
    assert fleet.drain.look().is_done
