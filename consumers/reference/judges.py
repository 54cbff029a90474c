"""The judges of both streams, and what keeps them up to date."""

import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol

from consumers.keys.places import place_of
from consumers.keys.ring import KeyRing, await_keys
from consumers.reference.in_force import SnapshotReference
from consumers.reference.polling import await_reference, polling
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
from runtime.outage import Stop
from runtime.settings import Aws, Reference, Shop

_log = logging.getLogger(__name__)

_READ_TIMEOUT_S = 60.0  # five million customers are one object of 60 MB


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
    snapshots, ring, clock, rng = snapshots_of(settings), key_ring_of(settings), SystemClock(), random.Random()
    reference, identity = settings.reference, settings.identity
    judges = judges_by(settings, snapshots, ring)
    with ExitStack() as looks:
        if not await_keys(ring, identity.start_patience_s, stop, clock, rng):
            yield None
            return
        looks.enter_context(polling(ring, identity.poll_s, clock, "identity keys"))
        if snapshots is not None:
            if not await_reference(snapshots, reference, stop, clock, rng):
                yield None
                return
            _warn_of_absent(snapshots, clock)
            looks.enter_context(polling(snapshots, reference.poll_s, clock))
        yield judges


def _warn_of_absent(snapshots: SnapshotReference, clock: Clock) -> None:
    for kind, version in snapshots.versions(clock.now(), clock.now()).items():
        if version == "none":
            _log.warning("no %s is published: nothing is checked by it", kind)
