"""A worker's part in the fleet, on a clock that the test sets."""

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from consumers.delivery import LeaseLost, Position
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable, even_shards
from consumers.sources.kinesis.worker import Worker
from consumers.sources.kinesis.worker_testing import Workplace
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

T = TypeVar("T")


class DeafTable(InMemoryLeaseTable):
    """Does each write in `losing`, and loses the answer the first time."""

    def __init__(self, losing: Iterable[str]) -> None:
        super().__init__()
        self.losing = set(losing)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name == "losing" or name not in self.losing:
            return found

        def write(*arguments: Any) -> None:
            self.losing.discard(name)
            found(*arguments)
            raise Outage(f"no answer to {name}")

        return write


class FadingTable(InMemoryLeaseTable):
    """Goes away after so many more takes."""

    takes_left = 1_000

    def take(self, lease: Lease, owner: str) -> Lease:
        self.takes_left -= 1
        self.away = self.takes_left < 0
        return super().take(lease, owner)


def entered(rank: Rank) -> Checkpoint:
    """By a worker that starts when the clock does."""
    return Checkpoint.entered(rank, ManualClock().now())


class Fleet(Workplace):
    def settled(self, name: str) -> Worker:
        """A worker that no longer takes its leases step by step."""
        worker = self.worker(name)
        self.all_that_it_takes(worker)
        return worker

    def all_that_it_takes(self, worker: Worker) -> list[Tenure]:
        """In as many looks as it takes."""
        taken: list[Tenure] = []
        while more := worker.scan(()):
            taken += more
        return taken

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
    assert [lease.checkpoint for lease in fleet.table.read_all()] == [entered(Rank.LATEST)]


def test_a_listing_with_a_hole_creates_nothing() -> None:
    fleet = Fleet(even_shards(4)[:3])
    fleet.worker("a")
    assert fleet.table.read_all() == []


def test_two_workers_end_with_half_each() -> None:
    fleet = Fleet(even_shards(4))
    first, second = fleet.worker("a"), fleet.worker("b")
    assert len(fleet.all_that_it_takes(first)) == 4
    for _ in range(3):
        second.scan(())
        first.renew()
    assert fleet.owners() == ["a", "a", "b", "b"]


def test_a_worker_that_starts_beside_others_leaves_most_leases_for_them_to_create() -> None:
    class Crowded(InMemoryLeaseTable):
        """Another worker is faster with everything but the first lease."""

        tries = 0

        def create(self, lease: Lease) -> bool:
            self.tries += 1
            for shard in even_shards(128) if self.tries == 2 else []:
                super().create(replace(lease, shard_id=shard.shard_id, hash_range=shard.hash_range))
            return super().create(lease)

    fleet = Fleet(even_shards(128))
    table = fleet.table = Crowded()
    fleet.worker("a")
    assert len(table.read_all()) == 128
    assert table.tries <= 32


def test_a_table_of_many_leases_is_created_whole_by_one_worker() -> None:
    fleet = Fleet(even_shards(100))
    fleet.worker("a")
    assert sorted(lease.shard_id for lease in fleet.table.read_all()) == [shard.shard_id for shard in even_shards(100)]


def test_a_worker_shows_itself_by_one_lease_before_it_takes_more() -> None:
    fleet = Fleet(even_shards(8))
    workers = [fleet.worker(name) for name in "abcd"]
    assert [len(worker.scan(())) for worker in workers] == [1] * 4
    for _ in range(2):
        for worker in workers:
            worker.scan(())
    assert fleet.owners() == sorted("abcd" * 2)
    assert {lease.owner_switches for lease in fleet.table.read_all()} == {1}  # nobody was robbed on the way


def test_a_standby_that_has_settled_takes_over_everything_at_once() -> None:
    fleet = Fleet(even_shards(1))
    fleet.settled("a")
    standby = fleet.settled("standby")
    for shard in even_shards(8):
        fleet.table.create(Lease(shard_id=f"more-{shard.shard_id}", checkpoint=TRIM_HORIZON))
    assert len(standby.scan(())) == 5  # of nine leases


