"""Which leases are created and read: oldest first, no level skipped."""

import pytest

from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import is_complete, is_readable, missing_leases
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import even_shards

pytestmark = pytest.mark.unit

LAST = 2**128 - 1
HALF = 2**127


def shard(shard_id: str, *parents: str, is_open: bool = True, first: int = 0, last: int = LAST) -> ShardInfo:
    return ShardInfo(shard_id=shard_id, parents=frozenset(parents), hash_range=(first, last), is_open=is_open)


# 0 was split into 1 and 2, which were merged into 3.
FAMILY = [
    shard("0", is_open=False),
    shard("1", "0", is_open=False, last=HALF - 1),
    shard("2", "0", is_open=False, first=HALF),
    shard("3", "1", "2"),
]


def created(
    shards: list[ShardInfo], leased: dict[str, Checkpoint], initial: Checkpoint = TRIM_HORIZON
) -> dict[str, Checkpoint]:
    leases = {shard_id: Lease(shard_id=shard_id, checkpoint=checkpoint) for shard_id, checkpoint in leased.items()}
    return {lease.shard_id: lease.checkpoint for lease in missing_leases(shards, leases, initial)}


def test_an_empty_table_starts_at_the_oldest_shards() -> None:
    assert created(FAMILY, {}) == {"0": TRIM_HORIZON}


def test_an_empty_table_starts_at_the_oldest_shards_that_are_still_listed() -> None:
    assert created(FAMILY[1:], {}) == {"1": TRIM_HORIZON, "2": TRIM_HORIZON}


def test_at_latest_only_open_shards_are_entered() -> None:
    assert created(FAMILY, {}, LATEST) == {"3": LATEST}


@pytest.mark.parametrize("initial", [TRIM_HORIZON, LATEST])
def test_below_a_lease_the_next_level_alone_is_created_from_its_beginning(initial: Checkpoint) -> None:
    assert created(FAMILY, {"0": SHARD_END}, initial) == {"1": TRIM_HORIZON, "2": TRIM_HORIZON}


def test_a_merged_shard_waits_for_both_parents_leases() -> None:
    assert created(FAMILY, {"0": SHARD_END, "1": TRIM_HORIZON}) == {"2": TRIM_HORIZON, "3": TRIM_HORIZON}


def test_a_merged_shard_waits_while_one_parent_has_none_because_its_own_is_unfinished() -> None:
    # 4 is a merge of 3, which comes from 0 by way of 1 and 2, and of 9, which has its lease already.
    family = [*FAMILY[:3], shard("3", "1", "2", is_open=False), shard("9", is_open=False), shard("4", "3", "9")]
    assert created(family, {"0": TRIM_HORIZON, "9": SHARD_END}) == {"1": TRIM_HORIZON, "2": TRIM_HORIZON}
    finished = dict.fromkeys(("0", "1", "2", "9"), SHARD_END)
    assert created(family, finished) == {"3": TRIM_HORIZON, "4": TRIM_HORIZON}


def test_a_table_that_knows_every_shard_is_left_alone() -> None:
    assert created(FAMILY, dict.fromkeys("0123", TRIM_HORIZON)) == {}


def test_new_leases_carry_parents_and_hash_range() -> None:
    (lease,) = missing_leases(FAMILY[3:], {}, TRIM_HORIZON)
    assert (lease.parents, lease.hash_range, lease.owner) == ({"1", "2"}, (0, LAST), None)


def test_a_child_is_read_only_after_every_parent_that_has_a_lease() -> None:
    child = Lease(shard_id="3", checkpoint=TRIM_HORIZON, parents=frozenset({"1", "2"}))
    done, open_ = Lease(shard_id="1", checkpoint=SHARD_END), Lease(shard_id="2", checkpoint=LATEST)
    assert not is_readable(child, {"1": done, "2": open_, "3": child})
    assert is_readable(child, {"1": done, "3": child})
    assert not is_readable(done, {"1": done})


@pytest.mark.parametrize("count", [1, 3, 4])
def test_open_shards_must_cover_all_hash_keys_once(count: int) -> None:
    shards = even_shards(count)
    assert is_complete(shards)
    assert not is_complete(shards[1:])
    assert not is_complete([*shards, shards[0]])
