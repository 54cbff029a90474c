"""The account as a process: the parts put together, and one account taken of them."""

import random

from consumers.account.explain import Explainer, History, Window
from consumers.account.peek import RECORDS_PER_LOOK, StreamPeek
from consumers.account.progress import HistoryProgress, LeaseProgress
from consumers.account.report import Account
from consumers.account.settings import Accounting, AccountSettings
from consumers.account.stores.lake import LakeRows, lake
from consumers.account.stores.opensearch import OpenSearchStore
from consumers.account.stores.warehouse import warehouse
from consumers.account.taking import Looker, Parts
from consumers.account.verdict import account_of, cases_of
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
    aws, application = settings.aws, settings.cold.application
    s3 = client("s3", aws)
    in_lake, restricted = S3Objects(s3, settings.lake.bucket), S3Objects(s3, settings.lake.restricted_bucket)
    lake_store = LakeStore(LakeCatalogue(aws), settings.lake)
    warehouse_store = WarehouseStore(settings.warehouse, bucket=settings.lake.bucket, objects=in_lake, clock=clock)
    rows = LakeRows(lake_store)
    of_lake, of_warehouse = lake(rows), warehouse(settings.warehouse)
    kinesis = client("kinesis", aws, attempts=1)
    stream = KinesisStream(kinesis, settings.streams.transactions, records_per_read=RECORDS_PER_LOOK)
    leases = DynamoDbLeaseTable(client("dynamodb", aws), settings.live.application)
    return Parts(
        stores=[OpenSearchStore(connect(settings.opensearch)), of_lake, of_warehouse],
        progress={
            OpenSearchStore.name: LeaseProgress(leases, stream.shards),
            of_lake.name: HistoryProgress(lake_store, application),
            of_warehouse.name: HistoryProgress(warehouse_store, application),
        },
        tables=[of_lake, of_warehouse],
        histories=[lake_store, warehouse_store],
        shards=stream.shards,
        peek=StreamPeek(stream, clock, rng, stop),
        history=History(
            application=application,
            lake=in_lake,
            restricted=restricted,
            current=rows.current,
            absent=lambda: rows.absent,
        ),
        clock=clock,
    )


def account_of_parts(parts: Parts, window: Window, settings: Accounting, *, thorough: bool = True) -> Account:
    """Take the account once. `thorough`: also looks for objects, and locates what is missing. Raises nothing that a
    store may raise: what cannot be looked at is named in the account."""
    look = Looker(parts, window).look()
    if not thorough:
        return account_of(look, [], [], settings)
    explainer = Explainer(parts.stores, parts.tables, parts.history, look.taken_at)
    gaps = explainer.gaps(cases_of(look), window, parts.histories, look.trouble)
    closed_before = {
        name: min(each.frontier.before, window.until or each.frontier.before) for name, each in look.stores.items()
    }
    gaps += explainer.torn(window, closed_before, look.newest)
    return account_of(look, gaps, explainer.notes, settings)
