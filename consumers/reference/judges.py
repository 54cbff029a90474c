"""The judges of both streams, and what keeps them up to date."""

import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol

from consumers.keys.places import place_of
from consumers.keys.ring import KeyRing
from consumers.reference.in_force import SnapshotReference
from consumers.reference.polling import Watched, polling
from consumers.settings import Identity
from consumers.stages.access.judge import AccessJudge
from consumers.stages.access.settings import Access
from consumers.stages.access.site import load_site
from consumers.stages.facts import Fixed, InForce
from consumers.stages.orders import OrderJudge
from consumers.stages.rows import Shop as ShopThroughTime
from consumers.stages.rules import Rules, thresholds_of
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.objects.s3 import S3Objects
from runtime.outage import Stop, Trouble, wait_at_start
from runtime.settings import Aws, Reference, Shop

_log = logging.getLogger(__name__)

_READ_TIMEOUT_S = 60.0  # five million customers are one object of 60 MB
_KEYS_AWAY = (
    "start the service (a local one: `make up`), or change [identity] key or [aws] endpoint;"
    " [identity] start_patience_s waits longer"
)
_REFERENCE_AWAY = (
    "start S3 (a local one: `make up`), or change [reference] bucket or [aws] endpoint;"
    " [reference] start_patience_s waits longer"
)


class Judges(NamedTuple):
    """The judges that live and cold share, by stream."""

    orders: OrderJudge
    access: AccessJudge


class Judging(Protocol):
    """The settings that judges are made of."""

    @property
    def aws(self) -> Aws: ...
    @property
    def access(self) -> Access: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def reference(self) -> Reference: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def shop(self) -> Shop: ...


def snapshots_of(settings: Judging) -> SnapshotReference | None:
    """The published reference data, nothing of it read yet; None where no bucket is set."""
    reference = settings.reference
    if not reference.bucket:
        _log.warning("SKUs, prices and customers are not checked; set [reference] bucket, and publish some")
        return None
    s3 = client("s3", settings.aws, read_timeout_s=_READ_TIMEOUT_S)
    bucket = S3Objects(s3, reference.bucket, setting="[reference] bucket")
    return SnapshotReference(bucket, thresholds_of(settings.rules), SystemClock(), held=reference.snapshots)


def key_ring_of(settings: Judging) -> KeyRing:
    """The keys of customer hashes, nothing of them read yet. Raises ConfigError for a place that cannot be."""
    return KeyRing(place_of(settings.identity.key, settings.aws), settings.shop.zone(), SystemClock())


def judges_by(settings: Judging, snapshots: SnapshotReference | None, shop: ShopThroughTime) -> Judges:
    """The judges of both streams. Raises ConfigError for what the operator has to change."""
    reference = snapshots or Fixed(facts=InForce(thresholds=thresholds_of(settings.rules)))
    return Judges(OrderJudge(reference, shop), AccessJudge(shop, load_site(settings.access.site_rules)))


@contextmanager
def judges_of(settings: Judging, stop: Stop) -> Iterator[Judges | None]:
    """The judges; keys and reference data loaded, and looked after until the context ends. None if `stop` came first.

    Raises ConfigError for what the operator has to change, a service away for too long at the start among it.
    """
    snapshots, ring, clock = snapshots_of(settings), key_ring_of(settings), SystemClock()
    judges = judges_by(settings, snapshots, ring)
    with ExitStack() as looks:
        if not looks.enter_context(_looked_after(ring, "identity keys", settings.identity, _KEYS_AWAY, stop, clock)):
            yield None
            return
        if snapshots is not None:
            watched = _looked_after(snapshots, "reference data", settings.reference, _REFERENCE_AWAY, stop, clock)
            if not looks.enter_context(watched):
                yield None
                return
            _warn_of_absent(snapshots, clock)
        yield judges


@contextmanager
def _looked_after(
    watched: Watched, what: str, settings: Identity | Reference, advice: str, stop: Stop, clock: Clock
) -> Iterator[bool]:
    """The first look, before which nothing is judged, and then one again and again. False if `stop` came first."""
    is_known = wait_at_start(
        watched.look,
        stop,
        trouble=Trouble(what, clock),
        patience_s=settings.start_patience_s,
        advice=advice,
        clock=clock,
        rng=random.Random(),
    )
    if not is_known:
        yield False
        return
    with polling(watched, settings.poll_s, clock, what):
        yield True


def _warn_of_absent(snapshots: SnapshotReference, clock: Clock) -> None:
    for kind, version in snapshots.versions(clock.now(), clock.now()).items():
        if version == "none":
            _log.warning("no %s is published: nothing is checked by it", kind)
