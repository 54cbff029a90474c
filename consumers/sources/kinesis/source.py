"""The Kinesis fleet as a source: one thread a shard, one that renews, one that looks for leases."""

import logging
import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from consumers.delivery import LeaseLost, Path, Position, Shard, ShardEnded, Trimmed
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.fan_out import FanOuts
from consumers.sources.kinesis.intake import Intakes
from consumers.sources.kinesis.polling import Polls
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.renewals import Renewals
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import KinesisStream, Stream
from consumers.sources.kinesis.subscriptions import KinesisConsumer
from consumers.sources.kinesis.table import DynamoDbLeaseTable, LeaseTable
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.worker import Worker
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble, wait_at_start
from runtime.settings import Aws

log = logging.getLogger(__name__)

_CONNECTIONS = 64  # shards that one worker reads at the same time without waiting for a connection
_RENEWING = 16  # leases at the same time: a thousand take two seconds, and fifteen writes may hang
_GIVEN_UP_S = 5.0  # after which a mute subscription's thread ends by itself at the latest
_READ_S = 10.0  # of an answer that does not come: a stop waits no longer for it


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatus:
    """What this worker knows of one shard. Positions and lag are None for a shard that it does not read."""

    shard_id: str
    owner: str | None
    taken: Position | None = None  # last record that the path accepted
    durable: Position | None  # last record whose effects are durable
    millis_behind: int | None = None  # of the last answer; stands still while the path holds a batch back


class KinesisSource:
    """Reads a stream together with all workers that share its lease table.

    A shard whose path fails is given up without a checkpoint and tried again, by this worker after a cool-down; the
    other shards are read on. ConfigError ends the run.
    """

    def __init__(
        self,
        *,
        stream: Stream,
        table: LeaseTable,
        settings: KinesisSourceSettings,
        clock: Clock,
        rng: random.Random,
        section: str = "fleet",
        intakes: Intakes | None = None,
    ) -> None:
        """`section` is where an operator finds `settings`. `intakes` None: readers poll `stream` by themselves."""
        worker_id = f"{settings.worker_name}-{secrets.token_hex(4)}"
        self._stream = stream
        self._settings = settings
        self._section = section
        self._intakes = intakes
        self._clock = clock
        self._rng = rng
        self._worker = Worker(worker_id=worker_id, stream=stream, table=table, settings=settings, clock=clock, rng=rng)
        self._scanning = Trouble(f"worker {worker_id}", clock)
        self._threads: dict[str, threading.Thread] = {}  # by shard id
        self._readers: dict[str, ShardReader] = {}  # by shard id
        self._bells: dict[str, threading.Event] = {}  # by shard id: ends a reader's wait for news
        self._cooling: dict[str, float] = {}  # shard id -> monotonic time from which it may be taken again
        self._giving_up = threading.Lock()
        self._fatal: Exception | None = None
        self._halt = threading.Event()  # every reader ends in good order
        self.failures = 0  # shards given up because of their path

    @property
    def worker_id(self) -> str:
        """Its name in the lease table, which no other run has."""
        return self._worker.worker_id

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        """Read until `stop` is set, then settle, checkpoint and release. May be called once.

        Raises ConfigError where the stream or the table cannot be used, or is still away `start_patience_s` after the
        start, and whatever ends the worker for good.
        """
        if not self._start(stop):
            return
        renewed_enough = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(renewed_enough,), name="renew")
        renewer.start()
        try:
            while not stop.is_set() and self._fatal is None:
                self._scan(open_path)
                stop.wait(self._settings.scan_s)
        finally:
            self._halt.set()
            for bell in list(self._bells.values()):
                bell.set()
            for thread in list(self._threads.values()):
                thread.join()
            renewed_enough.set()
            renewer.join()
        if self._fatal is not None:
            raise self._fatal

    def _start(self, stop: threading.Event) -> bool:
        return wait_at_start(
            self._prepare,
            stop,
            trouble=self._scanning,
            patience_s=self._settings.start_patience_s,
            advice="start the service (a local one: `make up`), or change [aws] kinesis_endpoint (Kinesis) or endpoint"
            f" (DynamoDB); [{self._section}] start_patience_s waits longer",
            clock=self._clock,
            rng=self._rng,
        )

    def _prepare(self) -> None:
        self._worker.start()
        if self._intakes is not None:
            self._intakes.prepare()

    def status(self) -> list[ShardStatus]:
        """Every shard of the lease table, ours with their positions. Safe from any thread."""
        return [
            self._status_of(lease.shard_id, lease.owner, lease.checkpoint.position) for lease in self._worker.leases
        ]

    def _status_of(self, shard_id: str, owner: str | None, durable: Position | None) -> ShardStatus:
        reader = self._readers.get(shard_id)
        if reader is None:
            return ShardStatus(shard_id=shard_id, owner=owner, durable=durable)
        return ShardStatus(
            shard_id=shard_id,
            owner=self._worker.worker_id,
            taken=reader.taken,
            durable=reader.durable,
            millis_behind=reader.millis_behind,
        )

    def _scan(self, open_path: Callable[[Shard], Path]) -> None:
        now_s = self._clock.monotonic()
        self._threads = {shard_id: thread for shard_id, thread in self._threads.items() if thread.is_alive()}
        with self._giving_up:
            self._cooling = {shard_id: until_s for shard_id, until_s in self._cooling.items() if until_s > now_s}
            barred = {*self._cooling, *self._threads}
        try:
            # A shard whose last reader still winds down is barred: one path a shard at a time.
            for tenure in self._worker.scan(barred):
                shard_id = tenure.lease.shard_id
                thread = threading.Thread(target=self._read, args=(tenure, open_path), name=f"read {shard_id}")
                self._threads[shard_id] = thread
                thread.start()
        except Outage as outage:
            self._scanning.goes_on(str(outage))
        else:
            self._scanning.over()

    def _renew(self, enough: threading.Event) -> None:
        renewals = Renewals(self._worker.keep, most=_RENEWING)
        try:
            while not enough.wait(self._settings.failover_s / 6):  # twice as often as a lease is due
                renewals.offer(self._worker.due())
                if renewals.error is not None:
                    self._fatal = renewals.error
                    return
        finally:
            renewals.close()

    def _read(self, tenure: Tenure, open_path: Callable[[Shard], Path]) -> None:
        shard_id = tenure.lease.shard_id
        try:
            self._read_on(tenure, open_path)
        except LeaseLost as lost:
            log.warning("stopped reading without a checkpoint: %s", lost)
        except ShardEnded as ended:
            log.info("%s", ended)
        except Trimmed as gap:
            self._give_up(shard_id)
            log.error(
                '%s/%s is not read, records may be lost: %s; set [%s] after_trim = "read_on" to accept the gap',
                self._stream.name,
                shard_id,
                gap,
                self._section,
            )
        except ConfigError as error:
            self._fatal = error
        except Exception:  # the path's own: nothing was promised, the shard starts again from its checkpoint
            self._give_up(shard_id)
            log.exception("%s is given up for %.0f s", shard_id, self._settings.cool_down_s)
        finally:
            self._readers.pop(shard_id, None)
            self._worker.release(tenure)

    def _read_on(self, tenure: Tenure, open_path: Callable[[Shard], Path]) -> None:
        shard = Shard(stream=self._stream.name, shard_id=tenure.lease.shard_id)
        bell = self._bells[shard.shard_id] = threading.Event()
        opened = self._intakes
        reader = ShardReader(
            shard=shard,
            stream=self._stream,
            tenure=tenure,
            path=open_path(shard),
            settings=self._settings,
            clock=self._clock,
            rng=self._rng,
            intake=opened.open(shard.shard_id, tenure.lease.hash_range, bell.set) if opened else None,
        )
        self._readers[shard.shard_id] = reader
        try:
            while not self._halt.is_set():
                wait_s = reader.step()
                (bell if reader.waits_for_news else self._halt).wait(wait_s)
                bell.clear()
            reader.finish()
        finally:
            self._bells.pop(shard.shard_id)
            reader.close()

    def _give_up(self, shard_id: str) -> None:
        with self._giving_up:
            self.failures += 1
            self._cooling[shard_id] = self._clock.monotonic() + self._settings.cool_down_s


