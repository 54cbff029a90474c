"""Which checkpoints an application goes back to, and how they are written."""

import datetime as dt
import random
from collections.abc import Sequence

import pytest

from consumers.delivery import LeaseLost, Position
from consumers.fleet.look import Looker
from consumers.fleet.places import Places
from consumers.fleet.reads import Reads
from consumers.fleet.rewind import Planner, Rewind, Step, live_shards
from consumers.fleet.testing import TimedStream, owners, split
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import LAST_HASH_KEY
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
ROOT = ShardInfo(shard_id="s-0", hash_range=(0, LAST_HASH_KEY))


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


def at(sequence: int) -> Checkpoint:
    return Checkpoint.at(Position(sequence))


def plan(stream: TimedStream, leases: Sequence[Lease], to: dt.datetime) -> dict[str, Step]:
    reads = Reads(stream, random.Random(7), StopAfter(1_000, ManualClock()))
    steps = Planner(Places(reads), Looker(reads), at_once=2).plan(stream.shards(), leases, to)
    return {step.shard.shard_id: step for step in steps}


def reshaped() -> TimedStream:
    """s-0 was split 60 s ago into s-1, which is busy, and s-2, where nothing arrived."""
    stream = TimedStream(split(ROOT, "s-1", "s-2"), NOW, page=100)
    stream.put("s-0", [ago(100 - number) for number in range(40)])
    stream.put("s-1", [ago(59 - number) for number in range(50)])
    return stream


def leases_of(*checkpoints: Checkpoint) -> list[Lease]:
    parents = [frozenset[str](), frozenset({"s-0"}), frozenset({"s-0"})]
    return [
        Lease(shard_id=f"s-{number}", checkpoint=checkpoint, parents=above)
        for number, (checkpoint, above) in enumerate(zip(checkpoints, parents, strict=True))
    ]


def test_an_open_shard_goes_back_to_just_before_the_time_and_says_how_much_that_is() -> None:
    step = plan(reshaped(), leases_of(SHARD_END, at(45), TRIM_HORIZON), ago(30))["s-1"]
    assert step.to == at(29)  # arrived 31 s ago
    assert (step.since, step.until, step.records, step.is_counted) == (ago(30), ago(15), 16, True)


def test_shards_without_anything_since_stay_and_a_finished_parent_too() -> None:
    steps = plan(reshaped(), leases_of(SHARD_END, at(45), TRIM_HORIZON), ago(30))
    assert {shard for shard, step in steps.items() if step.to is None} == {"s-0", "s-2"}


def test_beyond_a_split_the_parent_is_read_again_first_and_the_child_from_its_beginning() -> None:
    steps = plan(reshaped(), leases_of(SHARD_END, at(45), TRIM_HORIZON), ago(80))
    assert steps["s-0"].to == at(20)
    assert (steps["s-0"].records, steps["s-0"].until) == (20, None)
    assert steps["s-1"].to == TRIM_HORIZON
    assert steps["s-2"].to is None


def test_a_finished_shard_whose_lease_was_tidied_away_gets_one_again() -> None:
    _, *children = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    step = plan(reshaped(), children, ago(80))["s-0"]
    assert (step.lease, step.to) == (None, at(20))


def test_who_has_not_come_so_far_stays_and_who_never_checkpointed_goes_back() -> None:
    steps = plan(reshaped(), leases_of(SHARD_END, at(10), TRIM_HORIZON), ago(30))
    assert (steps["s-1"].to, steps["s-1"].why) == (None, "has not come so far")
    steps = plan(reshaped(), leases_of(SHARD_END, LATEST, LATEST), ago(30))
    assert steps["s-1"].to == at(29)


@pytest.mark.parametrize("rank", [Rank.LATEST, Rank.AT_TIMESTAMP])
def test_who_entered_at_a_time_and_never_checkpointed_stands_at_that_time(rank: Rank) -> None:
    earlier, later = Checkpoint.entered(rank, ago(40)), Checkpoint.entered(rank, ago(15))
    step = plan(reshaped(), leases_of(SHARD_END, earlier, TRIM_HORIZON), ago(30))["s-1"]
    assert (step.to, step.why) == (None, "has not come so far")
    step = plan(reshaped(), leases_of(SHARD_END, later, TRIM_HORIZON), ago(30))["s-1"]
    assert (step.to, step.why) == (at(29), "goes back")
    assert (step.since, step.until, step.records) == (ago(30), ago(15), 15)


def test_before_all_that_the_stream_holds_is_its_beginning() -> None:
    steps = plan(reshaped(), leases_of(SHARD_END, at(45), TRIM_HORIZON), ago(9_000))
    assert (steps["s-0"].to, steps["s-1"].to) == (TRIM_HORIZON, TRIM_HORIZON)


def filled(*leases: Lease) -> InMemoryLeaseTable:
    table = InMemoryLeaseTable()
    for lease in leases:
        table.create(lease)
    return table


def checkpoints(table: InMemoryLeaseTable) -> dict[str, Checkpoint]:
    return {lease.shard_id: lease.checkpoint for lease in table.read_all()}


