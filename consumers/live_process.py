"""Live as a process: the parts put together, run until told to stop."""

import logging
import random
import threading

from opensearchpy import OpenSearch

from consumers.delivery import Shard
from consumers.live import LivePath
from consumers.reference import load_identity_key, load_skus
from consumers.settings import LiveSettings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.sources.kinesis.source import KinesisSource, kinesis_source
from consumers.stages.judge import Judge
from consumers.stages.rows import ShopFacts
from consumers.tally import Tally
from runtime.clock import Clock, SystemClock
from runtime.outage import Stop, Trouble, wait_at_start
from runtime.settings import masked

_log = logging.getLogger(__name__)


def run_live(settings: LiveSettings, stop: threading.Event) -> None:
    """Read the transactions stream into the store until `stop` is set; all accepted work is checkpointed then.

    Waits for a store that goes away. Raises ConfigError for what the operator has to change, such as the address of a
    store that does not answer at the start.
    """
    judge = _judge(settings)
    client = connect(settings.opensearch, connections=64)
    tally, clock, rng = Tally(), SystemClock(), random.Random()
    if not await_store(client, settings, stop, clock, rng):
        return
    source = kinesis_source(
        aws=settings.aws,
        stream=settings.streams.transactions,
        application=settings.live.application,
        settings=settings.fleet,
    )

    def open_path(shard: Shard) -> LivePath:
        sink = OpenSearchSink(client, rng, lambda count: tally.add("duplicates", count))
        return LivePath(shard, judge, sink, tally, clock)

    done = threading.Event()
    reporter = threading.Thread(target=_report, args=(tally, source, settings.live.report_s, done), name="report")
    reporter.start()
    try:
        source.run(open_path, stop)
    finally:
        done.set()
        reporter.join()


def _judge(settings: LiveSettings) -> Judge:
    skus = load_skus(settings.reference.catalogue)
    if skus:
        _log.info("%d SKUs in the catalogue", len(skus))
    else:
        _log.warning("no catalogue: SKUs are not checked; set [reference] catalogue")
    shop = ShopFacts(
        key=load_identity_key(settings.identity.key_file),
        zone=settings.shop.zone(),
        window_days=settings.live.window_days,
    )
    return Judge(skus, shop)


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


def _report(tally: Tally, source: KinesisSource, every_s: float, done: threading.Event) -> None:
    finished = False
    while not finished:
        finished = done.wait(every_s)
        counts, slowest_s = tally.take()
        behind_ms = max((shard.millis_behind or 0 for shard in source.status()), default=0)
        _log.info(
            "accepted %d, refused %d, duplicates %d; arrival to stored %.1f s at most, %d ms behind",
            counts["accepted"],
            counts["refused"],
            counts["duplicates"],
            slowest_s,
            behind_ms,
        )
