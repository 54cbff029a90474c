"""Waiting until workers have settled what they hold, and released it."""

from collections import Counter
from dataclasses import dataclass

from consumers.fleet.applications import Application
from consumers.fleet.wishes import EVERYONE, Wishes
from consumers.sources.kinesis.balance import Sightings
from consumers.sources.kinesis.checkpoints import SHARD_END
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.table import LeaseTable
from runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one application is."""

    application: str
    held: dict[str, int]  # shards by worker that lives, of those told to stand by
    ran_out: dict[str, int]  # and by worker that is gone without having released them
    is_done: bool


class Drain:
    """Of one application, or of one worker of it. `look` is called every second or so."""

    def __init__(
        self, application: Application, table: LeaseTable, wishes: Wishes, clock: Clock, *, who: str, look_s: float
    ) -> None:
        """`who`: a worker's id, or EVERYONE. `look_s`: how often workers look for wishes."""
        self._application = application
        self._table = table
        self._wishes = wishes
        self._clock = clock
        self._who = who
        self._look_s = look_s
        self._sightings = Sightings(application.fleet.failover_s)
        self._wished_at_s: float | None = None

    def look(self) -> Progress:
        """Wish, and see who still holds what. Raises Outage, TableGone.

        A worker that holds nothing cannot be seen, and takes what is released until it has seen the wish: it is over
        once nothing is held and every worker has had the time to look.
        """
        self._wishes.add(self._who)
        now_s = self._clock.monotonic()
        self._wished_at_s = now_s if self._wished_at_s is None else self._wished_at_s
        leases = self._table.read_all()
        self._sightings.see(leases, now_s)
        asked = [lease for lease in leases if self._is_asked(lease)]
        ran_out = [lease for lease in asked if self._sightings.is_free(lease, now_s)]
        held = Counter(lease.owner or "" for lease in asked if lease not in ran_out)
        has_been_seen = now_s - self._wished_at_s > self._look_s + self._application.fleet.scan_s
        return Progress(
            application=self._application.name,
            held=dict(sorted(held.items())),
            ran_out=dict(sorted(Counter(lease.owner or "" for lease in ran_out).items())),
            is_done=not held and has_been_seen,
        )

    def _is_asked(self, lease: Lease) -> bool:
        if lease.owner is None or lease.checkpoint.rank is SHARD_END.rank:
            return False
        return self._who in (EVERYONE, lease.owner)
