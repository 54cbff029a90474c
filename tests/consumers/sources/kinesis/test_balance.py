"""Expiry by the observer's own clock, and a fair share for every worker."""

import math
import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.sources.kinesis.balance import Sightings, first_steps, leases_to_take
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.leases import Lease

pytestmark = pytest.mark.unit


def lease(shard_id: str, owner: str | None = None, counter: int = 1) -> Lease:
    return Lease(shard_id=shard_id, owner=owner, counter=counter, checkpoint=TRIM_HORIZON)


def owned(**owners: int) -> list[Lease]:
    return [lease(f"{owner}{number}", owner) for owner, count in owners.items() for number in range(count)]


def take(
    leases: list[Lease],
    *,
    free: Collection[str] = (),
    barred: Collection[str] = (),
    left_over: Collection[str] = (),
    most: int | None = None,
) -> list[Lease]:
    held = {held.shard_id for held in leases if held.owner == "me"}
    return leases_to_take(
        leases, me="me", held=held, free=free, barred=barred, left_over=left_over, most=most, rng=random.Random(7)
    )


def test_an_owned_lease_seen_for_the_first_time_counts_as_just_renewed() -> None:
    sightings = Sightings(10.0)
    sightings.see([lease("s", "a")], 100.0)
    assert not sightings.is_free(lease("s", "a"), 109.9)
    assert sightings.is_free(lease("s", "a"), 110.0)


def test_an_unowned_lease_is_free_at_once() -> None:
    assert Sightings(10.0).is_free(lease("s"), 0.0)


def test_a_counter_that_moves_keeps_the_lease() -> None:
    sightings = Sightings(10.0)
    sightings.see([lease("s", "a", 1)], 0.0)
    sightings.see([lease("s", "a", 2)], 9.0)
    assert not sightings.is_free(lease("s", "a", 2), 18.9)
    sightings.see([lease("s", "a", 2)], 19.0)
    assert sightings.is_free(lease("s", "a", 2), 19.0)


def test_a_lone_worker_takes_everything_that_is_free() -> None:
    leases = [lease(str(number)) for number in range(4)]
    assert len(take(leases, free={one.shard_id for one in leases})) == 4


def test_a_second_worker_takes_half_and_no_more() -> None:
    leases = [*owned(me=1, a=2), lease("x"), lease("y")]
    assert [one.shard_id in "xy" for one in take(leases, free={"x", "y"})] == [True, True]
    assert take(owned(me=2, a=2)) == []


def test_where_nothing_is_free_the_richest_is_robbed_only_while_that_evens_the_loads() -> None:
    assert [stolen.owner for stolen in take(owned(a=4, b=1))] == ["a", "a"]
    assert [stolen.owner for stolen in take(owned(a=3, b=2, me=1))] == ["a"]
    assert take(owned(a=2, b=2, c=1, me=1)) == []
    assert take(owned(a=5, b=5, me=4)) == []


def test_three_full_workers_give_a_fourth_two_of_their_nine() -> None:
    stolen = take(owned(a=3, b=3, c=3))
    assert len(stolen) == 2
    assert len({lease.owner for lease in stolen}) == 2


def test_a_worker_never_has_more_than_its_own_limit() -> None:
    free = [lease(str(number)) for number in range(8)]
    everything = {one.shard_id for one in free}
    assert len(take(free, free=everything, most=3)) == 3
    assert len(take([*free, *owned(me=2)], free=everything, most=3)) == 1
    assert take([*free, *owned(me=3)], free=everything, left_over=everything, most=3) == []
    assert len(take(owned(a=8), most=1)) == 1


def test_what_others_leave_lying_is_taken_beyond_the_share_one_at_a_time() -> None:
    leases = [*owned(me=4, a=2), lease("x"), lease("y")]
    assert take(leases, free={"x", "y"}) == []
    assert len(take(leases, free={"x", "y"}, left_over={"x", "y"})) == 1


def test_a_lease_is_left_over_once_it_was_free_for_a_failover_time() -> None:
    sightings = Sightings(10.0)
    leases = [lease("s"), lease("t", "dead")]
    sightings.see(leases, 0.0)
    sightings.see(leases, 10.0)
    assert [sightings.is_left_over(one, 10.0) for one in leases] == [True, False]
    assert [sightings.is_left_over(one, 20.0) for one in leases] == [True, True]


def test_the_next_expiry_is_that_of_the_lease_that_stands_still_longest() -> None:
    sightings = Sightings(10.0)
    sightings.see([lease("s", "a", 1), lease("t", "b", 1)], 0.0)
    sightings.see([lease("s", "a", 1), lease("t", "b", 2), lease("u")], 4.0)
    assert sightings.next_expiry_s([lease("s", "a", 1), lease("t", "b", 2), lease("u")], 4.0) == 10.0
    assert sightings.next_expiry_s([lease("t", "b", 2)], 4.0) == math.inf


def test_a_new_worker_begins_with_one_lease_and_doubles() -> None:
    leases = [lease(str(number)) for number in range(9)]
    assert [len(first_steps(leases, held)) for held in (0, 1, 2, 4, 20)] == [1, 1, 2, 4, 9]


def test_more_workers_than_leases_leave_the_leases_where_they_are() -> None:
    assert take(owned(a=1, b=1)) == []


def test_an_expired_owner_counts_neither_as_a_worker_nor_as_a_victim() -> None:
    leases = owned(dead=4)
    assert len(take(leases, free={one.shard_id for one in leases})) == 4


def test_barred_leases_are_not_taken() -> None:
    leases = [lease("x"), lease("y")]
    assert [one.shard_id for one in take(leases, free={"x", "y"}, barred={"x"})] == ["y"]
    assert take(owned(a=4), barred={f"a{number}" for number in range(4)}) == []


@given(st.integers(1, 24), st.integers(1, 6), st.randoms(use_true_random=False))
def test_workers_that_look_in_turn_end_within_one_lease_of_each_other(
    count: int, workers: int, rng: random.Random
) -> None:
    owners: dict[str, str | None] = {str(number): None for number in range(count)}
    names = [f"w{number}" for number in range(workers)]
    for _ in range(3):
        for name in names:
            leases = [lease(shard_id, owner) for shard_id, owner in owners.items()]
            held = {shard_id for shard_id, owner in owners.items() if owner == name}
            free = {shard_id for shard_id, owner in owners.items() if owner is None}
            for one in leases_to_take(leases, me=name, held=held, free=free, barred=(), rng=rng):
                owners[one.shard_id] = name
    loads = [list(owners.values()).count(name) for name in names]
    assert max(loads) - min(loads) <= 1
    assert sum(loads) == count
