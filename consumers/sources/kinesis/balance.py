"""Who should read what: a lease's expiry as one worker sees it, and the worker's fair share. No I/O."""

import math
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from consumers.sources.kinesis.leases import Lease


class Sightings:
    """When each lease's counter was last seen to change, by this worker's own monotonic clock (s).

    Clocks of other machines play no part. A lease seen for the first time counts as just renewed; an unowned one is
    free at once.
    """

    def __init__(self, failover_s: float) -> None:
        self._failover_s = failover_s
        self._seen: dict[str, tuple[int, float]] = {}  # shard id -> (counter, when it changed)

    def see(self, leases: Iterable[Lease], now_s: float) -> None:
        """Take note of the table as just read; leases that are gone are forgotten."""
        previous, self._seen = self._seen, {}
        for lease in leases:
            seen = previous.get(lease.shard_id)
            known = seen is not None and seen[0] == lease.counter
            self._seen[lease.shard_id] = seen if known and seen else (lease.counter, now_s)

    def is_free(self, lease: Lease, now_s: float) -> bool:
        """Whether anybody may take the lease."""
        return lease.owner is None or self._stands_still(lease, now_s, self._failover_s)

    def is_left_over(self, lease: Lease, now_s: float) -> bool:
        """Whether it is free for a whole failover time: those who lack a lease do not want it, or cannot."""
        wait_s = self._failover_s * (1 if lease.owner is None else 2)
        return self._stands_still(lease, now_s, wait_s)

    def next_expiry_s(self, leases: Iterable[Lease], now_s: float) -> float:
        """When the next of these leases runs out, of those that have stood still since an earlier look."""
        seen = [self._seen[lease.shard_id][1] for lease in leases if lease.owner is not None]
        return min((at_s for at_s in seen if at_s < now_s), default=math.inf) + self._failover_s

    def _stands_still(self, lease: Lease, now_s: float, wait_s: float) -> bool:
        seen = self._seen.get(lease.shard_id)
        return seen is not None and seen[0] == lease.counter and now_s - seen[1] >= wait_s


def leases_to_take(
    leases: Collection[Lease],
    *,
    me: str,
    held: Collection[str],
    free: Collection[str],
    barred: Collection[str],
    rng: random.Random,
    left_over: Collection[str] = (),
    most: int | None = None,
) -> list[Lease]:
    """The leases that worker `me` should take now.

    `leases` are the readable ones; `held`, `free`, `barred` and `left_over` are shard ids: mine, anybody's, those that
    I may not take now, and the free ones that nobody wants. The share is ceil(leases / workers), a worker being an
    owner of a live lease, and never above `most`. Free leases are taken at random. Where none is free, leases are
    stolen from whoever has most, and only while that is two more than mine: each such step makes loads more even, so
    that it ends, within one lease of each other.

    A worker that has its share takes one of those left over: others may be at their `most`.
    """
    loads = _loads(leases, me, held, free)
    workers = len(loads.keys() | {me})
    share = 1 if workers >= len(leases) else math.ceil(len(leases) / workers)
    mine = len(loads[me])
    room = len(leases) if most is None else max(0, most - mine)
    wanted = min(share - mine, room)
    takeable = [lease for lease in leases if lease.shard_id in free and lease.shard_id not in {*held, *barred}]
    if not takeable:
        others = {owner: owned for owner, owned in loads.items() if owner != me}
        return _stolen(others, mine, wanted, barred, rng)
    if wanted > 0:
        return rng.sample(takeable, min(wanted, len(takeable)))
    unwanted = [lease for lease in takeable if lease.shard_id in left_over]
    return [rng.choice(unwanted)] if unwanted and room else []


def first_steps(chosen: Sequence[Lease], held: int) -> list[Lease]:
    """Of what a worker has chosen, as much as it should take while it is new: it at most doubles what it has.

    Many workers that start at the same time do not see each other, and each would choose everything: the first would
    get it, and the others would steal it lease by lease. Owning one lease is how a worker shows itself; at its next
    look it knows how many there are, and their share.
    """
    return list(chosen[: max(1, held)])


def _loads(leases: Iterable[Lease], me: str, held: Collection[str], free: Collection[str]) -> dict[str, list[Lease]]:
    """The live leases by their owners."""
    loads: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        if lease.shard_id in held:
            loads[me].append(lease)
        elif lease.owner is not None and lease.owner != me and lease.shard_id not in free:
            loads[lease.owner].append(lease)
    return loads


def _stolen(
    others: Mapping[str, Collection[Lease]], mine: int, wanted: int, barred: Collection[str], rng: random.Random
) -> list[Lease]:
    loads = {owner: len(owned) for owner, owned in others.items()}
    stealable = {owner: [lease for lease in owned if lease.shard_id not in barred] for owner, owned in others.items()}
    stolen: list[Lease] = []
    while len(stolen) < wanted:
        victims = [owner for owner in sorted(loads) if stealable[owner]]
        most = max((loads[owner] for owner in victims), default=0)
        if most < mine + len(stolen) + 2:
            break
        victim = rng.choice([owner for owner in victims if loads[owner] == most])
        stolen.append(stealable[victim].pop(rng.randrange(len(stealable[victim]))))
        loads[victim] -= 1
    return stolen
