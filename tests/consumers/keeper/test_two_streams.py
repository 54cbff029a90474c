"""Transactions and access in one keeper: each has its own chains, and neither waits for the other."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.keeper.backlog import BucketChains
from consumers.keeper.commit import CommitDuty
from consumers.keeper.portions import Limits, portion, turns
from consumers.keeper.settings import Keeper
from consumers.keeper.store import HistoryStore, Place
from consumers.keeper.testing import MemoryChains, MemoryHistory, manifest
from consumers.manifests import Manifest
from consumers.settings import Cold
from consumers.spans.chain import Chain
from runtime.effects import Effect, no_effect
from runtime.objects.testing import MemoryObjects
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

APPLICATIONS = ["transactions", "access"]
SHOP: Place = ("transactions", "s-0")
SITE: Place = ("access", "s-0")
NEVER = threading.Event()


def held() -> None:
    """The lease is ours."""


def duty_of(
    chains: MemoryChains | BucketChains, store: HistoryStore, *, limits: Limits, effect: Effect = no_effect
) -> CommitDuty:
    return CommitDuty(
        store=store, chains=chains, applications=APPLICATIONS, limits=limits, clock=ManualClock(), effect=effect
    )


def test_the_settings_of_cold_and_keeper_name_the_same_applications() -> None:
    cold = Cold()
    assert Keeper().applications.split(",") == [cold.application, cold.access_application]


@pytest.mark.parametrize(("behind", "other"), [(SHOP, SITE), (SITE, SHOP)])
def test_one_that_is_far_behind_does_not_hold_up_the_other(behind: Place, other: Place) -> None:
    chains, store = MemoryChains(), MemoryHistory()
    application, _ = behind
    for number in range(40):  # more shards than a commit takes manifests
        chains.grow((application, f"s-{number}"), 10)
    chains.grow(other, 1)
    waited: list[int] = []

    def commit(_: str) -> None:
        waited.append((chains.stored[other][-1].last - store.taken().get(other, 0)) // 10)
        chains.grow(other, 1)

    duty_of(chains, store, limits=Limits(manifests=10, bytes=10_000, of_shard=5), effect=commit).turn(held, NEVER)
    assert len(store.took) > 40
    assert max(waited) == 1  # all that was there is in the very next commit
    assert all(store.all(place) == chains.stored[place] for place in chains.stored if place != other)


def test_manifests_as_large_as_a_commit_do_not_leave_the_other_out() -> None:
    waiting: dict[Place, list[Manifest]] = {
        (SHOP[0], f"s-{shard}"): [manifest((SHOP[0], f"s-{shard}"), 10 * n, 10 * n + 10, nbytes=90) for n in range(9)]
        for shard in range(3)
    }
    waiting[SITE] = [manifest(SITE, 10 * n, 10 * n + 10, nbytes=90) for n in range(4)]
    shards = {name: [shard for application, shard in waiting if application == name] for name in APPLICATIONS}
    limits = Limits(manifests=10, bytes=100, of_shard=5)
    for number in range(16):
        for each in portion(waiting, turns(APPLICATIONS, shards, number), limits):
            waiting[each.application, each.shard_id].remove(each)
    assert not waiting[SITE]


@given(st.integers(2, 5), st.integers(0, 100))
def test_every_application_leads_again_and_again_and_the_first_three_times_in_four(count: int, start: int) -> None:
    applications = [f"a-{n}" for n in range(count)]
    shards = {name: ["s-0"] for name in applications}
    rounds = [turns(applications, shards, number) for number in range(start, start + 4 * (count - 1))]
    assert all({name for name, _ in order} == set(applications) for order in rounds)
    leaders = [order[0][0] for order in rounds]
    assert set(leaders) == set(applications)
    assert leaders.count("a-0") == 3 * (count - 1)


def test_without_an_access_stream_its_application_has_nothing_and_harms_nothing() -> None:
    objects, store = MemoryObjects(), MemoryHistory()
    span = manifest(SHOP, 0, 10)
    Chain(objects, *SHOP).append(span)
    duty = duty_of(BucketChains(objects), store, limits=Limits(manifests=10, bytes=10_000, of_shard=5))
    for _ in range(3):
        duty.turn(held, NEVER)
    assert store.took == [[span]]
    assert not duty.stuck
    first_hits = manifest(SITE, 0, 10)
    Chain(objects, *SITE).append(first_hits)  # the stream is set later
    duty.turn(held, NEVER)
    assert store.took == [[span], [first_hits]]


def test_a_damaged_span_of_one_stops_that_shard_alone() -> None:
    chains = MemoryChains()
    for place in (SHOP, SITE, ("access", "s-1")):
        chains.grow(place, 4)
    bad = chains.stored[SITE][1]
    store = MemoryHistory(lambda each: "hits: 1 rows instead of 2" if each.span_id == bad.span_id else "")
    duty = duty_of(chains, store, limits=Limits(manifests=10, bytes=10_000, of_shard=5))
    duty.turn(held, NEVER)
    assert duty.stuck == {SITE}
    assert {place: len(store.all(place)) for place in chains.stored} == {SHOP: 4, SITE: 1, ("access", "s-1"): 4}
