"""The shards of a stream as a tree, each with what its lease says of it. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumers.sources.kinesis.checkpoints import SHARD_END, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import is_readable, missing_leases
from consumers.sources.kinesis.stream import ShardInfo


class State(StrEnum):
    """What becomes of a shard."""

    OWNED = "owned"  # a worker that lives reads it
    SILENT = "silent"  # its owner has not written for longer than a failover
    UNOWNED = "unowned"  # to be read, and nobody does
    WAITS = "waits"  # until its parents are finished
    MISSING = "no lease"  # to be read, and there is no lease yet
    FINISHED = "finished"  # read to its end


WRONG = frozenset({State.SILENT, State.UNOWNED, State.MISSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One shard in the tree. `depth` is that of its first parent + 1."""

    shard_id: str
    state: State
    depth: int
    parents: frozenset[str]  # also those that are neither listed nor leased any more
    children: frozenset[str]
    lease: Lease | None


def tree_of(
    shards: Collection[ShardInfo], leases: Iterable[Lease], *, silent: Collection[str], initial: Checkpoint
) -> list[Node]:
    """Every shard that is listed or has a lease: each after its first parent, deeper by one. The first parent of a
    merged shard is the one whose id sorts first.

    `silent`: shards whose owners do not live. `initial`: where a stream without leases is entered.
    """
    listed = {shard.shard_id: shard for shard in shards}
    leased = {lease.shard_id: lease for lease in leases}
    parents = {shard_id: _parents(shard_id, listed, leased) for shard_id in sorted(listed.keys() | leased.keys())}
    children: dict[str, set[str]] = {
        shard_id: set(leased[shard_id].children) if shard_id in leased else set() for shard_id in parents
    }
    for shard_id, above in parents.items():
        for parent in above & parents.keys():
            children[parent].add(shard_id)
    missing = {lease.shard_id for lease in missing_leases(shards, leased, initial)}

    def walk(shard_id: str, depth: int) -> Iterator[Node]:
        yield Node(
            shard_id=shard_id,
            state=_state(shard_id, leased, silent, missing, listed, parents),
            depth=depth,
            parents=parents[shard_id],
            children=frozenset(children[shard_id]),
            lease=leased.get(shard_id),
        )
        for child in sorted(children[shard_id] & parents.keys()):
            if min(parents[child] & parents.keys()) == shard_id:
                yield from walk(child, depth + 1)

    roots = [shard_id for shard_id, above in parents.items() if not above & parents.keys()]
    return [node for root in roots for node in walk(root, 0)]


def _parents(shard_id: str, listed: Mapping[str, ShardInfo], leased: Mapping[str, Lease]) -> frozenset[str]:
    of_lease = leased[shard_id].parents if shard_id in leased else frozenset[str]()
    return of_lease | (listed[shard_id].parents if shard_id in listed else frozenset[str]())


def _state(
    shard_id: str,
    leased: Mapping[str, Lease],
    silent: Collection[str],
    missing: Collection[str],
    listed: Mapping[str, ShardInfo],
    parents: Mapping[str, frozenset[str]],
) -> State:
    lease = leased.get(shard_id)
    if lease is None:
        if _is_below_unfinished(shard_id, leased, parents):
            return State.WAITS  # its parent's reader makes its lease, or the next discovery
        if shard_id in missing:
            return State.MISSING
        return State.WAITS if listed[shard_id].is_open else State.FINISHED  # closed, and its lease was tidied away
    if lease.checkpoint.rank is SHARD_END.rank:
        return State.FINISHED
    if not is_readable(lease, leased):
        return State.WAITS
    if lease.owner is None:
        return State.UNOWNED
    return State.SILENT if shard_id in silent else State.OWNED


def _is_below_unfinished(shard_id: str, leased: Mapping[str, Lease], parents: Mapping[str, frozenset[str]]) -> bool:
    above = set(parents[shard_id])
    while above:
        lease = leased.get(parent := above.pop())
        if lease is not None and lease.checkpoint.rank is not SHARD_END.rank:
            return True
        above |= parents.get(parent, frozenset())
    return False