def kinesis_source(
    *,
    aws: Aws,
    stream: str,
    application: str,
    settings: KinesisSourceSettings,
    section: str = "fleet",
    reading: KinesisReadingSettings | None = None,
    allowance: Allowance | None = None,
) -> KinesisSource:
    """The source of `application` (the lease table's name) on the real services. Raises nothing: see `run`.

    `allowance` None: the stream's own, of `reading`'s size.
    """
    reading = reading or KinesisReadingSettings()
    allowance = allowance or Allowance(reading.memory_mib << 20)
    # A write that hangs is tried again while its lease is still good.
    dynamodb = client("dynamodb", aws, connections=_CONNECTIONS, read_timeout_s=max(1.0, settings.failover_s / 6))
    polled = KinesisStream(client("kinesis", aws, attempts=1, connections=_CONNECTIONS, read_timeout_s=_READ_S), stream)
    clock, rng = SystemClock(), random.Random()
    intakes: Intakes
    if reading.mode == "fan_out":
        heard = client(
            "kinesis", aws, attempts=1, connections=_CONNECTIONS, read_timeout_s=reading.mute_s + _GIVEN_UP_S
        )
        consumer = KinesisConsumer(heard, stream, reading.consumer or application)
        intakes = FanOuts(consumer, allowance, mute_s=reading.mute_s, look_s=settings.poll_s, clock=clock, rng=rng)
    else:
        intakes = Polls(polled, allowance, poll_s=settings.poll_s, clock=clock, rng=rng)
    return KinesisSource(
        stream=polled,
        table=DynamoDbLeaseTable(dynamodb, application),
        settings=settings,
        clock=clock,
        rng=rng,
        section=section,
        intakes=intakes,
    )
