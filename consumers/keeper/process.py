"""The keeper as a process: duties beside each other under one lease, until told to stop."""

import logging
import random
import secrets
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from consumers.keeper.backlog import BucketChains
from consumers.keeper.cadence import Cadence, parse_cadence
from consumers.keeper.commit import CommitDuty
from consumers.keeper.conflicts import ConflictDuty
from consumers.keeper.duties import Attendance, Duty
from consumers.keeper.health import HEALTH_METRICS, HealthDuty, Live, Waiting
from consumers.keeper.lease import KeeperLease
from consumers.keeper.portions import Limits
from consumers.keeper.resend import ResendDuty
from consumers.keeper.settings import Keeper, KeeperSettings
from consumers.keeper.store import HistoryStore
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.conflicts import LakeContents
from consumers.lake.expiry import ExpiryDuty
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.letters.accepted import LakeStored
from consumers.letters.cases import Shelf
from consumers.letters.ledger import Ledger
from consumers.letters.outlets import outlet_of
from consumers.letters.sending import Sender
from consumers.reference.published import Published
from consumers.sinks.opensearch.conflicts import OpenSearchConflicts
from consumers.sinks.opensearch.connection import connect
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from consumers.warehouse.conflicts import WarehouseConflicts
from consumers.warehouse.store import WarehouseStore
from contract.health import OURS
from contract.reference import Kind
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.metrics import sink_of
from runtime.objects import Objects
from runtime.objects.s3 import S3Objects
from runtime.outage import Outage, Trouble, wait_at_start
from runtime.settings import masked

_log = logging.getLogger(__name__)

_MIB = 1 << 20
_LEASE_S = 0.5  # between two looks at the lease: a successor begins within 2 s of a clean stop
_EXPIRY_S = 600.0
_CONNECTIONS = 32
_LOOK_MIB = 256  # of DuckDB, for what the lake has accepted of a few lines

Scheduled = tuple[Duty, Cadence]


def run_keeper(settings: KeeperSettings, stop: threading.Event, *, effect: Effect = no_effect) -> None:
    """Commit manifests to lake and warehouse until `stop` is set; what is under way then is finished.

    A store that is away is waited for, and the other goes on. Raises ConfigError for what the operator has to change:
    at the start, or where no duty can begin.
    """
    keeper, zone, clock = settings.keeper, settings.shop.zone(), SystemClock()
    lake_cadence = parse_cadence(keeper.lake_cadence, zone, "[keeper] lake_cadence")
    conflicts_cadence = parse_cadence(keeper.conflicts_cadence, zone, "[keeper] conflicts_cadence")
    warehouse_cadence = parse_cadence(keeper.warehouse_cadence, zone, "[keeper] warehouse_cadence")
    objects = S3Objects(client("s3", settings.aws, connections=_CONNECTIONS), settings.lake.bucket)
    lake = LakeStore(LakeCatalogue(settings.aws, effect), settings.lake)
    warehouse = WarehouseStore(
        settings.warehouse, bucket=settings.lake.bucket, objects=objects, clock=clock, effect=effect
    )
    taking = [commit_duty(store, objects, keeper, clock, effect) for store in (lake, warehouse)]
    duties: list[Scheduled] = [
        *zip(taking, (lake_cadence, warehouse_cadence), strict=True),
        (ExpiryDuty(lake, keep_h=keeper.lake_snapshots_h, clock=clock, effect=effect), Cadence.always(_EXPIRY_S)),
        (
            ConflictDuty(WarehouseConflicts(settings.warehouse, effect=effect), LakeContents(lake), clock),
            conflicts_cadence,
        ),
        (
            ConflictDuty(OpenSearchConflicts(connect(settings.opensearch), clock, effect), LakeContents(lake), clock),
            conflicts_cadence,
        ),
    ]
    if settings.reference.bucket:
        duties.append((resend_duty(settings, objects, stop, clock, effect), Cadence.always(keeper.resend_s)))
    sink = sink_of(settings.metrics, settings.aws, OURS, HEALTH_METRICS)
    if sink is not None:
        live = Live(connect(settings.opensearch))
        waiting = Waiting(BucketChains(objects), _applications(keeper), taking)
        minute = Cadence.always(settings.metrics.every_s)
        duties.append((HealthDuty("health of live", live, sink, clock), minute))
        duties.append((HealthDuty("health of history", waiting, sink, clock), minute))
    lease = lease_of(settings, clock)
    if await_services(lease, objects, settings, stop, clock):
        keep(duties, lease, stop, keeper.report_s, clock)


def commit_duty(store: HistoryStore, objects: Objects, keeper: Keeper, clock: Clock, effect: Effect) -> CommitDuty:
    """The duty that fills `store`. Raises ConfigError for an empty list of applications."""
    applications = _applications(keeper)
    if not applications:
        raise ConfigError(
            "[keeper] applications is empty: name cold's applications, such as storepulse-cold-transactions"
        )
    return CommitDuty(
        store=store,
        chains=BucketChains(objects),
        applications=applications,
        limits=Limits(manifests=keeper.round_manifests, bytes=keeper.round_mib * _MIB, of_shard=keeper.round_of_shard),
        clock=clock,
        effect=effect,
    )


