"""Chains are read ahead a little, after what the store has taken."""

import pytest

from consumers.keeper.backlog import Backlog, BucketChains
from consumers.keeper.store import Place
from consumers.keeper.testing import MemoryChains, manifest
from consumers.manifests import Manifest, manifest_key
from consumers.spans.chain import Chain
from runtime.errors import ConfigError
from runtime.objects.testing import MemoryObjects
from runtime.outage import Outage

pytestmark = pytest.mark.unit

PLACE: Place = ("live", "s-0")
OTHER: Place = ("live", "s-1")


def test_no_more_than_asked_for_is_in_memory() -> None:
    chains = MemoryChains()
    chains.grow(PLACE, 10)
    waiting, faults = Backlog(chains, ahead=4).fill([PLACE], {})
    assert waiting == {PLACE: chains.stored[PLACE][:4]}
    assert not faults


def test_what_was_taken_gives_way_to_what_follows() -> None:
    chains = MemoryChains()
    chains.grow(PLACE, 10)
    backlog = Backlog(chains, ahead=4)
    backlog.fill([PLACE], {})
    waiting, _ = backlog.fill([PLACE], {PLACE: 30})
    assert waiting == {PLACE: chains.stored[PLACE][3:7]}


def test_a_store_that_was_set_back_gets_again_what_it_has_forgotten() -> None:
    chains = MemoryChains()
    chains.grow(PLACE, 10)
    backlog = Backlog(chains, ahead=4)
    backlog.fill([PLACE], {PLACE: 50})
    waiting, _ = backlog.fill([PLACE], {PLACE: 10})
    assert waiting == {PLACE: chains.stored[PLACE][1:5]}


def test_what_came_since_is_found() -> None:
    chains = MemoryChains()
    chains.grow(PLACE, 1)
    backlog = Backlog(chains, ahead=4)
    backlog.fill([PLACE], {})
    chains.grow(PLACE, 1)
    waiting, _ = backlog.fill([PLACE], {})
    assert waiting == {PLACE: chains.stored[PLACE]}


def test_a_chain_that_is_not_whole_is_named_and_the_others_are_read() -> None:
    chains = MemoryChains()
    for place in (PLACE, OTHER):
        chains.grow(place, 2)
    chains.trouble[PLACE] = ConfigError("out of place")
    waiting, faults = Backlog(chains, ahead=4).fill([PLACE, OTHER], {})
    assert faults == {PLACE: "out of place"}
    assert waiting == {PLACE: [], OTHER: chains.stored[OTHER]}


def test_an_outage_of_the_bucket_is_one() -> None:
    chains = MemoryChains()
    chains.grow(PLACE, 2)
    chains.trouble[PLACE] = Outage("away")
    with pytest.raises(Outage):
        Backlog(chains, ahead=4).fill([PLACE], {})


def test_chains_of_a_bucket_are_found_by_application() -> None:
    objects = MemoryObjects()
    spans = [manifest(PLACE, 0, 10), manifest(PLACE, 10, 20), manifest(OTHER, 0, 10)]
    for span in spans:
        Chain(objects, span.application, span.shard_id).append(span)
    chains = BucketChains(objects)
    assert list(chains.shards("live")) == ["s-0", "s-1"]
    assert list(chains.shards("li")) == []
    assert list(chains.after(PLACE, 0)) == spans[:2]
    assert list(chains.after(PLACE, 10)) == spans[1:2]


def test_a_manifest_that_cannot_be_read_is_named() -> None:
    objects = MemoryObjects()
    objects.put(manifest_key(*PLACE, 0), b"{}")
    _, faults = Backlog(BucketChains(objects), ahead=4).fill([PLACE], {})
    assert manifest_key(*PLACE, 0) in faults[PLACE]


def _bucket(*spans: Manifest) -> MemoryObjects:
    objects = MemoryObjects()
    for span in spans:
        Chain(objects, span.application, span.shard_id).append(span)
    return objects


@pytest.mark.parametrize(
    ("spans", "taken"),
    [
        pytest.param([manifest(PLACE, 0, 10)], 7, id="a store of another bucket"),
        pytest.param([manifest(PLACE, 0, 10)], 20, id="a bucket that was set back"),
        pytest.param([manifest(PLACE, 0, 10), manifest(PLACE, 20, 30)], 10, id="a manifest is missing"),
        pytest.param([manifest(PLACE, 10, 20)], 0, id="the first is missing"),
    ],
)
def test_a_store_that_waits_where_no_manifest_will_come_is_named(spans: list[Manifest], taken: int) -> None:
    backlog = Backlog(BucketChains(_bucket(*spans)), ahead=4)
    for _ in range(2):
        waiting, faults = backlog.fill([PLACE], {PLACE: taken})
        assert "restore what is missing" in faults[PLACE]
        assert not waiting[PLACE]


def test_a_store_that_has_all_looks_for_what_follows_alone() -> None:
    objects = _bucket(manifest(PLACE, 0, 10), manifest(PLACE, 10, 20))
    backlog = Backlog(BucketChains(objects), ahead=4)
    for _ in range(2):
        assert backlog.fill([PLACE], {PLACE: 20}) == ({PLACE: []}, {})
    objects.log.clear()
    backlog.fill([PLACE], {PLACE: 20})
    assert objects.log == [f"get {manifest_key(*PLACE, 20)}"]
