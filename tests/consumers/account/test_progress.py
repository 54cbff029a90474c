"""Who has passed what."""

import datetime as dt

import pytest

from consumers.account.progress import SKEW, Frontier, HistoryProgress, LeaseProgress, Waiting, frontiers
from consumers.account.testing.memory import NOON, Taken
from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.table import TableGone
from consumers.sources.kinesis.testing import InMemoryLeaseTable, even_shards
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

SHARDS = even_shards(2)
FIRST, SECOND = (shard.shard_id for shard in SHARDS)
EARLIER = NOON - dt.timedelta(minutes=5)


def at(sequence: int, sub_sequence: int = 0) -> Checkpoint:
    return Checkpoint.at(Position(sequence, sub_sequence))


def test_where_nothing_is_left_to_take_every_known_heartbeat_is_closed() -> None:
    found = frontiers(SHARDS, {"lake": {FIRST: at(7), SECOND: at(9)}}, Taken(), NOON)
    assert found == {"lake": Frontier(before=NOON, behind={})}


def test_the_first_record_that_was_not_taken_bounds_what_is_closed() -> None:
    peek = Taken(arrivals={(SECOND, at(9)): EARLIER})
    taken = {"lake": {FIRST: at(7), SECOND: at(9)}, "opensearch": {FIRST: at(8), SECOND: at(12)}}
    found = frontiers(SHARDS, taken, peek, NOON)
    assert found == {
        "lake": Frontier(before=EARLIER - SKEW, behind={SECOND: Waiting(EARLIER)}),
        "opensearch": Frontier(before=NOON, behind={}),
    }


def test_a_record_that_came_after_all_heartbeats_bounds_nothing_that_is_known() -> None:
    peek = Taken(arrivals={(FIRST, at(7)): NOON + SKEW})
    (frontier,) = frontiers(SHARDS[:1], {"lake": {FIRST: at(7)}}, peek, NOON).values()
    assert frontier.before == NOON


def test_a_shard_that_was_never_read_counts_from_its_beginning() -> None:
    peek = Taken(arrivals={(SECOND, TRIM_HORIZON): EARLIER})
    (frontier,) = frontiers(SHARDS, {"lake": {FIRST: at(7)}}, peek, NOON).values()
    assert frontier.behind == {SECOND: Waiting(EARLIER)}


def test_a_finished_shard_is_passed_without_a_look() -> None:
    peek = Taken(arrivals={(FIRST, SHARD_END): EARLIER})
    (frontier,) = frontiers(SHARDS[:1], {"opensearch": {FIRST: SHARD_END}}, peek, NOON).values()
    assert frontier.before == NOON


def test_a_parent_whose_lease_was_tidied_away_is_finished() -> None:
    grandparent = ShardInfo(shard_id="g", hash_range=(0, 9), is_open=False)
    parent = ShardInfo(shard_id="p", parents=frozenset({"g", "gone"}), hash_range=(0, 9), is_open=False)
    child = ShardInfo(shard_id="c", parents=frozenset({"p"}), hash_range=(0, 9))
    other = ShardInfo(shard_id="o", hash_range=(10, 19))
    leases = InMemoryLeaseTable()
    leases.create(Lease(shard_id="c", checkpoint=at(3)))
    progress = LeaseProgress(leases, lambda: [grandparent, parent, child, other])
    assert progress.taken() == {"c": at(3), "p": SHARD_END, "g": SHARD_END}


def test_an_application_that_never_ran_has_taken_nothing() -> None:
    class Absent(InMemoryLeaseTable):
        trouble: Exception = TableGone("no such table")

        def read_all(self) -> list[Lease]:
            raise self.trouble

    table = Absent()
    assert LeaseProgress(table, lambda: SHARDS).taken() == {}
    table.trouble = ConfigError("the lease table: no such right")
    with pytest.raises(ConfigError, match="lease table"):
        LeaseProgress(table, lambda: SHARDS).taken()


def test_a_manifest_ends_after_all_that_its_last_record_held() -> None:
    class Store:
        name = "lake"

        def taken(self) -> dict[tuple[str, str], int]:
            return {("cold", FIRST): 7, ("another", SECOND): 9}

    (found,) = HistoryProgress(Store(), "cold").taken().items()  # type: ignore[arg-type]
    assert found[0] == FIRST
    assert at(7, 10_000) < found[1] < at(8)
