"""One worker's part in the fleet: finds shards, takes its share of the leases, keeps them. No thread of its own."""

import logging
import random
import threading
from collections.abc import Collection

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.balance import Sightings, first_steps, leases_to_take
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.pace import Pace
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import (
    HoleWatch,
    is_complete,
    is_finished,
    is_readable,
    missing_leases,
    tidy_leases,
)
from consumers.sources.kinesis.states import OURS, State
from consumers.sources.kinesis.stream import ShardInfo, Stream
from consumers.sources.kinesis.table import LeaseTable, TableGone
from consumers.sources.kinesis.tenure import Tenure
from runtime.clock import Clock
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)

# Leases that are created before the table is read again: 64 workers that meet an empty table for 512 shards would each
# try all of them otherwise.
_CREATED_A_LOOK = 32


class Worker:
    """`scan` is called by one thread, `due` and `keep` (or `renew`) by others, `release` by any.

    What it costs at rest, by the defaults: 18 writes a minute for a lease whose shard is idle and 30 for one that is
    read and checkpointed every 2 s (a checkpoint renews, and is not followed by a renewal); reads as `Pace` says; no
    call of Kinesis's at all.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        stream: Stream,
        table: LeaseTable,
        settings: KinesisSourceSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.worker_id = worker_id
        self._stream = stream
        self._table = table
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._sightings = Sightings(settings.failover_s)
        self._holes = HoleWatch(settings.discover_s)
        self._pace = Pace(
            scan_s=settings.scan_s, failover_s=settings.failover_s, units_s=settings.read_units_s, rng=rng
        )
        self._tenures: dict[str, Tenure] = {}  # by shard id; replaced whole under the lock, read without it
        self._replacing = threading.Lock()
        self._unread: list[Tenure] = []  # held, and not yet handed to whoever reads
        self._unanswered: dict[str, tuple[Lease, float]] = {}  # takes: the lease as seen before, when they began
        self._leases: dict[str, Lease] = {}  # the table as last read
        self._is_new = True  # it has not yet had what it chose
        self._discover_now = False  # a shard has ended
        self._tidy_at_s = 0.0  # monotonic
        self._renewing = Trouble(f"renewing the leases of {worker_id}", clock)

    @property
    def leases(self) -> list[Lease]:
        """The table as last read, in the order of the shards."""
        return sorted(self._leases.values(), key=lambda lease: lease.shard_id)

    def start(self) -> None:
        """Create the table, and the leases of a stream that has none. Raises ConfigError, Outage (repeat it)."""
        self._settings.entry(self._clock.now())
        shards = self._stream.shards()  # first: a stream that is not there leaves no table behind
        self._table.vet()
        self._table.ensure()
        self._leases = {lease.shard_id: lease for lease in self._table.read_all()}
        self._create_leases(shards)
        self._tidy_at_s = self._clock.monotonic() + self._settings.discover_s * self._rng.uniform(0.5, 1.5)

    def discover(self) -> None:
        """Create the leases that the stream's shards ask for; more than one worker may do so. Raises Outage."""
        self._create_leases(self._stream.shards())

    def _create_leases(self, shards: list[ShardInfo]) -> None:
        if not is_complete(shards):
            log.warning("%s: its open shards do not cover all hash keys; listing again later", self._stream.name)
            return
        missing = missing_leases(shards, self._leases, self._settings.entry(self._clock.now()))
        while missing:
            for lease in self._some(missing):
                if self._table.create(lease):
                    log.info("the lease of %s is there, at %s", lease.shard_id, lease.checkpoint.text)
                missing.remove(lease)
            if missing:
                known = {lease.shard_id for lease in self._table.read_all()}
                missing = [lease for lease in missing if lease.shard_id not in known]

    def _some(self, missing: list[Lease]) -> list[Lease]:
        """What to create before the next look at what others have created: at random, and parents first."""
        unborn = {lease.shard_id for lease in missing}
        oldest = [lease for lease in missing if not lease.parents & unborn]
        return self._rng.sample(oldest, min(len(oldest), _CREATED_A_LOOK))

    def scan(self, barred: Collection[str]) -> list[Tenure]:
        """Look at the table and take what is missing to our share, but none of `barred`. Raises Outage, ConfigError.

        To be called every `scan_s`; where the table is large, not every call looks.
        """
        if not self._pace.is_due(self._clock.monotonic()) and not self._is_called():
            return []
        leases = self._look()
        if self._discover_now or self._holes.see(leases, self._clock.monotonic()):
            self.discover()
            self._discover_now = False
            leases = self._look()
        self._tidy()
        now_s = self._clock.monotonic()
        self._sightings.see(leases, now_s)
        self._adopt(barred)
        chosen = self._choose(leases, now_s, barred)
        self._pace.looked(
            now_s,
            rows=len(leases),
            workers=len({self.worker_id, *(lease.owner for lease in leases if lease.owner)}),
            is_settled=not chosen,
            expiry_s=self._sightings.next_expiry_s(self._foreign(leases), now_s),
        )
        self._take_all(chosen)
        taken, self._unread = self._unread, []
        return taken

    def _is_called(self) -> bool:
        bell = self._bell()
        return bell is not None and self._pace.hears(self._table.rings(bell))

    def _bell(self) -> str | None:
        """The row that all look at: the first shard that is not finished."""
        return min((lease.shard_id for lease in self._leases.values() if not is_finished(lease)), default=None)

    def _look(self) -> list[Lease]:
        leases = self._read_all()
        self._leases = {lease.shard_id: lease for lease in leases}
        for shard_id, tenure in self._tenures.items():
            if shard_id in self._leases:
                tenure.compare(self._leases[shard_id])
        return leases

    def _choose(self, leases: list[Lease], now_s: float, barred: Collection[str]) -> list[Lease]:
        # One that has run out counts until its reader is gone: after a pause a worker steals no others in its place.
        held = {shard_id for shard_id, tenure in self._tenures.items() if tenure.state is not State.LOST}
        free = {lease.shard_id for lease in leases if self._sightings.is_free(lease, now_s)}
        chosen = leases_to_take(
            [lease for lease in leases if is_readable(lease, self._leases)],
            me=self.worker_id,
            held=held,
            free=free,
            barred=barred,
            left_over={lease.shard_id for lease in leases if self._sightings.is_left_over(lease, now_s)},
            most=self._settings.max_leases or None,
            rng=self._rng,
        )
        if not self._is_new:
            return chosen
        steps = first_steps(chosen, len(held))
        self._is_new = len(steps) < len(chosen) or not leases
        return steps

    def _foreign(self, leases: list[Lease]) -> list[Lease]:
        return [lease for lease in leases if lease.owner != self.worker_id and not is_finished(lease)]

    def _tidy(self) -> None:
        """Now and then: look for workers that must not share the table, and delete what nobody needs any more."""
        now_s = self._clock.monotonic()
        if now_s < self._tidy_at_s:
            return
        # Spread, so that of many workers one finds the work and the others find it done.
        self._tidy_at_s = now_s + self._settings.discover_s * self._rng.uniform(0.5, 1.5)
        self._table.vet()
        for lease in tidy_leases(self._leases):
            self._table.remove(lease)
            log.info("removed the lease of %s, which is finished and followed", lease.shard_id)

    def _read_all(self) -> list[Lease]:
        """The table; where it is gone, made again with what was last read: what was durable then, is."""
        try:
            return self._table.read_all()
        except TableGone as gone:
            log.error("%s: made again, with the leases and checkpoints that this worker read last", gone)
            self._table.ensure()
            for lease in self._leases.values():
                self._table.create(lease)
            return self._table.read_all()

    def due(self) -> list[Tenure]:
        """What is ours and was not written lately; to be asked every sixth of the failover time, or more often."""
        lately_s = self._settings.failover_s / 4
        return [tenure for tenure in self._tenures.values() if tenure.idle_s >= lately_s and tenure.state in OURS]

    def keep(self, tenure: Tenure) -> None:
        """Renew one lease. May be called for several at the same time: a write that hangs costs its own lease only."""
        try:
            tenure.renew()
        except LeaseLost:
            return  # its reader meets the same at its next step
        except Outage as outage:
            self._renewing.goes_on(str(outage))
        else:
            self._renewing.over()

    def renew(self) -> None:
        """Renew every lease that is due, one after the other."""
        for tenure in self.due():
            self.keep(tenure)

    def release(self, tenure: Tenure) -> None:
        """Reading is over: give the lease back if it is still ours."""
        self._discover_now = self._discover_now or tenure.state is State.ENDED
        with self._replacing:
            self._tenures = {shard_id: held for shard_id, held in self._tenures.items() if held is not tenure}
        try:
            tenure.evict()
            self._ring()
        except LeaseLost:
            return
        except Outage as outage:
            log.warning("%s is not given back and expires: %s", tenure.lease.shard_id, outage)

    def _ring(self) -> None:
        """Let the others look now, where they look rarely."""
        bell = self._bell()
        if self._pace.is_slow and bell is not None:
            try:
                self._table.ring(bell)
            except Outage as outage:
                log.warning("the others learn at their next look that there is something to take: %s", outage)

    def _take_all(self, chosen: list[Lease]) -> None:
        for lease in chosen:
            try:
                self._take(lease)
            except Outage as outage:
                if not self._unread:
                    raise
                log.warning("not all of %d leases were taken: %s", len(chosen), outage)
                return

    def _take(self, lease: Lease) -> None:
        started_s = self._clock.monotonic()
        self._unanswered[lease.shard_id] = (lease, started_s)
        try:
            row = self._table.take(lease, self.worker_id)
        except LeaseLost:
            del self._unanswered[lease.shard_id]
            return  # somebody was faster
        del self._unanswered[lease.shard_id]
        log.info("took %s from %s at %s", lease.shard_id, lease.owner or "nobody", lease.checkpoint.text)
        self._hold(row, started_s)

    def _adopt(self, barred: Collection[str]) -> None:
        """Leases whose take had landed, though its answer was lost."""
        for shard_id, (lease, started_s) in list(self._unanswered.items()):
            row = self._leases.get(shard_id)
            in_time = self._clock.monotonic() - started_s < self._settings.failover_s
            if row is None or not in_time or row.counter not in (lease.counter, lease.counter + 1):
                del self._unanswered[shard_id]
            elif row.counter > lease.counter and shard_id not in {*barred, *self._tenures}:
                del self._unanswered[shard_id]
                if row.owner == self.worker_id:
                    log.info("%s was taken, though the answer was lost", shard_id)
                    self._hold(row, started_s)

    def _hold(self, row: Lease, started_s: float) -> None:
        """At once, not at the end of the scan: it is renewed while other takes are under way."""
        tenure = Tenure(row, self._table, self._clock, failover_s=self._settings.failover_s, taken_at_s=started_s)
        self._unread.append(tenure)
        with self._replacing:
            self._tenures = {**self._tenures, row.shard_id: tenure}
