"""The tree of shards, and what becomes of each."""

from dataclasses import replace

import pytest

from consumers.delivery import Position
from consumers.fleet.testing import split
from consumers.fleet.tree import Node, State, tree_of
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import LAST_HASH_KEY
from consumers.sources.kinesis.stream import ShardInfo

pytestmark = pytest.mark.unit

ROOT = ShardInfo(shard_id="s-0", hash_range=(0, LAST_HASH_KEY))
AT = Checkpoint.at(Position(7))


def lease(shard_id: str, checkpoint: Checkpoint = AT, owner: str | None = "a", *parents: str) -> Lease:
    return Lease(shard_id=shard_id, checkpoint=checkpoint, owner=owner, parents=frozenset(parents))


def states(nodes: list[Node]) -> dict[str, State]:
    return {node.shard_id: node.state for node in nodes}


def test_owned_silent_and_unowned_shards_are_told_apart() -> None:
    shards = [replace_id(ROOT, f"s-{number}") for number in range(3)]
    leases = [lease("s-0"), lease("s-1"), lease("s-2", owner=None)]
    found = tree_of(shards, leases, silent={"s-1"}, initial=TRIM_HORIZON)
    assert states(found) == {"s-0": State.OWNED, "s-1": State.SILENT, "s-2": State.UNOWNED}


def test_children_wait_for_their_parent_with_a_lease_and_without() -> None:
    shards = split(ROOT, "s-1", "s-2")
    found = tree_of(shards, [lease("s-0"), lease("s-1", TRIM_HORIZON, None, "s-0")], silent=(), initial=TRIM_HORIZON)
    assert [(node.shard_id, node.depth, node.state) for node in found] == [
        ("s-0", 0, State.OWNED),
        ("s-1", 1, State.WAITS),
        ("s-2", 1, State.WAITS),
    ]
    assert found[0].children == {"s-1", "s-2"}


def test_a_child_without_a_lease_whose_parent_is_finished_is_missing_one() -> None:
    leases = [lease("s-0", SHARD_END), lease("s-1", TRIM_HORIZON, "a", "s-0")]
    found = tree_of(split(ROOT, "s-1", "s-2"), leases, silent=(), initial=TRIM_HORIZON)
    assert states(found)["s-2"] is State.MISSING


def test_a_finished_parent_lets_its_children_be_read() -> None:
    leases = [lease("s-0", SHARD_END), lease("s-1", TRIM_HORIZON, "b", "s-0"), lease("s-2", TRIM_HORIZON, None, "s-0")]
    found = tree_of(split(ROOT, "s-1", "s-2"), leases, silent={"s-0"}, initial=TRIM_HORIZON)
    assert states(found) == {"s-0": State.FINISHED, "s-1": State.OWNED, "s-2": State.UNOWNED}


def test_a_merged_shard_stands_once_below_its_first_parent() -> None:
    left, right = split(ROOT, "s-1", "s-2")[1:]
    merged = ShardInfo(shard_id="s-3", parents=frozenset({"s-1", "s-2"}), hash_range=(0, LAST_HASH_KEY))
    shards = [replace_open(left), replace_open(right), merged]
    leases = [lease("s-1", SHARD_END), lease("s-2"), lease("s-3", TRIM_HORIZON, None, "s-1", "s-2")]
    found = tree_of(shards, leases, silent=(), initial=TRIM_HORIZON)
    assert [(node.shard_id, node.depth) for node in found] == [("s-1", 0), ("s-3", 1), ("s-2", 0)]
    assert states(found)["s-3"] is State.WAITS  # for the other parent


def test_a_stream_that_nobody_has_read_has_no_leases_and_a_tidied_one_has_finished_shards() -> None:
    shards = split(ROOT, "s-1", "s-2")
    assert set(states(tree_of([ROOT], [], silent=(), initial=TRIM_HORIZON)).values()) == {State.MISSING}
    tidied = tree_of(shards, [lease("s-1"), lease("s-2")], silent=(), initial=TRIM_HORIZON)
    assert states(tidied)["s-0"] is State.FINISHED
    entered_late = tree_of(shards, [lease("s-1", LATEST), lease("s-2", LATEST)], silent=(), initial=LATEST)
    assert states(entered_late)["s-0"] is State.FINISHED


def test_a_lease_whose_shard_the_stream_no_longer_lists_is_shown_too() -> None:
    found = tree_of([], [lease("s-0"), lease("s-1", TRIM_HORIZON, None, "s-0")], silent=(), initial=TRIM_HORIZON)
    assert [(node.shard_id, node.depth) for node in found] == [("s-0", 0), ("s-1", 1)]


def replace_id(shard: ShardInfo, shard_id: str) -> ShardInfo:
    return ShardInfo(shard_id=shard_id, hash_range=shard.hash_range)


def replace_open(shard: ShardInfo) -> ShardInfo:
    return ShardInfo(shard_id=shard.shard_id, parents=shard.parents, hash_range=shard.hash_range, is_open=False)


def test_a_parent_noted_by_a_lease_alone_is_a_parent() -> None:
    child = replace(lease("s-1", TRIM_HORIZON, None), parents=frozenset({"s-0"}))
    (node,) = tree_of([], [child], silent=(), initial=TRIM_HORIZON)
    assert (node.parents, node.depth, node.state) == ({"s-0"}, 0, State.UNOWNED)