def resend_duty(
    settings: KeeperSettings, objects: Objects, stop: threading.Event, clock: Clock, effect: Effect
) -> ResendDuty:
    """The duty that sends letters again. Raises ConfigError."""
    s3, keeper = client("s3", settings.aws, connections=_CONNECTIONS), settings.keeper
    restricted = S3Objects(s3, settings.lake.restricted_bucket)
    bucket = S3Objects(s3, settings.reference.bucket, setting="[reference] bucket")
    ledger = Ledger(restricted)
    shelf = Shelf(
        lake=objects,
        restricted=restricted,
        applications=_applications(keeper),
        access_stream=settings.streams.access,
    )
    sender = Sender(
        ledger,
        lambda kind: outlet_of(kind, settings.streams, settings.aws, settings.kafka),
        by="keeper",
        per_s=keeper.resend_rate,
        clock=clock,
        rng=random.Random(),
        stop=stop,
        effect=effect,
    )
    kinds: tuple[Kind, ...] = ("catalogue", "customers")
    lake = LakeStore(LakeCatalogue(settings.aws, effect), settings.lake)
    return ResendDuty(
        shelf,
        ledger,
        LakeStored(LakeReader(lake, memory_mib=_LOOK_MIB)),
        sender,
        [Published(bucket, kind) for kind in kinds],
        ready=lake.prepare,
        first_wait_s=keeper.resend_wait_s,
        grace_h=keeper.resend_grace_h,
        clock=clock,
    )


def _applications(keeper: Keeper) -> list[str]:
    return [name.strip() for name in keeper.applications.split(",") if name.strip()]


def lease_of(settings: KeeperSettings, clock: Clock) -> KeeperLease:
    """This process's view of the lease."""
    keeper = settings.keeper
    # A write that hangs must leave time for another one before the lease runs out.
    dynamodb = client("dynamodb", settings.aws, read_timeout_s=keeper.failover_s / 3)
    return KeeperLease(
        DynamoDbLeaseTable(dynamodb, keeper.lease_table),
        owner=f"{keeper.name or socket.gethostname()}-{secrets.token_hex(4)}",
        failover_s=keeper.failover_s,
        clock=clock,
    )


def await_services(
    lease: KeeperLease, objects: S3Objects, settings: KeeperSettings, stop: threading.Event, clock: Clock
) -> bool:
    """Wait for what every duty needs. False if `stop` came first. Raises ConfigError after `start_patience_s`."""

    def begin() -> None:
        lease.ensure()
        objects.check()

    return wait_at_start(
        begin,
        stop,
        trouble=Trouble("keeper", clock),
        patience_s=settings.keeper.start_patience_s,
        advice="start the service (a local one: `make up`), or change"
        f" [aws] endpoint {masked(settings.aws.endpoint) or 'of AWS'}; [keeper] start_patience_s waits longer",
        clock=clock,
        rng=random.Random(),
    )


def keep(duties: Sequence[Scheduled], lease: KeeperLease, stop: threading.Event, report_s: float, clock: Clock) -> None:
    """Attend the lease, each duty in a thread of its own, until `stop` is set. Raises ConfigError: see `run_keeper`."""
    halt = threading.Event()
    attendances = [Attendance(duty, cadence, lease.check, clock, random.Random()) for duty, cadence in duties]
    threads = [threading.Thread(target=each.run, args=(halt,), name=each.duty.name) for each in attendances]
    trouble = Trouble("the keeper's lease", clock)
    for thread in threads:
        thread.start()
    report_at_s = clock.monotonic() + report_s
    try:
        while not stop.is_set():
            _attend(lease, trouble)
            _refuse(attendances)
            if clock.monotonic() >= report_at_s:
                report_at_s += report_s
                _report(duties)
            stop.wait(_LEASE_S)
    finally:
        halt.set()
        for thread in threads:
            while thread.is_alive():
                thread.join(_LEASE_S)
                with suppress(ConfigError):  # the lease runs out then; what is under way may be finished all the same
                    _attend(lease, trouble)
        _give_back(lease)
        _report(duties)


def _attend(lease: KeeperLease, trouble: Trouble) -> None:
    try:
        lease.attend()
    except Outage as outage:
        trouble.goes_on(str(outage))
    else:
        trouble.over()


def _give_back(lease: KeeperLease) -> None:
    try:
        lease.release()
    except (Outage, ConfigError) as error:
        _log.warning("the keeper's lease is not given back and expires: %s", error)


def _refuse(attendances: Sequence[Attendance]) -> None:
    """Raises ConfigError where no duty has ever begun, for what only the operator can change."""
    refused = [each.refused for each in attendances]
    if all(refused):
        raise refused[0] or ConfigError("no duties")


def _report(duties: Sequence[Scheduled]) -> None:
    for duty, _ in duties:
        line = duty.report()
        if line:
            _log.info("%s", line)
