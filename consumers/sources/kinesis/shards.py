"""Which leases a stream's shards ask for, which may be read (parents before children), and which may go. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import ShardInfo

LAST_HASH_KEY = 2**128 - 1
_SIGHTINGS = 3  # of the same hole: what a reshard opens for a moment is closed by then


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

    `initial` is where a stream is entered that has no leases yet: TRIM_HORIZON and AT_TIMESTAMP at the oldest listed
    shards, LATEST at the open ones. Below a shard that has a lease only the next level is created; the levels under it
    follow at its end. So does the child of a merge while the other parent has no lease, because that one's own parents
    are not finished: nothing would keep the child from being read before it.
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
        leased = [leases[parent.shard_id] for parent in parents if parent.shard_id in leases]
        if leased and all(parent.shard_id in leases or parent.shard_id in created for parent in parents):
            created[shard.shard_id] = lease_of(shard, start_below(leased))

    for shard in sorted(listed.values(), key=lambda shard: shard.shard_id):
        if shard.is_open:
            demand(shard)
    return list(created.values())


def start_below(parents: Collection[Lease]) -> Checkpoint:
    """Where a child is entered: at its beginning, so that the shards are read without a gap.

    Below a shard that waits for its time the child waits for the same time: it may have begun long before.
    """
    return next((lease.checkpoint for lease in parents if lease.checkpoint.rank is Rank.AT_TIMESTAMP), TRIM_HORIZON)


def lease_of(shard: ShardInfo, checkpoint: Checkpoint) -> Lease:
    """A new lease, unowned."""
    return Lease(shard_id=shard.shard_id, checkpoint=checkpoint, parents=shard.parents, hash_range=shard.hash_range)


def is_finished(lease: Lease) -> bool:
    """Whether the shard is read to its end."""
    return lease.checkpoint.rank is Rank.SHARD_END


def is_readable(lease: Lease, leases: Mapping[str, Lease]) -> bool:
    """Whether the shard has something left to read and every parent that has a lease is finished."""
    if is_finished(lease):
        return False
    return all(is_finished(leases[parent]) for parent in lease.parents if parent in leases)


def tidy_leases(leases: Mapping[str, Lease]) -> list[Lease]:
    """The finished leases that nobody needs any more, by KCL's rule.

    All their children have leases that are past their beginning, and no row of their own parents remains: the walk
    from an open shard up to the oldest one that has a lease finds the children, and never begins anew.
    """
    children = defaultdict[str, set[str]](set)
    for lease in leases.values():
        for parent in lease.parents:
            children[parent].add(lease.shard_id)
    return [
        lease
        for lease in leases.values()
        if is_finished(lease)
        and not any(parent in leases for parent in lease.parents)
        and (born := lease.children | children[lease.shard_id])
        and all(child in leases and leases[child].checkpoint > TRIM_HORIZON for child in born)
    ]


def first_hole(leases: Iterable[Lease]) -> tuple[int, int] | None:
    """The first hash keys that no unfinished lease covers, both ends included.

    A lease whose row has no hash range covers nothing: better a look at the stream too many than a shard unread.
    """
    covered = 0
    ranges = [lease.hash_range for lease in leases if lease.hash_range is not None and not is_finished(lease)]
    for first, last in sorted(ranges):
        if first > covered:
            return covered, first - 1
        covered = max(covered, last + 1)
    return None if covered > LAST_HASH_KEY else (covered, LAST_HASH_KEY)


class HoleWatch:
    """Says when a hole in the leases calls for a look at the stream's own list of shards.

    That is when the same one was seen three times in a row, `patience_s` from the first time to the third.
    """

    def __init__(self, patience_s: float) -> None:
        self._apart_s = patience_s / (_SIGHTINGS - 1)
        self._hole: tuple[int, int] | None = None
        self._times = 0
        self._next_s = 0.0  # monotonic

    def see(self, leases: Iterable[Lease], now_s: float) -> bool:
        """Take note of the table as just read."""
        if now_s < self._next_s:
            return False
        hole = first_hole(leases)
        if hole is None or hole != self._hole:
            self._times = 0
        self._hole = hole
        if hole is None:
            return False
        self._next_s = now_s + self._apart_s
        self._times += 1
        if self._times < _SIGHTINGS:
            return False
        self._times = 0
        return True
