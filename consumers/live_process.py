"""Live as a process: the parts put together, run until told to stop."""

import random
import threading
from collections import Counter

from opensearchpy import OpenSearch

from consumers.delivery import Shard
from consumers.feeds import Feed, KclHost, feeds_of, run_feeds
from consumers.fleet.metrics import publishing
from consumers.live import LivePath
from consumers.reference.judges import Judges, judges_of
from consumers.report import reporting
from consumers.settings import LiveSettings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.tally import Tally
from runtime.clock import Clock, SystemClock
from runtime.collector import little_to_collect
from runtime.outage import Stop, Trouble, wait_at_start
from runtime.settings import masked


def run_live(settings: LiveSettings, stop: threading.Event, *, kcl: KclHost | None = None) -> None:
    """Read the streams into the store until `stop` is set; all accepted work is checkpointed then.

    With `kcl` one shard of one stream, until its daemon hangs up. Waits for a store that goes away. Raises ConfigError
    for what the operator has to change, such as the address of a store that does not answer at the start.
    """
    with judges_of(settings, stop) as judges:
        if judges is not None:
            _run(settings, judges, stop, kcl)


def _run(settings: LiveSettings, judges: Judges, stop: threading.Event, kcl: KclHost | None) -> None:
    client = connect(settings.opensearch, connections=64)
    tally, clock, rng = Tally(), SystemClock(), random.Random()
    if not await_store(client, settings, stop, clock, rng):
        return
    feeds = feeds_of(
        settings,
        judges,
        orders=settings.live.application,
        access=settings.live.access_application,
        fleet=settings.fleet,
        section="fleet",
        reading=settings.reading,
        kcl=kcl,
    )

    def open_path(feed: Feed, shard: Shard) -> LivePath:
        sink = OpenSearchSink(client, rng, lambda count: tally.add("duplicates", count))
        return LivePath(shard, feed.judge, sink, tally, clock, window_days=settings.live.window_days)

    worker = settings.fleet.worker_name
    with (
        little_to_collect(),
        reporting(tally, feeds, settings.live.report_s, _sentence),
        publishing(settings.metrics, settings.aws, feeds, worker=worker, clock=clock) as measured,
    ):
        run_feeds(feeds, measured(open_path), stop)


def await_store(client: OpenSearch, settings: LiveSettings, stop: Stop, clock: Clock, rng: random.Random) -> bool:
    """Bring the store's templates up to date. False if `stop` came first.

    Raises ConfigError for a store that is still away after `start_patience_s`, or that refuses.
    """
    wanted = templates(refresh_ms=settings.live.refresh_ms, replicas=settings.live.replicas)
    return wait_at_start(
        lambda: ensure_templates(client, wanted),
        stop,
        trouble=Trouble("store", clock),
        patience_s=settings.live.start_patience_s,
        advice="start OpenSearch (a local one: `make up`), or change"
        f" [opensearch] url {masked(settings.opensearch.url)};"
        " [live] start_patience_s waits longer",
        clock=clock,
        rng=rng,
    )


def _sentence(counts: Counter[str], slowest_s: float) -> str:
    return (
        f"accepted {counts['accepted']}, refused {counts['refused']}, duplicates {counts['duplicates']};"
        f" arrival to stored {slowest_s:.1f} s at most"
    )
