"""What waits is taken, once; what a store refuses stands still alone."""

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery import LeaseLost
from consumers.keeper.commit import CommitDuty
from consumers.keeper.portions import Limits
from consumers.keeper.store import Outrun, Place
from consumers.keeper.testing import MemoryChains, MemoryHistory, places_of
from consumers.manifests import Manifest, manifest_key
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

LIVE = [("live", f"s-{n}") for n in range(3)]
FILL: Place = ("fill", "s-0")
LIMITS = Limits(manifests=10, bytes=10_000, of_shard=5)
NEVER = threading.Event()


def held() -> None:
    """The lease is ours."""


def duty_of(
    chains: MemoryChains, store: MemoryHistory, *, limits: Limits = LIMITS, effect: Effect = no_effect
) -> CommitDuty:
    return CommitDuty(
        store=store,
        chains=chains,
        applications=["live", "fill"],
        limits=limits,
        clock=ManualClock(),
        effect=effect,
    )


def refusing(*bad: Manifest) -> Callable[[Manifest], str]:
    spans = {each.span_id for each in bad}
    return lambda each: f"{each.data[0].key} is absent" if each.span_id in spans else ""


def test_a_turn_takes_all_that_waits() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    for place in (*LIVE, FILL):
        chains.grow(place, 23)
    duty = duty_of(chains, store)
    duty.turn(held, NEVER)
    assert {place: store.all(place) for place in chains.stored} == chains.stored
    assert all(len(took) <= LIMITS.manifests for took in store.took)
    assert duty.report() == (
        f"memory: 92 manifests, 92 rows in {len(store.took)} commits; arrival to stored 0.0 s at most"
    )


def test_what_arrives_during_a_back_fill_is_in_the_next_commit() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(FILL, 100)
    chains.grow(LIVE[0], 1)
    waited = []

    def look(_: str) -> None:
        behind = chains.stored[LIVE[0]][-1].last - store.taken().get(LIVE[0], 0)
        waited.append(behind // 10)
        chains.grow(LIVE[0], 1)

    duty_of(chains, store, effect=look).turn(held, NEVER)
    assert set(waited) == {1}
    assert len(store.all(FILL)) == 100


def test_what_arrives_during_a_turn_does_not_make_it_longer() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(LIVE[0], 2)
    duty_of(chains, store, effect=lambda _: chains.grow(LIVE[0], 1)).turn(held, NEVER)
    assert len(store.took) == 1


def test_a_new_shard_is_found_during_a_long_back_fill() -> None:
    chains, store, clock = MemoryChains(), MemoryHistory(), ManualClock()
    chains.grow(FILL, 100)
    stop = threading.Event()

    def commit(_: str) -> None:
        clock.advance(2.0)
        if len(store.took) == 1:
            chains.grow(LIVE[0], 1)
        if LIVE[0] in store.taken():
            stop.set()

    duty = CommitDuty(
        store=store, chains=chains, applications=["live", "fill"], limits=LIMITS, clock=clock, effect=commit
    )
    duty.turn(held, stop)
    assert store.all(LIVE[0]) == chains.stored[LIVE[0]]
    assert len(store.all(FILL)) < 100


def test_a_stop_ends_between_two_commits() -> None:
    chains, store, stop = MemoryChains(), MemoryHistory(), threading.Event()
    chains.grow(FILL, 100)
    duty_of(chains, store, effect=lambda _: stop.set()).turn(held, stop)
    assert len(store.took) == 1


def test_the_lease_is_asked_for_before_each_commit() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(FILL, 100)
    answers = iter([None, None, None, None, LeaseLost("another's")])

    def check() -> None:
        if answer := next(answers):
            raise answer

    with pytest.raises(LeaseLost):
        duty_of(chains, store).turn(check, NEVER)
    assert len(store.took) == 2


def test_outrun_by_another_keeper_it_asks_again() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(LIVE[0], 3)
    store.trouble = [Outrun("s-0 is taken up to 10"), Outrun("s-0 is taken up to 20"), None]
    duty_of(chains, store).turn(held, NEVER)
    assert store.all(LIVE[0]) == chains.stored[LIVE[0]]


def test_outrun_again_and_again_it_leaves_the_turn_to_the_other() -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(LIVE[0], 3)
    store.trouble = [Outrun("s-0 is taken up to 10")] * 100
    duty_of(chains, store).turn(held, NEVER)
    assert len(store.asked) == 3


@pytest.mark.parametrize("error", [Outage("away"), ConfigError("no such table")])
def test_the_stores_own_trouble_ends_the_turn_and_the_next_goes_on(error: Exception) -> None:
    chains, store = MemoryChains(), MemoryHistory()
    chains.grow(LIVE[0], 30)
    store.trouble = [None, error]
    duty = duty_of(chains, store)
    with pytest.raises(type(error)):
        duty.turn(held, NEVER)
    assert len(store.took) == 1
    duty.turn(held, NEVER)
    assert store.all(LIVE[0]) == chains.stored[LIVE[0]]


@given(
    lengths=st.lists(st.integers(0, 12), min_size=4, max_size=4),
    bad=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 11)), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_every_shard_is_taken_up_to_its_first_bad_manifest(lengths: list[int], bad: set[tuple[int, int]]) -> None:
    chains = MemoryChains()
    places = [*LIVE, FILL]
    for place, length in zip(places, lengths, strict=True):
        chains.grow(place, length)
    refused = {(places[p], n) for p, n in bad if n < lengths[p]}
    store = MemoryHistory(refusing(*(chains.stored[place][n] for place, n in refused)))
    duty = duty_of(chains, store)
    duty.turn(held, NEVER)
    for place in places:
        first_bad = min((n for at, n in refused if at == place), default=len(chains.stored[place]))
        assert store.all(place) == chains.stored[place][:first_bad]
    assert duty.stuck == {place for place, _ in refused}


