"""Live as a process: the parts put together, run until told to stop."""

import logging
import random
import threading
from typing import Any

from opensearchpy import OpenSearch

from consumers.delivery import Backpressure, Shard
from consumers.live import LivePath
from consumers.reference import load_identity_key, load_skus, load_zone
from consumers.settings import LiveSettings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.sources.kinesis.source import KinesisSource, kinesis_source
from consumers.stages.judge import Judge
from consumers.stages.rows import ShopFacts
from consumers.tally import Tally
from runtime.clock import SystemClock

_log = logging.getLogger(__name__)


def run_live(settings: LiveSettings, stop: threading.Event) -> None:
    """Read the transactions stream into the store until `stop` is set; all accepted work is checkpointed then.

    Waits for a store that is away. Raises ConfigError for what the operator has to change.
    """
    judge = _judge(settings)
    client = connect(settings.opensearch, connections=64)
    wanted = templates(refresh_ms=settings.live.refresh_ms, replicas=settings.live.replicas)
    if not _await_store(client, wanted, stop):
        return
    source = kinesis_source(
        aws=settings.aws,
        stream=settings.streams.transactions,
        application=settings.live.application,
        settings=settings.fleet,
    )
    tally, clock, rng = Tally(), SystemClock(), random.Random()

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
        zone=load_zone(settings.shop.time_zone),
        window_days=settings.live.window_days,
    )
    return Judge(skus, shop)


def _await_store(client: OpenSearch, wanted: dict[str, dict[str, Any]], stop: threading.Event) -> bool:
    """Whether the store is ready; False if `stop` came first."""
    said = ""
    while not stop.is_set():
        try:
            ensure_templates(client, wanted)
            return True
        except Backpressure as pressure:
            if str(pressure) != said:
                said = str(pressure)
                _log.warning("waiting for the store: %s", said)
            stop.wait(pressure.wait_s)
    return False


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
