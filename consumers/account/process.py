"""The account as a process: the parts put together, and one account taken of them."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from consumers.account.emitted import ACCESS, ORDER
from consumers.account.explain import Explainer, History, Window
from consumers.account.peek import RECORDS_PER_LOOK, StreamPeek
from consumers.account.progress import HistoryProgress, LeaseProgress, Progress
from consumers.account.report import Account
from consumers.account.settings import Accounting, AccountSettings
from consumers.account.stores.lake import LakeRows, lake
from consumers.account.stores.opensearch import OpenSearchStore
from consumers.account.stores.warehouse import warehouse
from consumers.account.streams import LineStream
from consumers.account.taking import Looker, Parts
from consumers.account.verdict import account_of, cases_of
from consumers.keeper.store import HistoryStore
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.store import LakeStore
from consumers.sinks.opensearch.connection import connect
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from consumers.warehouse.store import WarehouseStore
from runtime.aws import client
from runtime.clock import Clock
from runtime.objects.s3 import S3Objects
from runtime.outage import Stop


def parts_of(settings: AccountSettings, clock: Clock, rng: random.Random, stop: Stop) -> Parts:
    """Clients for everything that the account looks at; nothing is asked yet. Raises ConfigError."""
    aws = settings.aws
    s3 = client("s3", aws)
    in_lake, restricted = S3Objects(s3, settings.lake.bucket), S3Objects(s3, settings.lake.restricted_bucket)
    lake_store = LakeStore(LakeCatalogue(aws), settings.lake)
    warehouse_store = WarehouseStore(settings.warehouse, bucket=settings.lake.bucket, objects=in_lake, clock=clock)
    rows = LakeRows(lake_store)
    of_lake, of_warehouse = lake(rows), warehouse(settings.warehouse)
    histories: list[HistoryStore] = [lake_store, warehouse_store]
    fed = _feeds(settings)
    return Parts(
        stores=[OpenSearchStore(connect(settings.opensearch)), of_lake, of_warehouse],
        streams=[_line_stream(settings, feed, histories, clock, rng, stop) for feed in fed],
        tables=[of_lake, of_warehouse],
        histories=histories,
        history=History(
            applications=[feed.cold for feed in fed],
            lake=in_lake,
            restricted=restricted,
            current=rows.current,
            absent=lambda: rows.absent,
        ),
        clock=clock,
    )


class _Feed(NamedTuple):
    """A stream, and the applications that read it."""

    kind: str  # of the files whose lines travel on it
    stream: str
    live: str
    cold: str


def _feeds(settings: AccountSettings) -> list[_Feed]:
    """The streams that are set."""
    streams, live, cold = settings.streams, settings.live, settings.cold
    every = [
        _Feed(ORDER, streams.transactions, live.application, cold.application),
        _Feed(ACCESS, streams.access, live.access_application, cold.access_application),
    ]
    return [feed for feed in every if feed.stream]


def _line_stream(
    settings: AccountSettings,
    feed: _Feed,
    histories: Sequence[HistoryStore],
    clock: Clock,
    rng: random.Random,
    stop: Stop,
) -> LineStream:
    """How far everyone is with a feed, on the transport that is set."""
    of_histories: dict[str, Progress] = {each.name: HistoryProgress(each, feed.cold) for each in histories}
    if settings.streams.transport == "kafka":
        from consumers.account import kafka  # half a second, for those who use it

        servers = settings.kafka.servers
        return LineStream(
            kind=feed.kind,
            progress={OpenSearchStore.name: kafka.KafkaProgress(servers, feed.live, feed.stream), **of_histories},
            shards=lambda: kafka.kafka_shards(servers, feed.stream),
            peek=kafka.KafkaPeek(servers, feed.stream),
        )
    kinesis = client("kinesis", settings.aws, attempts=1)
    stream = KinesisStream(kinesis, feed.stream, records_per_read=RECORDS_PER_LOOK)
    leases = DynamoDbLeaseTable(client("dynamodb", settings.aws), feed.live)
    return LineStream(
        kind=feed.kind,
        progress={OpenSearchStore.name: LeaseProgress(leases, stream.shards), **of_histories},
        shards=stream.shards,
        peek=StreamPeek(stream, clock, rng, stop),
    )


def account_of_parts(parts: Parts, window: Window, settings: Accounting, *, thorough: bool = True) -> Account:
    """Take the account once. `thorough`: also looks for objects, and locates what is missing. Raises nothing that a
    store may raise: what cannot be looked at is named in the account."""
    look = Looker(parts, window).look()
    if not thorough:
        return account_of(look, [], [], settings)
    explainer = Explainer(parts.stores, parts.tables, parts.history, look.taken_at)
    gaps = explainer.gaps(cases_of(look), window, parts.histories, look.trouble)
    of_orders = {name: each.frontiers[ORDER] for name, each in look.stores.items() if ORDER in each.frontiers}
    closed_before = {name: min(each.before, window.until or each.before) for name, each in of_orders.items()}
    gaps += explainer.torn(window, closed_before, look.newest)
    return account_of(look, gaps, explainer.notes, settings)
