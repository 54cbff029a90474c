"""Who should read what: a lease's expiry as one worker sees it, and the worker's fair share. No I/O."""

import math
import random
from collections import defaultdict
from collections.abc import Collection, Iterable

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
        if lease.owner is None:
            return True
        seen = self._seen.get(lease.shard_id)
        return seen is not None and seen[0] == lease.counter and now_s - seen[1] >= self._failover_s


def leases_to_take(
    leases: Collection[Lease],
    *,
    me: str,
    held: Collection[str],
    free: Collection[str],
    barred: Collection[str],
    rng: random.Random,
) -> list[Lease]:
    """The leases that worker `me` should take now.

    `leases` are the readable ones; `held`, `free` and `barred` are shard ids: mine, anybody's, and those that I may
    not take now. The share is ceil(leases / workers), a worker being an owner of a live lease. Free leases are taken
    at random; where none is free, one at a time is stolen from the worker that has most.
    """
    loads: dict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        if lease.shard_id in held:
            loads[me].append(lease)
        elif lease.owner is not None and lease.owner != me and lease.shard_id not in free:
            loads[lease.owner].append(lease)
    workers = len(loads.keys() | {me})
    share = 1 if workers >= len(leases) else math.ceil(len(leases) / workers)
    wanted = share - len(loads[me])
    if wanted <= 0:
        return []
    takeable = [lease for lease in leases if lease.shard_id in free and lease.shard_id not in {*held, *barred}]
    if takeable:
        return rng.sample(takeable, min(wanted, len(takeable)))
    others = [owned for owner, owned in loads.items() if owner != me]
    richest = max(others, key=len, default=[])
    excess = len(richest) - share
    stealable = [lease for lease in richest if lease.shard_id not in barred]
    return [rng.choice(stealable)] if stealable and (excess > 0 or (excess == 0 and wanted > 1)) else []
