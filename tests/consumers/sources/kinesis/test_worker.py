"""A worker's part in the fleet, on a clock that the test sets."""

import pytest

from consumers.delivery import LeaseLost, Position
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards, fixed_random
from consumers.sources.kinesis.worker import Worker
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


class Fleet:
    def __init__(self, shards: list[ShardInfo], settings: KinesisSourceSettings | None = None) -> None:
        self.clock = ManualClock()
        self.table = InMemoryLeaseTable()
        self.stream = ScriptedStream(shards)
        self.settings = settings or KinesisSourceSettings()

    def worker(self, name: str) -> Worker:
        worker = Worker(
            worker_id=name,
            stream=self.stream,
            table=self.table,
            settings=self.settings,
            clock=self.clock,
            rng=fixed_random(),
        )
        worker.start()
        return worker

    def owners(self) -> list[str | None]:
        return sorted((lease.owner for lease in self.table.read_all()), key=str)


def test_starting_creates_a_lease_for_every_shard_once() -> None:
    fleet = Fleet(even_shards(4))
    fleet.worker("a")
    fleet.worker("b")
    leases = fleet.table.read_all()
    assert [lease.checkpoint for lease in leases] == [TRIM_HORIZON] * 4
    assert all(lease.hash_range for lease in leases)


def test_the_initial_position_is_a_setting() -> None:
    fleet = Fleet(even_shards(1), KinesisSourceSettings(initial_position="LATEST"))
    fleet.worker("a")
    assert [lease.checkpoint for lease in fleet.table.read_all()] == [LATEST]


def test_a_listing_with_a_hole_creates_nothing() -> None:
    fleet = Fleet(even_shards(4)[:3])
    fleet.worker("a")
    assert fleet.table.read_all() == []


def test_two_workers_end_with_half_each() -> None:
    fleet = Fleet(even_shards(4))
    first, second = fleet.worker("a"), fleet.worker("b")
    assert len(first.scan(())) == 4
    for _ in range(3):
        second.scan(())
        first.renew()
    assert fleet.owners() == ["a", "a", "b", "b"]


def test_a_robbed_worker_sees_it_at_its_next_look() -> None:
    fleet = Fleet(even_shards(2))
    robbed, thief = fleet.worker("robbed"), fleet.worker("thief")
    tenures = robbed.scan(())
    (stolen,) = thief.scan(())
    robbed.scan(())
    for tenure in tenures:
        if tenure.lease.shard_id == stolen.lease.shard_id:
            with pytest.raises(LeaseLost):
                tenure.check()
        else:
            tenure.check()


def test_a_dead_workers_leases_are_taken_after_the_failover_and_not_before() -> None:
    fleet = Fleet(even_shards(2))
    dead, heir = fleet.worker("dead"), fleet.worker("heir")
    dead.scan(())
    heir.scan(())
    fleet.clock.advance(9.9)
    heir.renew()
    heir.scan(())
    assert "dead" in fleet.owners()
    fleet.clock.advance(0.1)
    heir.renew()
    heir.scan(())
    assert fleet.owners() == ["heir", "heir"]


def test_a_renewing_worker_keeps_its_leases() -> None:
    fleet = Fleet(even_shards(2))
    alive, other = fleet.worker("alive"), fleet.worker("other")
    alive.scan(())
    other.scan(())
    for _ in range(10):
        fleet.clock.advance(3.3)
        alive.renew()
        other.renew()
        other.scan(())
    assert fleet.owners() == ["alive", "other"]


def test_a_released_lease_is_taken_at_the_next_look() -> None:
    fleet = Fleet(even_shards(1))
    leaving, heir = fleet.worker("leaving"), fleet.worker("heir")
    (tenure,) = leaving.scan(())
    assert heir.scan(()) == []
    leaving.release(tenure)
    assert len(heir.scan(())) == 1


def test_a_worker_can_take_a_released_lease_again() -> None:
    fleet = Fleet(even_shards(1))
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    worker.release(tenure)
    assert worker.scan({tenure.lease.shard_id}) == []
    assert len(worker.scan(())) == 1


def test_a_lease_that_could_not_be_given_back_is_taken_again_after_the_failover() -> None:
    fleet = Fleet(even_shards(1))
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    fleet.table.away = True
    worker.release(tenure)
    fleet.table.away = False
    assert worker.scan(()) == []
    fleet.clock.advance(10.0)
    assert len(worker.scan(())) == 1


def test_with_the_table_away_for_a_failover_every_tenure_is_over() -> None:
    fleet = Fleet(even_shards(1))
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    fleet.table.away = True
    for _ in range(4):
        fleet.clock.advance(3.0)
        worker.renew()
    fleet.table.away = False
    worker.renew()
    assert fleet.table.read_all()[0].counter == 1
    worker.release(tenure)
    assert fleet.table.read_all()[0].owner == "a"


def test_a_child_is_taken_only_when_its_parent_is_finished() -> None:
    (parent,) = even_shards(1)
    child = ShardInfo(shard_id="child", parents=frozenset({parent.shard_id}), hash_range=parent.hash_range)
    closed = ShardInfo(shard_id=parent.shard_id, hash_range=parent.hash_range, is_open=False)
    fleet = Fleet([closed, child])
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    assert tenure.lease.shard_id == parent.shard_id
    assert worker.scan(()) == []
    tenure.end([child])
    worker.release(tenure)
    (next_,) = worker.scan(())
    assert next_.lease.shard_id == "child"
    assert {lease.shard_id: lease.checkpoint for lease in fleet.table.read_all()}[parent.shard_id] == SHARD_END


def test_new_shards_are_discovered_in_time() -> None:
    (parent,) = even_shards(1)
    fleet = Fleet([parent])
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    tenure.end([])
    worker.release(tenure)
    child = ShardInfo(shard_id="child", parents=frozenset({parent.shard_id}), hash_range=parent.hash_range)
    fleet.stream.replace([ShardInfo(shard_id=parent.shard_id, hash_range=parent.hash_range, is_open=False), child])
    assert worker.scan(()) == []
    fleet.clock.advance(60.0)
    assert [taken.lease.shard_id for taken in worker.scan(())] == ["child"]


def test_a_table_that_is_deleted_is_made_again_with_its_checkpoints() -> None:
    fleet = Fleet(even_shards(2), KinesisSourceSettings(initial_position="LATEST"))
    worker = fleet.worker("a")
    first, second = sorted(worker.scan(()), key=lambda tenure: tenure.lease.shard_id)
    first.checkpoint(Checkpoint.at(Position(7)))
    worker.scan(())
    fleet.table.delete()
    with pytest.raises(Outage, match="gone"):
        first.checkpoint(Checkpoint.at(Position(9)))
    worker.renew()
    assert worker.scan(()) == []
    assert {lease.shard_id: lease.checkpoint for lease in fleet.table.read_all()} == {
        first.lease.shard_id: Checkpoint.at(Position(7)),
        second.lease.shard_id: LATEST,
    }
    first.checkpoint(Checkpoint.at(Position(9)))
    worker.renew()
    second.check()


def test_a_worker_whose_lease_was_not_read_since_its_last_write_loses_it_with_the_table() -> None:
    fleet = Fleet(even_shards(1))
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    worker.scan(())
    tenure.checkpoint(Checkpoint.at(Position(7)))
    fleet.table.delete()
    worker.scan(())
    with pytest.raises(LeaseLost):
        tenure.checkpoint(Checkpoint.at(Position(9)))