def test_a_worker_takes_no_more_than_its_limit_and_others_take_the_rest() -> None:
    fleet = Fleet(even_shards(6))
    limited = Worker(
        worker_id="limited",
        stream=fleet.stream,
        table=fleet.table,
        settings=KinesisSourceSettings(max_leases=1),
        clock=fleet.clock,
        rng=random.Random(1),
    )
    limited.start()
    other = fleet.worker("other")
    assert len(fleet.all_that_it_takes(limited)) == 1
    assert len(fleet.all_that_it_takes(other)) == 3
    for _ in range(14):  # the limited one may be late, not full: the other waits for a failover time
        fleet.clock.advance(1.0)
        limited.renew()
        other.renew()
        limited.scan(())
        other.scan(())
    assert fleet.owners() == ["limited", *["other"] * 5]


def test_a_take_whose_answer_was_lost_is_found_at_the_next_look() -> None:
    fleet = Fleet(even_shards(1))
    fleet.table = DeafTable(losing={"take"})
    worker = fleet.worker("a")
    with pytest.raises(Outage):
        worker.scan(())
    fleet.clock.advance(2.0)
    (tenure,) = worker.scan(())
    assert tenure.idle_s == 2.0  # the others count from the write, not from when we learnt of it
    tenure.checkpoint(Checkpoint.at(Position(7)))
    assert fleet.owners() == ["a"]


def test_a_take_that_is_found_after_the_failover_is_no_longer_ours() -> None:
    fleet = Fleet(even_shards(1))
    fleet.table = DeafTable(losing={"take"})
    worker = fleet.worker("a")
    with pytest.raises(Outage):
        worker.scan(())
    fleet.clock.advance(10.0)
    assert worker.scan(()) == []
    fleet.clock.advance(10.0)
    assert len(worker.scan(())) == 1


def test_what_was_taken_before_the_table_went_away_is_read() -> None:
    fleet = Fleet(even_shards(4))
    table = fleet.table = FadingTable()
    fleet.settled("dead")
    heir = fleet.settled("heir")
    table.takes_left = 1
    fleet.clock.advance(10.0)
    heir.renew()
    taken = heir.scan(())
    assert len(taken) == 1
    table.away = False
    fleet.clock.advance(3.0)
    heir.renew()
    taken[0].check()
    assert taken[0].idle_s == 0.0  # it is renewed like any other


@pytest.mark.parametrize("write", ["renew", "checkpoint", "evict", "take", "create", "link", "remove", "ring"])
def test_no_lost_answer_costs_a_lease_or_a_checkpoint(write: str) -> None:
    (parent,) = even_shards(1)
    fleet = Fleet([parent])
    table = fleet.table = DeafTable(losing=())
    worker = fleet.worker("a")
    fleet.stream.replace(split(parent))
    table.losing = {write}

    def insist(act: Callable[[], T]) -> T:
        for _ in range(3):
            with suppress(Outage):
                return act()
            fleet.clock.advance(1.0)
        return act()

    (tenure,) = insist(lambda: worker.scan(()))
    fleet.clock.advance(3.0)
    worker.renew()
    worker.renew()
    insist(lambda: tenure.checkpoint(Checkpoint.at(Position(7))))
    assert fleet.table.read_all()[0].checkpoint == Checkpoint.at(Position(7))
    insist(lambda: tenure.end(split(parent)[1:]))
    worker.release(tenure)
    insist(lambda: worker.scan(()))
    leases = {lease.shard_id: lease for lease in table.read_all()}
    assert leases[parent.shard_id].checkpoint == SHARD_END
    assert (leases["child"].owner, leases["child"].parents) == ("a", {parent.shard_id})


def test_a_fleet_that_kcl_3_rules_is_left_at_the_start_and_when_that_comes_later() -> None:
    fleet = Fleet(even_shards(1))
    worker = fleet.settled("a")
    fleet.table.is_migrated = True
    with pytest.raises(ConfigError, match=r"KCL 3\.x"):
        fleet.worker("b")
    with pytest.raises(ConfigError, match=r"KCL 3\.x"):
        for _ in range(90):
            fleet.clock.advance(1.0)
            worker.scan(())


def test_a_time_that_is_none_is_named_at_the_start() -> None:
    for time in ("", "yesterday", "2026-11-27T08:00:00"):
        settings = KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time=time)
        with pytest.raises(ConfigError, match="initial_time"):
            Fleet(even_shards(1), settings).worker("a")


