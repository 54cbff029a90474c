import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.manifests import Manifest, manifest_key
from consumers.spans.chain import Chain, shards_of
from contract.tables import VERSION
from runtime.errors import ConfigError
from runtime.objects.testing import Fault, MemoryObjects
from runtime.outage import Outage

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)


def manifest(
    previous: int, last: int, *, span_id: str = "mine", shard_id: str = "s-1", version: int = VERSION
) -> Manifest:
    return Manifest(
        version=version,
        span_id=span_id,
        application="app",
        stream="orders",
        shard_id=shard_id,
        previous=previous,
        last=last,
        records=1,
        first_arrived_at=AT,
        last_arrived_at=AT,
        data=[],
        raw=[],
        letters=[],
        written_at=AT,
        worker="w",
    )


def chain_of(*lasts: int) -> tuple[MemoryObjects, Chain]:
    objects = MemoryObjects()
    chain = Chain(objects, "app", "s-1")
    for previous, last in zip((0, *lasts), lasts, strict=False):
        chain.append(manifest(previous, last))
    return objects, chain


def test_a_shard_without_manifests_has_no_end() -> None:
    _, chain = chain_of()
    assert chain.end() is None
    assert list(chain.after()) == []


@given(st.lists(st.integers(1, 10**56), min_size=1, max_size=12, unique=True).map(sorted), st.data())
def test_the_end_is_found_from_nothing_and_from_any_link(lasts: list[int], data: st.DataObject) -> None:
    _, chain = chain_of(*lasts)
    hint = data.draw(st.sampled_from(lasts))
    for end in (chain.end(), chain.end(hint)):
        assert end is not None
        assert end.last == lasts[-1]
    assert [each.last for each in chain.after()] == lasts
    assert [each.last for each in chain.after(hint)] == [last for last in lasts if last > hint]


def test_from_a_hint_years_are_not_listed() -> None:
    second = 10**6
    objects, chain = chain_of(*(20 * second * n for n in range(1, 2_000)))
    objects.log.clear()
    end = chain.end(20 * second * 1_998)
    assert end is not None
    assert end.last == 20 * second * 1_999
    assert len(objects.log) < 8


def test_a_place_that_is_taken_gives_what_stands_there() -> None:
    _, chain = chain_of(10)
    mine, other = manifest(10, 30), manifest(10, 20, span_id="other")
    assert chain.append(other) is other
    assert chain.append(mine) == other
    assert chain.append(other) == other


def test_a_put_whose_answer_was_lost_is_found_again() -> None:
    objects, chain = chain_of(10)
    mine = manifest(10, 20)
    objects.next_faults(Fault.AFTER)
    with pytest.raises(Outage):
        chain.append(mine)
    assert chain.append(mine) == mine


def test_a_checkpoint_beyond_the_chain_is_never_a_silent_gap() -> None:
    for lasts in ((), (10,), (10, 20)):
        with pytest.raises(ConfigError, match=r"s-1 is 21.*\[lake\] bucket"):
            chain_of(*lasts)[1].end(21)


def test_a_missing_link_is_named() -> None:
    objects, chain = chain_of(10, 20, 30)
    del objects.stored[manifest_key("app", "s-1", 10)]
    with pytest.raises(ConfigError, match="no manifest leads"):
        chain.end()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"version":2}'])
def test_what_is_no_manifest_is_named(content: bytes) -> None:
    objects, chain = chain_of(10)
    objects.stored[manifest_key("app", "s-1", 10)] = content
    with pytest.raises(ConfigError, match="upgrade"):
        chain.end()


def test_a_chain_goes_on_over_manifests_of_older_releases_and_stops_at_a_newer_one() -> None:
    _, chain = chain_of(10)
    chain.append(manifest(10, 20, version=VERSION - 1))
    chain.append(manifest(20, 30))
    assert [each.last for each in chain.after()] == [10, 20, 30]
    end = chain.end()
    assert end is not None
    assert end.last == 30
    chain.append(manifest(30, 40, version=VERSION + 1))
    with pytest.raises(ConfigError, match="upgrade"):
        chain.end()


def test_a_manifest_out_of_place_is_named() -> None:
    objects, chain = chain_of(10, 20)
    objects.stored[manifest_key("app", "s-1", 10)] = objects.stored[manifest_key("app", "s-1", 0)]
    with pytest.raises(ConfigError, match="out of place"):
        chain.end()


def test_shards_are_those_that_have_a_chain() -> None:
    objects, _ = chain_of(10, 20)
    Chain(objects, "app", "s-10").append(manifest(0, 7, shard_id="s-10"))
    objects.put("manifests/app2/s-9/0.json", b"")
    assert shards_of(objects, "app") == ["s-1", "s-10"]
    assert shards_of(objects, "none") == []
