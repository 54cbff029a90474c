"""Cold as a process: the parts put together, run until told to stop."""

import random
import threading
from collections import Counter
from collections.abc import Callable

from consumers.cold import Buckets, ColdPath, Limits
from consumers.delivery import Shard
from consumers.feeds import Feed, KclHost, feeds_of, run_feeds
from consumers.fleet.metrics import publishing
from consumers.reference.judges import Judges, judges_of
from consumers.report import reporting
from consumers.settings import Cold, ColdSettings
from consumers.spans.budget import Budget
from consumers.spans.span import Author
from consumers.tally import Tally
from runtime.aws import client
from runtime.clock import Clock, SystemClock
from runtime.collector import little_to_collect
from runtime.objects.s3 import S3Objects
from runtime.outage import Stop, Trouble, wait_at_start

_MIB = 1 << 20
_CONNECTIONS = 64  # shards that put at the same time without waiting for a connection


def run_cold(settings: ColdSettings, stop: threading.Event, *, kcl: KclHost | None = None) -> None:
    """Read the streams into the lake until `stop` is set; all that was accepted is in it then.

    With `kcl` one shard of one stream, until its daemon hangs up. Waits for a service that goes away. Raises
    ConfigError for what the operator has to change, such as a bucket that is not there.
    """
    with judges_of(settings, stop) as judges:
        if judges is not None:
            _run(settings, judges, stop, kcl)


def _run(settings: ColdSettings, judges: Judges, stop: threading.Event, kcl: KclHost | None) -> None:
    lake, restricted = buckets_of(settings)
    tally, clock, rng = Tally(), SystemClock(), random.Random()
    if not await_buckets([lake.check, restricted.check], settings.cold, stop, clock, rng):
        return
    feeds = feeds_of(
        settings,
        judges,
        orders=settings.cold.application,
        access=settings.cold.access_application,
        fleet=settings.cold_fleet,
        section="cold_fleet",
        reading=settings.cold_reading,
        kcl=kcl,
    )
    budget = Budget(settings.cold.memory_mib * _MIB)
    worker = settings.cold_fleet.worker_name
    authors = {feed.application: Author(application=feed.application, worker=worker) for feed in feeds}

    def open_path(feed: Feed, shard: Shard) -> ColdPath:
        return ColdPath(
            shard,
            feed.judge,
            Buckets(lake=lake, restricted=restricted),
            author=authors[feed.application],
            limits=limits_of(settings.cold),
            budget=budget,
            tally=tally,
            clock=clock,
            rng=rng,
        )

    with (
        little_to_collect(),
        reporting(tally, feeds, settings.cold.report_s, _sentence),
        publishing(settings.metrics, settings.aws, feeds, worker=worker, clock=clock) as measured,
    ):
        run_feeds(feeds, measured(open_path), stop)


def buckets_of(settings: ColdSettings) -> tuple[S3Objects, S3Objects]:
    """The lake's bucket and the restricted one."""
    s3 = client("s3", settings.aws, connections=_CONNECTIONS)
    lake = S3Objects(s3, settings.lake.bucket)
    return lake, S3Objects(s3, settings.lake.restricted_bucket, setting="[lake] restricted_bucket")


def limits_of(cold: Cold) -> Limits:
    """When spans end."""
    return Limits(nbytes=cold.span_mib * _MIB, records=cold.span_records, parts=cold.span_objects, age_s=cold.span_s)


def await_buckets(checks: list[Callable[[], None]], cold: Cold, stop: Stop, clock: Clock, rng: random.Random) -> bool:
    """See that the buckets are there. False if `stop` came first.

    Raises ConfigError for one that is not, and for S3 still away after `start_patience_s`.
    """

    def check() -> None:
        for each in checks:
            each()

    return wait_at_start(
        check,
        stop,
        trouble=Trouble("S3", clock),
        patience_s=cold.start_patience_s,
        advice="start it (a local one: `make up`), or change [aws] endpoint; [cold] start_patience_s waits longer",
        clock=clock,
        rng=rng,
    )


def _sentence(counts: Counter[str], slowest_s: float) -> str:
    return (
        f"orders {counts['orders']}, hits {counts['hits']}, letters {counts['letters']},"
        f" heartbeats {counts['account']} in {counts['spans']} spans; arrival to manifest {slowest_s:.1f} s at most"
    )