def test_a_time_that_is_still_to_come_is_refused_at_the_start() -> None:
    settings = KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time="2026-11-27T08:00:01Z")
    with pytest.raises(ConfigError, match="is still to come: it is 2026-11-27T08:00:00Z"):
        Fleet(even_shards(1), settings).worker("a")


def test_a_stream_is_entered_at_a_time_whatever_its_offset() -> None:
    settings = KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time="2026-11-27T10:00:00+02:00")
    fleet = Fleet(even_shards(1), settings)
    fleet.worker("a")
    assert [lease.checkpoint for lease in fleet.table.read_all()] == [entered(Rank.AT_TIMESTAMP)]


def test_finished_leases_go_in_time_and_their_children_stay() -> None:
    (parent,) = even_shards(1)
    fleet = Fleet([parent])
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    fleet.stream.replace(split(parent))
    tenure.end(split(parent)[1:])
    worker.release(tenure)
    (child,) = worker.scan(())

    def shards_after_two_minutes() -> list[str]:
        for _ in range(120):
            fleet.clock.advance(1.0)
            worker.renew()
            worker.scan(())
        return sorted(lease.shard_id for lease in fleet.table.read_all())

    assert shards_after_two_minutes() == sorted(["child", parent.shard_id])
    child.checkpoint(Checkpoint.at(Position(7)))
    assert shards_after_two_minutes() == ["child"]


def test_a_robbed_worker_sees_it_at_its_next_look() -> None:
    fleet = Fleet(even_shards(2))
    robbed, thief = fleet.worker("robbed"), fleet.worker("thief")
    tenures = fleet.all_that_it_takes(robbed)
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
    fleet.settled("dead")
    heir = fleet.settled("heir")
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
    alive, other = fleet.settled("alive"), fleet.settled("other")
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


def split(parent: ShardInfo) -> list[ShardInfo]:
    """The stream's list after `parent` was replaced by one child."""
    closed = ShardInfo(shard_id=parent.shard_id, hash_range=parent.hash_range, is_open=False)
    return [closed, ShardInfo(shard_id="child", parents=frozenset({parent.shard_id}), hash_range=parent.hash_range)]


def test_a_shard_that_ends_without_naming_its_children_is_followed_at_once() -> None:
    (parent,) = even_shards(1)
    fleet = Fleet([parent])
    worker = fleet.worker("a")
    (tenure,) = worker.scan(())
    fleet.stream.replace(split(parent))
    tenure.end([])
    worker.release(tenure)
    assert [taken.lease.shard_id for taken in worker.scan(())] == ["child"]


def test_new_shards_are_discovered_in_time_where_nobody_saw_their_parents_end() -> None:
    (parent,) = even_shards(1)
    fleet = Fleet([parent])
    worker = fleet.worker("a")
    ended = fleet.table.read_all()[0]
    fleet.table.checkpoint(ended, SHARD_END)
    fleet.stream.replace(split(parent))
    listed = fleet.stream.listed
    for _ in range(59):
        assert worker.scan(()) == []
        fleet.clock.advance(1.0)
    assert fleet.stream.listed == listed  # a hole is looked at three times before the stream is asked
    fleet.clock.advance(1.0)
    assert [taken.lease.shard_id for taken in worker.scan(())] == ["child"]


def test_where_every_hash_key_has_its_lease_the_stream_is_never_asked() -> None:
    fleet = Fleet(even_shards(4))
    worker = fleet.settled("a")
    listed = fleet.stream.listed
    for _ in range(600):
        fleet.clock.advance(1.0)
        worker.renew()
        worker.scan(())
    assert fleet.stream.listed == listed


def test_a_table_that_is_deleted_is_made_again_with_its_checkpoints() -> None:
    fleet = Fleet(even_shards(2), KinesisSourceSettings(initial_position="LATEST"))
    worker = fleet.worker("a")
    first, second = sorted(fleet.all_that_it_takes(worker), key=lambda tenure: tenure.lease.shard_id)
    first.checkpoint(Checkpoint.at(Position(7)))
    worker.scan(())
    fleet.table.delete()
    with pytest.raises(Outage, match="gone"):
        first.checkpoint(Checkpoint.at(Position(9)))
    worker.renew()
    assert worker.scan(()) == []
    assert {lease.shard_id: lease.checkpoint for lease in fleet.table.read_all()} == {
        first.lease.shard_id: Checkpoint.at(Position(7)),
        second.lease.shard_id: entered(Rank.LATEST),
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
