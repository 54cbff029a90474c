"""Expiry by the observer's own clock, and a fair share for every worker."""

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.sources.kinesis.balance import Sightings, leases_to_take
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.leases import Lease

pytestmark = pytest.mark.unit


def lease(shard_id: str, owner: str | None = None, counter: int = 1) -> Lease:
    return Lease(shard_id=shard_id, owner=owner, counter=counter, checkpoint=TRIM_HORIZON)


def owned(**owners: int) -> list[Lease]:
    return [lease(f"{owner}{number}", owner) for owner, count in owners.items() for number in range(count)]


def take(leases: list[Lease], *, free: Collection[str] = (), barred: Collection[str] = ()) -> list[Lease]:
    held = {held.shard_id for held in leases if held.owner == "me"}
    return leases_to_take(leases, me="me", held=held, free=free, barred=barred, rng=random.Random(7))


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


def test_where_nothing_is_free_one_lease_at_a_time_is_stolen_from_the_richest() -> None:
    (stolen,) = take(owned(a=4, b=1))
    assert stolen.owner == "a"
    assert take(owned(a=2, b=2, c=1, me=1)) == []


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
    for _ in range(2 * count):
        for name in names:
            leases = [lease(shard_id, owner) for shard_id, owner in owners.items()]
            held = {shard_id for shard_id, owner in owners.items() if owner == name}
            free = {shard_id for shard_id, owner in owners.items() if owner is None}
            for one in leases_to_take(leases, me=name, held=held, free=free, barred=(), rng=rng):
                owners[one.shard_id] = name
    loads = [list(owners.values()).count(name) for name in names]
    assert max(loads) - min(loads) <= 1 or (max(loads) <= -(-count // workers))
    assert sum(loads) == count
