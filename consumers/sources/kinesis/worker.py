"""One worker's part in the fleet: finds shards, takes its share of the leases, keeps them. No thread of its own."""

import logging
import random
import threading
from collections.abc import Collection

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.balance import Sightings, leases_to_take
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import is_complete, is_readable, missing_leases
from consumers.sources.kinesis.stream import ShardInfo, Stream
from consumers.sources.kinesis.table import LeaseTable, TableGone
from consumers.sources.kinesis.tenure import Tenure
from runtime.clock import Clock
from runtime.outage import Outage, Trouble

log = logging.getLogger(__name__)


class Worker:
    """`scan` is called by one thread, `renew` by another, `release` by any."""

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
        self._tenures: dict[str, Tenure] = {}  # by shard id; replaced whole under the lock, read without it
        self._replacing = threading.Lock()
        self._leases: dict[str, Lease] = {}  # the table as last read
        self._discover_at_s = 0.0
        self._renewing = Trouble(f"renewing the leases of {worker_id}", clock)

    @property
    def leases(self) -> list[Lease]:
        """The table as last read."""
        return list(self._leases.values())

    def start(self) -> None:
        """Create the table, and the leases of a stream that has none. Raises ConfigError, Outage (repeat it)."""
        shards = self._stream.shards()  # first: a stream that is not there leaves no table behind
        self._table.ensure()
        self._leases = {lease.shard_id: lease for lease in self._table.read_all()}
        self._create_leases(shards)

    def discover(self) -> None:
        """Create the leases that the stream's shards ask for; more than one worker may do so. Raises Outage."""
        self._create_leases(self._stream.shards())

    def _create_leases(self, shards: list[ShardInfo]) -> None:
        self._discover_at_s = self._clock.monotonic() + self._settings.discover_s
        if not is_complete(shards):
            log.warning("%s: its open shards do not cover all hash keys; listing again later", self._stream.name)
            return
        initial = Checkpoint.parse(self._settings.initial_position)
        for lease in missing_leases(shards, self._leases, initial):
            if self._table.create(lease):
                log.info("created the lease of %s at %s", lease.shard_id, lease.checkpoint.text)

    def scan(self, barred: Collection[str]) -> list[Tenure]:
        """Look at the table and take what is missing to our share, but none of `barred`. Raises Outage."""
        if self._clock.monotonic() >= self._discover_at_s:
            self.discover()
        leases = self._read_all()
        self._leases = {lease.shard_id: lease for lease in leases}
        for shard_id, held in self._tenures.items():
            if shard_id in self._leases:
                held.compare(self._leases[shard_id])
        now_s = self._clock.monotonic()
        self._sightings.see(leases, now_s)
        chosen = leases_to_take(
            [lease for lease in leases if is_readable(lease, self._leases)],
            me=self.worker_id,
            held=self._tenures,
            free={lease.shard_id for lease in leases if self._sightings.is_free(lease, now_s)},
            barred=barred,
            rng=self._rng,
        )
        taken = [tenure for lease in chosen if (tenure := self._take(lease))]
        with self._replacing:
            self._tenures = {**self._tenures, **{tenure.lease.shard_id: tenure for tenure in taken}}
        return taken

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

    def renew(self) -> None:
        """Renew every lease that we hold; to be called every third of the failover time."""
        for tenure in self._tenures.values():
            try:
                tenure.renew()
            except LeaseLost:
                continue  # its reader meets the same at its next step
            except Outage as outage:
                self._renewing.goes_on(str(outage))
            else:
                self._renewing.over()

    def release(self, tenure: Tenure) -> None:
        """Reading is over: give the lease back if it is still ours."""
        with self._replacing:
            self._tenures = {shard_id: held for shard_id, held in self._tenures.items() if held is not tenure}
        try:
            tenure.evict()
        except LeaseLost:
            return
        except Outage as outage:
            log.warning("%s is not given back and expires: %s", tenure.lease.shard_id, outage)

    def _take(self, lease: Lease) -> Tenure | None:
        started_s = self._clock.monotonic()
        try:
            taken = self._table.take(lease, self.worker_id)
        except LeaseLost:
            return None  # somebody was faster
        log.info("took %s from %s at %s", lease.shard_id, lease.owner or "nobody", lease.checkpoint.text)
        return Tenure(taken, self._table, self._clock, failover_s=self._settings.failover_s, taken_at_s=started_s)
