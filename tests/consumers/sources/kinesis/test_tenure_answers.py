"""A tenure whose writes land while their answers are lost: it keeps what landed, and claims no more than others saw."""

from collections.abc import Callable
from typing import Any

import pytest

from consumers.delivery import LeaseLost, Position
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable, even_shards
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

FAILOVER_S = 10.0
SHARD = "s-1"


class LossyTable(InMemoryLeaseTable):
    """The next `losing` writes land, and their answers do not come."""

    losing = 0

    def renew(self, lease: Lease) -> Lease:
        return self._lose(super().renew, lease)

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        return self._lose(super().checkpoint, lease, checkpoint)

    def _lose(self, write: Callable[..., Lease], *arguments: Any) -> Lease:
        row = write(*arguments)
        if self.losing:
            self.losing -= 1
            raise Outage("no answer")
        return row


class World:
    def __init__(self, *others: Lease) -> None:
        self.clock = ManualClock()
        self.table = LossyTable()
        for lease in (Lease(shard_id=SHARD, checkpoint=TRIM_HORIZON), *others):
            self.table.create(lease)
        self.tenure = Tenure(
            self.table.take(self.row(), "me"), self.table, self.clock, failover_s=FAILOVER_S, taken_at_s=0.0
        )

    def row(self, shard_id: str = SHARD) -> Lease:
        return next(lease for lease in self.table.read_all() if lease.shard_id == shard_id)

    def rows(self) -> set[str]:
        return {lease.shard_id for lease in self.table.read_all()}


def test_the_age_counts_from_the_first_write_whose_answer_was_lost() -> None:
    world = World()
    world.clock.advance(3.0)
    world.table.losing = 1
    with pytest.raises(Outage):
        world.tenure.renew()  # others see this one, at 3 s
    world.clock.advance(3.0)
    world.tenure.renew()  # only finds that the first has landed: the counter stays
    world.clock.advance(6.9)
    world.tenure.check()
    world.clock.advance(0.1)
    with pytest.raises(LeaseLost, match=r"not renewed for 10\.0 s"):
        world.tenure.check()


def test_a_good_renewal_after_that_counts_from_itself() -> None:
    world = World()
    world.table.losing = 1
    with pytest.raises(Outage):
        world.tenure.renew()
    world.tenure.renew()
    world.clock.advance(9.0)
    world.tenure.renew()
    world.clock.advance(9.0)
    world.tenure.check()


@pytest.mark.parametrize("renewed", [False, True])
def test_an_end_whose_answer_was_lost_is_not_taken_back_by_a_checkpoint(renewed: bool) -> None:
    world = World()
    world.table.losing = 1
    with pytest.raises(Outage):
        world.tenure.end(even_shards(1))
    if renewed:
        world.tenure.renew()
    world.tenure.checkpoint(Checkpoint.at(Position(7)))
    assert world.row().checkpoint == SHARD_END


def test_a_merges_child_is_left_to_the_other_parent_where_that_one_has_no_lease_yet() -> None:
    child = ShardInfo(shard_id="s-3", parents=frozenset({SHARD, "s-2"}), hash_range=(0, 9))
    world = World()
    world.tenure.end([child])
    assert world.rows() == {SHARD}
    assert world.row().checkpoint == SHARD_END
    both = World(Lease(shard_id="s-2", checkpoint=TRIM_HORIZON))
    both.tenure.end([child])
    assert both.rows() == {SHARD, "s-2", "s-3"}
