"""Which shard a key leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.kpl.aggregate import LARGEST_HASH_KEY, hash_key_of
from producers.agent.shard_map import ShardMap, shard_map

pytestmark = pytest.mark.unit


def listed(shard_id: str, first: int, last: int, *, closed: bool = False) -> dict[str, object]:
    sequences = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if closed else {})
    keys = {"StartingHashKey": str(first), "EndingHashKey": str(last)}
    return {"ShardId": shard_id, "HashKeyRange": keys, "SequenceNumberRange": sequences}


@given(cuts=st.sets(st.integers(1, LARGEST_HASH_KEY), max_size=8), key=st.text(max_size=9), rng=st.randoms())
def test_a_key_leads_to_the_open_shard_that_holds_its_hash(cuts: set[int], key: str, rng: object) -> None:
    starts = [0, *sorted(cuts)]
    ends = [start - 1 for start in starts[1:]] + [LARGEST_HASH_KEY]
    shards = [listed(str(number), *both) for number, both in enumerate(zip(starts, ends, strict=True))]
    shards.append(listed("parent", 0, LARGEST_HASH_KEY, closed=True))
    rng.shuffle(shards)  # type: ignore[attr-defined]
    found = shard_map(shards)
    assert found is not None
    place = int(found.shard_ids[found.shards_of([key])[0]])
    assert starts[place] <= hash_key_of(key) <= ends[place]


@pytest.mark.parametrize(
    "shards",
    [
        [],
        [listed("a", 0, 5)],
        [listed("a", 1, LARGEST_HASH_KEY)],
        [listed("a", 0, 5), listed("b", 7, LARGEST_HASH_KEY)],
        [listed("a", 0, 5), listed("b", 5, LARGEST_HASH_KEY)],
        [listed("a", 0, LARGEST_HASH_KEY, closed=True)],
    ],
)
def test_shards_that_do_not_cover_every_key_once_are_no_map(shards: list[dict[str, object]]) -> None:
    assert shard_map(shards) is None


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.agent.shard_map._KEYS_KNOWN", 10)
    both = ShardMap(["a", "b"], [LARGEST_HASH_KEY // 2, LARGEST_HASH_KEY])
    keys = [f"key-{number}" for number in range(35)]
    once = both.shards_of(keys)
    assert both.shards_of(keys) == once and set(once) == {0, 1}
    assert len(both._known) <= 10