def test_it_is_written_and_every_lease_is_free_afterwards() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table = filled(*leases)
    steps = plan(reshaped(), leases, ago(80))
    outcome = Rewind(table, "rewind-1").write(steps.values(), live=(), force=False)
    assert (outcome.refused, outcome.rewound) == (None, ["s-0", "s-1"])
    assert checkpoints(table) == {"s-0": at(20), "s-1": TRIM_HORIZON, "s-2": TRIM_HORIZON}
    assert set(owners(table).values()) == {None}


def test_a_lease_made_again_stands_where_it_should() -> None:
    _, *children = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table = filled(*children)
    Rewind(table, "rewind-1").write(plan(reshaped(), children, ago(80)).values(), live=(), force=False)
    assert checkpoints(table)["s-0"] == at(20)


def test_while_workers_live_nothing_is_written() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table = filled(*leases)
    taken = table.take(leases[1], "a")
    outcome = Rewind(table, "rewind-1").write(
        plan(reshaped(), table.read_all(), ago(30)).values(), live=live_shards(table.read_all(), ()), force=False
    )
    assert outcome.refused == "workers that live read s-1"
    assert taken in table.read_all()


def test_a_worker_that_starts_in_between_is_left_alone() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table, steps = filled(*leases), plan(reshaped(), leases, ago(30))
    taken = table.take(leases[1], "a")
    outcome = Rewind(table, "rewind-1").write(steps.values(), live=(), force=False)
    assert "s-1 was written to by a" in str(outcome.refused)
    assert outcome.rewound == []
    assert table.renew(taken).owner == "a"


def test_also_where_it_took_a_shard_that_does_not_go_back() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table, steps = filled(*leases), plan(reshaped(), leases, ago(30))
    taken = table.take(leases[2], "a")
    assert "s-2 was written to by a" in str(Rewind(table, "r").write(steps.values(), live=(), force=False).refused)
    assert table.renew(taken).owner == "a"
    assert owners(table)["s-1"] is None


def test_forced_it_fences_who_reads_also_what_does_not_go_back() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table, steps = filled(*leases), plan(reshaped(), leases, ago(30))
    robbed = [table.take(lease, "a") for lease in leases[1:]]
    outcome = Rewind(table, "rewind-1").write(steps.values(), live=["s-1", "s-2"], force=True)
    assert (outcome.refused, outcome.rewound) == (None, ["s-1"])
    assert checkpoints(table) == {"s-0": SHARD_END, "s-1": at(29), "s-2": TRIM_HORIZON}
    for lease in robbed:
        with pytest.raises(LeaseLost):
            table.checkpoint(lease, at(99))


def test_the_dead_do_not_hold_it_up() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table = filled(*leases)
    table.take(leases[1], "dead")
    seen = table.read_all()
    live = live_shards(seen, silent={"s-1"})
    outcome = Rewind(table, "rewind-1").write(plan(reshaped(), seen, ago(30)).values(), live=live, force=False)
    assert (live, outcome.rewound) == ([], ["s-1"])


def test_the_same_rewind_again_changes_nothing() -> None:
    leases = leases_of(SHARD_END, at(45), TRIM_HORIZON)
    table = filled(*leases)
    Rewind(table, "rewind-1").write(plan(reshaped(), leases, ago(80)).values(), live=(), force=False)
    again = plan(reshaped(), table.read_all(), ago(80))
    assert all(step.to is None for step in again.values())


class Died(BaseException):
    """The process is gone."""


class DyingTable(InMemoryLeaseTable):
    """Its user dies before the write after `writes` of them."""

    writes = 1_000

    def create(self, lease: Lease) -> bool:
        self._count()
        return super().create(lease)

    def take(self, lease: Lease, owner: str) -> Lease:
        self._count()
        return super().take(lease, owner)

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        self._count()
        return super().checkpoint(lease, checkpoint)

    def evict(self, lease: Lease) -> None:
        self._count()
        super().evict(lease)

    def _count(self) -> None:
        if self.writes == 0:
            raise Died
        self.writes -= 1


@pytest.mark.parametrize("writes", range(9))
def test_killed_anywhere_on_the_way_the_same_rewind_ends_the_work(writes: int) -> None:
    _, *children = leases_of(SHARD_END, at(45), TRIM_HORIZON)  # the parent's lease was tidied away
    table = DyingTable()
    for lease in children:
        table.create(lease)
    table.writes = writes
    with pytest.raises(Died):
        Rewind(table, "rewind-1").write(plan(reshaped(), children, ago(80)).values(), live=(), force=False)
    assert checkpoints(table)["s-1"] in (at(45), TRIM_HORIZON)  # never ahead of where it was
    table.writes = 1_000
    steps = plan(reshaped(), table.read_all(), ago(80))
    outcome = Rewind(table, "rewind-2").write(steps.values(), live=(), force=False)
    assert outcome.refused is None
    assert checkpoints(table) == {"s-0": at(20), "s-1": TRIM_HORIZON, "s-2": TRIM_HORIZON}
    assert set(owners(table).values()) == {None}
