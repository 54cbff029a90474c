"""A batch parted by shards."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.kpl.aggregate import LARGEST_HASH_KEY, OUTER_KEY, hash_key_of, opened
from producers.agent.lanes import Entry, Lanes
from producers.agent.pack import Packed
from producers.agent.put import HELD_BACK
from producers.agent.shard_map import ShardMap
from producers.agent.tokens import Room
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

HALVES = ShardMap(["low", "high"], [LARGEST_HASH_KEY // 2, LARGEST_HASH_KEY])


def lines(count: int, *, size: int = 100, keys: int = 10) -> list[Packed]:
    rng = random.Random(count)
    return [Packed("f", n, n + 1, n, f"key-{rng.randrange(keys)}", b"%d" % n + b"x" * size) for n in range(count)]


def lanes(batch: list[Packed], *, most_bytes: int = 1_000) -> tuple[Lanes, ManualClock]:
    clock = ManualClock()
    rooms = {shard_id: Room(clock, random.Random(0)) for shard_id in HALVES.shard_ids}
    return Lanes(batch, HALVES, rooms.__getitem__, most_bytes=most_bytes), clock


def carried(entry: Entry) -> list[tuple[str, bytes]]:
    record = entry.record()
    users = opened(record["Data"])
    if users is None:
        return [(record["PartitionKey"], record["Data"])]
    assert record["PartitionKey"] == OUTER_KEY
    assert int(record["ExplicitHashKey"]) == hash_key_of(users[0].partition_key)
    return [(user.partition_key, user.data) for user in users]


def test_a_request_has_at_most_one_record_of_a_shard_and_the_next_one_waits_for_it() -> None:
    parted, _ = lanes(lines(40))
    first = parted.next_request()
    assert sorted(entry.lane.shard_id for entry in first) == ["high", "low"]
    parted.settle(first[0], "InternalFailure")
    parted.settle(first[1], None)
    (second,) = parted.next_request()
    assert second.lane is first[1].lane
    assert carried(second) != carried(first[1])


def test_what_was_refused_is_offered_again_with_nothing_before_it() -> None:
    parted, clock = lanes(lines(40))
    first = parted.next_request()
    refused, before = first[0].lane, carried(first[0])
    for entry in first:
        parted.settle(entry, "ProvisionedThroughputExceededException")
    assert parted.codes.count(HELD_BACK) and not parted.codes.count(None)
    clock.advance(parted.opens_in_s() + 2.0)
    assert next(carried(entry) for entry in parted.next_request() if entry.lane is refused) == before


def test_a_line_alone_travels_as_it_is_under_its_own_key() -> None:
    batch = [Packed("f", 0, 9, 0, "key", b"y" * 5_000)]
    parted, _ = lanes(batch)
    (entry,) = parted.next_request()
    assert entry.record() == {"Data": b"y" * 5_000, "PartitionKey": "key"}


def test_a_request_stays_below_its_limit_and_every_shard_has_its_turn() -> None:
    count = 600
    ends = [(LARGEST_HASH_KEY + 1) // count * number - 1 for number in range(1, count)] + [LARGEST_HASH_KEY]
    many = ShardMap([str(number) for number in range(count)], ends)
    clock = ManualClock()
    batch = lines(9_000, size=400, keys=5_000)
    parted = Lanes(batch, many, lambda _: Room(clock, random.Random(0)), most_bytes=10_000)
    shards: set[str] = set()
    requests = []
    while request := parted.next_request():
        assert len(request) <= 500
        requests.append(request)
        for entry in request:
            parted.settle(entry, None)
        shards |= {entry.lane.shard_id for entry in request}
    assert parted.are_empty and parted.codes == [None] * len(batch)
    assert shards == {str(shard) for shard in set(many.shards_of([line.key for line in batch]))}
    first, second, *_ = requests
    assert len(first) == 500 and not {entry.lane for entry in first} & {entry.lane for entry in second[: 600 - 500 - 5]}


@given(
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=60),
    outcomes=st.lists(st.booleans(), max_size=200),
    seed=st.integers(0, 99),
)
def test_every_line_is_stored_in_the_order_of_its_shard(sizes: list[int], outcomes: list[bool], seed: int) -> None:
    rng = random.Random(seed)
    batch = [Packed("f", n, n + 1, n, f"k{rng.randrange(9)}", b"%d " % n + b"x" * size) for n, size in enumerate(sizes)]
    parted, clock = lanes(batch)
    stored: dict[str, list[tuple[str, bytes]]] = {}
    fates = iter(outcomes)
    while not parted.are_empty:
        for entry in parted.next_request():
            record = entry.record()
            assert len(record["Data"]) + len(record["PartitionKey"]) <= max(1_000 + 30, entry.size)
            if next(fates, True):
                stored.setdefault(entry.lane.shard_id, []).extend(carried(entry))
                parted.settle(entry, None)
            else:
                parted.settle(entry, "InternalFailure")
        clock.advance(parted.opens_in_s() + 1e-6)
    for place, shard_id in enumerate(HALVES.shard_ids):
        of_shard = [line for line in batch if HALVES.shards_of([line.key]) == [place]]
        assert stored.get(shard_id, []) == [(line.key, line.data) for line in of_shard]
    assert parted.codes == [None] * len(batch)
