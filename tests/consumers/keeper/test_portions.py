"""Every shard gets its turn, however much another has to catch up."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.keeper.portions import Limits, portion, size_of, turns
from consumers.keeper.store import Place
from consumers.keeper.testing import manifest, places_of
from consumers.manifests import Manifest

pytestmark = pytest.mark.unit

APPLICATIONS = ("live", "fill")

sizes = st.lists(st.integers(1, 50), max_size=12)
backlogs = st.dictionaries(
    st.tuples(st.sampled_from(APPLICATIONS), st.sampled_from(("s-0", "s-1", "s-2"))), sizes, max_size=6
)
limits = st.builds(Limits, manifests=st.integers(1, 10), bytes=st.integers(1, 200), of_shard=st.integers(1, 5))


def waiting_of(backlog: Mapping[Place, list[int]]) -> dict[Place, list[Manifest]]:
    return {
        place: [manifest(place, 10 * n, 10 * n + 10, nbytes=size) for n, size in enumerate(sizes)]
        for place, sizes in backlog.items()
    }


def order_of(backlog: Mapping[Place, object], round_number: int = 0) -> list[Place]:
    shards = {name: [shard for application, shard in backlog if application == name] for name in APPLICATIONS}
    return turns(APPLICATIONS, shards, round_number)


@given(backlogs, limits, st.integers(0, 5))
def test_each_shards_are_the_head_of_its_chain_in_order(
    backlog: dict[Place, list[int]], limits: Limits, number: int
) -> None:
    waiting = waiting_of(backlog)
    chosen = portion(waiting, order_of(backlog, number), limits)
    for place, queue in waiting.items():
        mine = [each for each in chosen if (each.application, each.shard_id) == place]
        assert mine == queue[: len(mine)]
        assert len(mine) <= limits.of_shard


@given(backlogs, limits)
def test_limits_hold_and_something_is_chosen_where_something_waits(
    backlog: dict[Place, list[int]], limits: Limits
) -> None:
    chosen = portion(waiting_of(backlog), order_of(backlog), limits)
    assert bool(chosen) == any(backlog.values())
    assert len(chosen) <= limits.manifests
    assert len(chosen) <= 1 or sum(map(size_of, chosen)) <= limits.bytes


@given(backlogs, limits)
def test_everything_is_taken_in_the_end(backlog: dict[Place, list[int]], limits: Limits) -> None:
    waiting = waiting_of(backlog)
    for number in range(sum(map(len, backlog.values())) + 1):
        for each in portion(waiting, order_of(backlog, number), limits):
            waiting[each.application, each.shard_id].remove(each)
    assert not any(waiting.values())


def test_a_back_fill_leaves_live_loads_their_part_of_every_round() -> None:
    backlog: dict[Place, list[int]] = {("fill", f"s-{n}"): [10] * 100 for n in range(20)}
    backlog |= {("live", f"s-{n}"): [10] * 2 for n in range(4)}
    chosen = portion(waiting_of(backlog), order_of(backlog), Limits(manifests=30, bytes=10_000, of_shard=50))
    live = [each for each in chosen if each.application == "live"]
    assert len(live) == 8  # both of each, the second ones before the fill's second
    assert len(chosen) == 30


def test_one_shard_far_behind_does_not_hold_up_its_neighbours() -> None:
    backlog: dict[Place, list[int]] = {("live", "s-0"): [10] * 500, ("live", "s-1"): [10], ("live", "s-2"): [10]}
    chosen = portion(waiting_of(backlog), order_of(backlog), Limits(manifests=5, bytes=1_000, of_shard=50))
    assert places_of(chosen) == set(backlog)


def test_of_more_shards_than_a_round_holds_none_is_always_left_out() -> None:
    backlog: dict[Place, list[int]] = {("live", f"s-{n:02d}"): [10] * 10 for n in range(12)}
    limits = Limits(manifests=5, bytes=1_000, of_shard=50)
    seen = [places_of(portion(waiting_of(backlog), order_of(backlog, number), limits)) for number in range(12)]
    assert set.union(*seen) == set(backlog)


def test_a_manifest_larger_than_a_round_goes_alone() -> None:
    backlog: dict[Place, list[int]] = {("live", "s-0"): [1_000], ("live", "s-1"): [10]}
    limits = Limits(manifests=5, bytes=100, of_shard=50)
    waiting = waiting_of(backlog)
    assert portion(waiting, order_of(backlog), limits) == waiting["live", "s-0"]
    assert portion(waiting, order_of(backlog, 1), limits) == waiting["live", "s-1"]
