"""Which leases are created and read: oldest first, no level skipped."""

from datetime import timedelta

import pytest

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import (
    HoleWatch,
    first_hole,
    is_complete,
    is_readable,
    missing_leases,
    tidy_leases,
)
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.testing import ARRIVED_AT, even_shards

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


def test_below_a_shard_that_waits_for_a_time_the_children_wait_for_it_too() -> None:
    since = Checkpoint.entered(Rank.AT_TIMESTAMP, ARRIVED_AT)
    later = Checkpoint.entered(Rank.AT_TIMESTAMP, ARRIVED_AT + timedelta(days=1))
    assert created(FAMILY, {}, since) == {"0": since}
    assert created(FAMILY, {"0": since}, later) == {"1": since, "2": since}
    assert created(FAMILY, {"0": Checkpoint.at(Position(7))}, later) == {"1": TRIM_HORIZON, "2": TRIM_HORIZON}


def test_a_merged_shard_waits_for_both_parents_leases() -> None:
    assert created(FAMILY, {"0": SHARD_END, "1": TRIM_HORIZON}) == {"2": TRIM_HORIZON, "3": TRIM_HORIZON}


def test_a_merged_shard_waits_while_the_other_parent_has_no_lease() -> None:
    lane = [
        shard("a", is_open=False, last=HALF - 1),
        shard("b", is_open=False, first=HALF),
        shard("b1", "b", is_open=False, first=HALF),
        shard("b2", "b1", is_open=False, first=HALF),
        shard("m", "a", "b2"),
    ]
    assert created(lane, {"a": SHARD_END, "b": TRIM_HORIZON}) == {"b1": TRIM_HORIZON}
    assert created(lane, {"a": SHARD_END, "b1": TRIM_HORIZON}) == {"b2": TRIM_HORIZON, "m": TRIM_HORIZON}


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


def family(**checkpoints: Checkpoint) -> dict[str, Lease]:
    """Leases of some shards of FAMILY, by a letter before the number."""
    listed = {shard.shard_id: shard for shard in FAMILY}
    return {
        name[1:]: Lease(
            shard_id=name[1:],
            checkpoint=checkpoint,
            parents=listed[name[1:]].parents,
            hash_range=listed[name[1:]].hash_range,
        )
        for name, checkpoint in checkpoints.items()
    }


BEGUN = Checkpoint.at(Position(7))


def tidy(**checkpoints: Checkpoint) -> list[str]:
    return sorted(lease.shard_id for lease in tidy_leases(family(**checkpoints)))


def test_a_finished_lease_goes_when_all_its_children_are_past_their_beginning() -> None:
    assert tidy(s0=SHARD_END, s1=BEGUN, s2=BEGUN) == ["0"]
    assert tidy(s0=SHARD_END, s1=SHARD_END, s2=BEGUN) == ["0"]
    assert tidy(s0=SHARD_END, s1=BEGUN, s2=TRIM_HORIZON) == []
    assert tidy(s0=SHARD_END, s1=BEGUN, s2=Checkpoint.entered(Rank.AT_TIMESTAMP, ARRIVED_AT)) == []
    assert tidy(s0=BEGUN, s1=BEGUN, s2=BEGUN) == []


def test_a_finished_lease_without_children_stays() -> None:
    assert tidy(s0=SHARD_END) == []


def test_a_child_that_is_named_but_has_no_lease_keeps_its_parents() -> None:
    leases = family(s0=SHARD_END, s1=BEGUN)
    leases["0"] = Lease(shard_id="0", checkpoint=SHARD_END, children=frozenset({"1", "2"}))
    assert tidy_leases(leases) == []


def test_generations_go_one_after_the_other_oldest_first() -> None:
    assert tidy(s0=SHARD_END, s1=SHARD_END, s2=SHARD_END, s3=BEGUN) == ["0"]
    assert tidy(s1=SHARD_END, s2=SHARD_END, s3=BEGUN) == ["1", "2"]


@pytest.mark.parametrize("gone", [(), ("0",), ("0", "1"), ("0", "1", "2")])
def test_what_was_tidied_away_is_never_created_again(gone: tuple[str, ...]) -> None:
    left = {shard_id: SHARD_END for shard_id in "012" if shard_id not in gone}
    assert created(FAMILY, {**left, "3": BEGUN}) == {}


def test_the_first_hole_is_what_no_unfinished_lease_covers() -> None:
    assert first_hole(family(s0=BEGUN).values()) is None
    assert first_hole(family(s0=SHARD_END, s1=BEGUN, s2=TRIM_HORIZON).values()) is None
    assert first_hole(family(s0=SHARD_END, s2=BEGUN).values()) == (0, HALF - 1)
    assert first_hole(family(s0=SHARD_END, s1=BEGUN).values()) == (HALF, LAST)
    assert first_hole(family(s0=BEGUN, s1=BEGUN).values()) is None
    assert first_hole([]) == (0, LAST)
    assert first_hole([Lease(shard_id="0", checkpoint=BEGUN)]) == (0, LAST)


def test_a_hole_calls_once_it_was_seen_three_times_in_a_row() -> None:
    watch, left, right = HoleWatch(60.0), family(s2=BEGUN).values(), family(s1=BEGUN).values()
    assert [watch.see(left, at_s) for at_s in (0.0, 1.0, 30.0, 59.0, 60.0, 61.0)] == [False] * 4 + [True, False]
    watch = HoleWatch(60.0)
    assert not any(watch.see(hole, at_s) for hole, at_s in [(left, 0), (left, 30), (right, 60), (left, 90)])
    watch = HoleWatch(60.0)
    assert not any(watch.see(hole, at_s) for hole, at_s in [(left, 0), (left, 30), (family(s0=BEGUN).values(), 60)])
    assert not any(watch.see(left, at_s) for at_s in (61, 91))
    assert watch.see(left, 121)
