"""Which leases a stream's shards ask for, and which of them may be read: parents before children. Pure."""

from collections.abc import Iterable, Mapping

from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import ShardInfo

LAST_HASH_KEY = 2**128 - 1


def is_complete(shards: Iterable[ShardInfo]) -> bool:
    """Whether the open shards cover every hash key once; a listing in the middle of a reshard may not."""
    expected = 0
    for first, last in sorted(shard.hash_range for shard in shards if shard.is_open):
        if first != expected:
            return False
        expected = last + 1
    return expected == LAST_HASH_KEY + 1


def missing_leases(shards: Iterable[ShardInfo], leases: Mapping[str, Lease], initial: Checkpoint) -> list[Lease]:
    """The leases to create now, parents first.

    `initial` is where a stream is entered that has no leases yet: TRIM_HORIZON at the oldest listed shards, LATEST at
    the open ones. Below a shard that has a lease only the next level is created, from its beginning; the levels under
    it follow at its end. So does the child of a merge while the other parent has no lease, because that one's own
    parents are not finished: nothing would keep the child from being read before it.
    """
    listed = {shard.shard_id: shard for shard in shards}
    created: dict[str, Lease] = {}

    def parents_of(shard: ShardInfo) -> list[ShardInfo]:
        return [listed[parent] for parent in sorted(shard.parents) if parent in listed]

    def follows_a_lease(shard: ShardInfo) -> bool:
        return any(parent.shard_id in leases or follows_a_lease(parent) for parent in parents_of(shard))

    def demand(shard: ShardInfo) -> None:
        if shard.shard_id in leases or shard.shard_id in created:
            return
        parents = parents_of(shard)
        follows = follows_a_lease(shard)
        if not follows and (not parents or initial > TRIM_HORIZON):
            created[shard.shard_id] = lease_of(shard, initial)
            return
        for parent in parents:
            demand(parent)
        is_next = any(parent.shard_id in leases for parent in parents)
        if is_next and all(parent.shard_id in leases or parent.shard_id in created for parent in parents):
            created[shard.shard_id] = lease_of(shard, TRIM_HORIZON)

    for shard in sorted(listed.values(), key=lambda shard: shard.shard_id):
        if shard.is_open:
            demand(shard)
    return list(created.values())


def lease_of(shard: ShardInfo, checkpoint: Checkpoint) -> Lease:
    """A new lease, unowned."""
    return Lease(shard_id=shard.shard_id, checkpoint=checkpoint, parents=shard.parents, hash_range=shard.hash_range)


def is_readable(lease: Lease, leases: Mapping[str, Lease]) -> bool:
    """Whether the shard has something left to read and every parent that has a lease is finished."""
    if lease.checkpoint.rank is SHARD_END.rank:
        return False
    parents = (leases[parent] for parent in lease.parents if parent in leases)
    return all(parent.checkpoint.rank is SHARD_END.rank for parent in parents)
