"""Settings of the keeper, and of preparing the tables that it fills."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from runtime.settings import (
    Aws,
    Kafka,
    Lake,
    Metrics,
    OpenSearch,
    Reference,
    Seconds,
    Shop,
    Streams,
    Warehouse,
    setting,
)

_Count = Annotated[int, Meta(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """`[keeper]`: what must happen once."""

    applications: str = setting(
        "storepulse-cold-transactions,storepulse-cold-access",
        "cold applications whose manifests are taken, comma between; live loads first, back-fills after them",
    )
    lake_cadence: str = setting(
        "15",
        "how often the lake takes what waits: seconds, or by hour of the shop's day such as 00-06:900,06-24:15, every"
        " hour once",
        unit="s",
    )
    warehouse_cadence: str = setting(
        "15", "the same for the warehouse: Serverless costs while awake, and sleeps between visits", unit="s"
    )
    conflicts_cadence: str = setting(
        "60",
        "how often the day's orders in the lake are searched for an identity with two contents: a second of CPU a"
        " million orders; the warehouse is only woken where there is one",
        unit="s",
    )
    round_manifests: _Count = setting(
        200, "most that one commit takes: a back-fill holds up live loads no longer than one commit"
    )
    round_mib: _Count = setting(256, "most that one commit takes, in rows as they lie in S3", unit="MiB")
    round_of_shard: _Count = setting(50, "most manifests of one shard in one commit, and how far each is read ahead")
    lake_snapshots_h: Annotated[float, Meta(gt=0)] = setting(
        1.0,
        "how long a lake table can still be read as it was; every commit rewrites the list of its snapshots, 240 an"
        " hour",
        unit="h",
    )
    resend_s: Seconds = setting(60.0, "between two looks for letters that may be sent again by themselves", unit="s")
    resend_wait_s: Seconds = setting(
        300.0,
        "from a refusal to the next attempt, doubled with each one; and only once a newer list is in force",
        unit="s",
    )
    resend_grace_h: Annotated[float, Meta(gt=0, le=720)] = setting(
        72.0,
        "from the first refusal until a letter is left to people: a weekend; originals are kept for 720",
        unit="h",
    )
    resend_rate: Annotated[float, Meta(gt=0, le=10_000)] = setting(
        100.0, "letters sent again in a second: the shop's own orders come first"
    )
    lease_table: str = setting("storepulse-keeper", "DynamoDB table of the keeper's lease, of its own")
    name: str = setting("", "name in the lease, a random part is added; empty: the host's name")
    failover_s: Seconds = setting(10.0, "a keeper that is silent for so long is replaced", unit="s")
    start_patience_s: Seconds = setting(
        60.0,
        "how long a start waits for DynamoDB and S3: longer than a part takes to restart; then the process ends, and a"
        " service manager starts it again",
        unit="s",
    )
    report_s: Seconds = setting(60.0, "between two lines of counts in the log", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSettings:
    """What `python -m consumers keeper` reads."""

    aws: Aws = Aws()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    reference: Reference = Reference()
    keeper: Keeper = Keeper()
    metrics: Metrics = Metrics()


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateSettings:
    """What `python -m consumers migrate` reads."""

    aws: Aws = Aws()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