def test_what_stands_still_is_said_once_and_goes_on_when_it_is_mended(caplog: pytest.LogCaptureFixture) -> None:
    chains = MemoryChains()
    for place in LIVE:
        chains.grow(place, 4)
    bad = chains.stored[LIVE[1]][2]
    store = MemoryHistory(refusing(bad))
    duty = duty_of(chains, store)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            duty.turn(held, NEVER)
    key = manifest_key(bad.application, bad.shard_id, bad.previous)
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith(f"memory: live/s-1 stands still: {key}: {bad.data[0].key} is absent")
    assert duty.report().endswith("; 1 shards stand still")
    store.refuses = refusing()
    with caplog.at_level(logging.INFO):
        duty.turn(held, NEVER)
    assert store.all(LIVE[1]) == chains.stored[LIVE[1]]
    assert "well again" in caplog.records[-1].getMessage()
    assert not duty.stuck


def test_a_shard_that_stands_still_costs_the_others_no_bisection_in_later_turns() -> None:
    chains = MemoryChains()
    for place in LIVE:
        chains.grow(place, 4)
    store = MemoryHistory(refusing(chains.stored[LIVE[1]][0]))
    duty = duty_of(chains, store)
    duty.turn(held, NEVER)
    asked = len(store.asked)
    for place in LIVE:
        chains.grow(place, 2)
    duty.turn(held, NEVER)
    together, alone = store.asked[asked:]
    assert places_of(together) == {LIVE[0], LIVE[2]}
    assert alone == chains.stored[LIVE[1]][:1]


def test_a_chain_that_is_not_whole_stands_still_until_it_is(caplog: pytest.LogCaptureFixture) -> None:
    chains, store = MemoryChains(), MemoryHistory()
    for place in LIVE:
        chains.grow(place, 2)
    chains.trouble[LIVE[0]] = ConfigError("manifests/live/s-0/0.json is out of place: restore the object")
    duty = duty_of(chains, store)
    with caplog.at_level(logging.WARNING):
        duty.turn(held, NEVER)
        duty.turn(held, NEVER)
    assert duty.stuck == {LIVE[0]}
    assert store.all(LIVE[1]) == chains.stored[LIVE[1]]
    assert sum("out of place" in each.getMessage() for each in caplog.records) == 1
    del chains.trouble[LIVE[0]]
    duty.turn(held, NEVER)
    assert store.all(LIVE[0]) == chains.stored[LIVE[0]]
    assert not duty.stuck


class Killed(BaseException):
    """The process is gone."""


@given(
    deaths=st.lists(st.integers(1, 6), max_size=8),
    troubles=st.lists(st.sampled_from([None, Outage("away"), Outrun("outrun")]), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_whatever_crashes_each_manifest_is_taken_once_and_in_order(
    deaths: list[int], troubles: list[Exception | None]
) -> None:
    chains, store = MemoryChains(), MemoryHistory()
    store.trouble = list(troubles)
    for place in (*LIVE, FILL):
        chains.grow(place, 9)
    for death in [*deaths, 0]:
        left = [death]

        def effect(_: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        for _ in range(len(troubles) + 2):
            try:
                duty_of(chains, store, effect=effect).turn(held, NEVER)
            except (Killed, Outage):
                continue
    assert {place: store.all(place) for place in chains.stored} == chains.stored
