"""The table of lease states: what is not in it raises and changes nothing."""

import itertools
from dataclasses import replace

import pytest

from consumers.delivery import LeaseLost, Position
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.states import MOVES, OURS, Event, IllegalMove, State, moved
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


class World:
    """One lease in the hands of one worker."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.table = InMemoryLeaseTable()
        self.table.create(Lease(shard_id="s", checkpoint=TRIM_HORIZON))
        lease = self.table.take(self.row(), "me")
        self.tenure = Tenure(lease, self.table, self.clock, failover_s=10.0, taken_at_s=0.0)

    def row(self) -> Lease:
        (row,) = self.table.read_all()
        return row

    def bring_to(self, state: State) -> None:
        if state is State.ENDED:
            self.tenure.end([])
        elif state is State.EXPIRED:
            self.clock.advance(10.0)
        elif state is State.LOST:
            self.tenure.compare(self.table.take(self.row(), "other"))
        elif state is State.RETURNED:
            self.tenure.evict()

    def do(self, event: Event) -> None:
        if event is Event.RENEW:
            self.tenure.renew()
        elif event is Event.CHECKPOINT:
            self.tenure.checkpoint(Checkpoint.at(Position(7)))
        elif event is Event.END:
            self.tenure.end([])
        elif event is Event.RETURN:
            self.tenure.evict()


WRITES = (Event.RENEW, Event.CHECKPOINT, Event.END, Event.RETURN)


# A checkpoint behind what is stored is no move at all: see below.
TRIED = [pair for pair in itertools.product(State, WRITES) if pair != (State.ENDED, Event.CHECKPOINT)]


@pytest.mark.parametrize(("state", "event"), TRIED)
def test_a_tenure_writes_what_the_table_of_moves_allows_and_nothing_else(state: State, event: Event) -> None:
    world = World()
    world.bring_to(state)
    assert world.tenure.state is state
    before = world.row()
    if event in MOVES[state]:
        world.do(event)
        assert world.tenure.state is MOVES[state][event]
        assert world.row().counter > before.counter
    else:
        with pytest.raises(LeaseLost):
            world.do(event)
        assert world.tenure.state is state
        assert world.row() == before


def test_a_finished_shard_is_not_opened_again_by_a_checkpoint_that_comes_late() -> None:
    world = World()
    world.tenure.end([])
    before = world.row()
    world.tenure.checkpoint(Checkpoint.at(Position(7)))
    assert world.row() == before
    assert world.tenure.state is State.ENDED


def test_an_end_whose_answer_was_lost_is_found_by_the_next_renewal() -> None:
    world = World()
    world.table.checkpoint(world.tenure.lease, SHARD_END)
    world.tenure.renew()
    assert world.tenure.state is State.ENDED
    with pytest.raises(LeaseLost):
        world.tenure.compare(replace(world.row(), owner="other"))
        world.tenure.end([])


def test_an_illegal_move_names_itself() -> None:
    with pytest.raises(IllegalMove, match="checkpoint of a lease that is ended"):
        moved(State.ENDED, Event.CHECKPOINT)


def test_what_is_over_never_comes_back() -> None:
    over = set(State) - OURS
    assert all(to in over for state in over for to in MOVES[state].values())


def test_time_and_robbery_can_befall_every_lease() -> None:
    assert all({Event.RUN_OUT, Event.ROB} <= MOVES[state].keys() for state in State)


def test_a_repeated_renewal_counts_from_the_one_whose_answer_was_lost() -> None:
    world = World()

    class Deaf(InMemoryLeaseTable):
        """Writes, and does not answer once."""

        is_deaf = True

        def renew(self, lease: Lease) -> Lease:
            renewed = world.table.renew(lease)
            if self.is_deaf:
                self.is_deaf = False
                raise Outage("no answer")
            return renewed

    tenure = Tenure(world.tenure.lease, Deaf(), world.clock, failover_s=10.0, taken_at_s=0.0)
    world.clock.advance(3.0)
    with pytest.raises(Outage):
        tenure.renew()
    world.clock.advance(3.0)
    tenure.renew()  # refused by the counter, and recognised: the others saw it move 3 s ago
    assert tenure.idle_s == 3.0
    tenure.renew()
    assert tenure.idle_s == 0.0
