"""Settings of the consumer processes."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kcl.settings import Kcl
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.lambda_.settings import LambdaSourceSettings
from consumers.stages.access.settings import Access
from consumers.stages.rules import Rules
from runtime.settings import Aws, Kafka, Lake, Metrics, OpenSearch, Reference, Seconds, Shop, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`[identity]`: how people are kept out of the stores."""

    key: str = setting(
        "",
        "where the document with the keys of customer hashes lies: a file's path, secretsmanager:NAME-or-ARN, or"
        " ssm:/NAME of a SecureString; `python -m consumers identity rotate --create` makes it",
    )
    poll_s: Annotated[float, Meta(gt=0, le=300)] = setting(
        60.0, "between two looks for a new key, which is there ten minutes before it is in force", unit="s"
    )
    start_patience_s: Seconds = setting(
        60.0, "how long a start waits for the keys: longer than their service is away; then the process ends", unit="s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """What `python -m consumers identity` reads."""

    aws: Aws = Aws()
    shop: Shop = Shop()
    identity: Identity = Identity()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`[live]`: the way to OpenSearch."""

    application: str = setting(
        "storepulse-live-transactions",
        "name of the lease table, or consumer group, of the transactions; another one reads from the start",
    )
    access_application: str = setting("storepulse-live-access", "the same, of the access stream")
    window_days: Annotated[int, Meta(ge=0)] = setting(
        14,
        "orders dated further than this from the day they were read share one index, or an import makes hundreds",
        unit="days",
    )
    refresh_ms: Annotated[int, Meta(gt=0)] = setting(
        500, "until a written document can be found; less costs CPU, more costs freshness", unit="ms"
    )
    replicas: str = setting("0-1", "copies of each document: as many as there are nodes for (auto_expand_replicas)")
    start_patience_s: Seconds = setting(
        60.0,
        "how long a start waits for OpenSearch: longer than it takes to restart; then the process ends, and a service"
        " manager starts it again",
        unit="s",
    )
    report_s: Seconds = setting(60.0, "between two lines of counts in the log", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """`[operations]`: how operators reach workers."""

    look_s: Seconds = setting(
        5.0,
        "how often a worker looks whether it is to stand by (`python -m consumers drain`): half a read unit of DynamoDB"
        " each time",
        unit="s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What `python -m consumers live` reads."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    identity: Identity = Identity()
    reference: Reference = Reference()
    access: Access = Access()
    rules: Rules = Rules()
    kafka: Kafka = Kafka()
    fleet: KinesisSourceSettings = KinesisSourceSettings()
    reading: KinesisReadingSettings = KinesisReadingSettings()
    kafka_group: KafkaSourceSettings = KafkaSourceSettings()
    live: Live = Live()
    operations: Operations = Operations()
    metrics: Metrics = Metrics()


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaSettings:
    """What the Lambda function reads: those of `[live]` that name the store's indices have to be live's own."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    identity: Identity = Identity()
    reference: Reference = Reference()
    access: Access = Access()
    rules: Rules = Rules()
    live: Live = Live()
    function: LambdaSourceSettings = LambdaSourceSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdFleet(KinesisSourceSettings):
    """`[cold_fleet]`: as `[fleet]`, for cold, which is in no hurry."""

    poll_s: float = setting(
        1.0,
        "between two reads of a shard, which takes five a second from all its readers; live needs three of them",
        unit="s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """`[cold]`: the way to the lake. A span ends at whichever of its limits comes first."""

    application: str = setting(
        "storepulse-cold-transactions",
        "name of the lease table, or consumer group, of the transactions, and of their chains of manifests; another one"
        " stores all that the stream holds again",
    )
    access_application: str = setting("storepulse-cold-access", "the same, of the access stream")
    span_s: Seconds = setting(
        20.0, "longest time that a span is open: a third of the minute in which a sale is to be history", unit="s"
    )
    span_mib: Annotated[int, Meta(gt=0, le=1024)] = setting(
        64, "records in a span: 130,000 orders make 17 MB of rows, and COPY likes files of 1 MB to 1 GB", unit="MiB"
    )
    span_records: Annotated[int, Meta(gt=0)] = setting(250_000, "records in a span, however small they are")
    span_objects: Annotated[int, Meta(gt=0)] = setting(
        128, "Parquet objects of a span, one a table and day: an import brings many days, each put takes its time"
    )
    memory_mib: Annotated[int, Meta(gt=0)] = setting(
        512, "all open spans of this process; beyond it the one that takes records ends", unit="MiB"
    )
    start_patience_s: Seconds = setting(
        60.0,
        "how long a start waits for S3: longer than it takes to restart; then the process ends, and a service manager"
        " starts it again",
        unit="s",
    )
    report_s: Seconds = setting(60.0, "between two lines of counts in the log", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdSettings:
    """What `python -m consumers cold` reads."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    lake: Lake = Lake()
    shop: Shop = Shop()
    identity: Identity = Identity()
    reference: Reference = Reference()
    access: Access = Access()
    rules: Rules = Rules()
    kafka: Kafka = Kafka()
    cold_fleet: ColdFleet = ColdFleet()
    cold_reading: KinesisReadingSettings = KinesisReadingSettings()
    kafka_group: KafkaSourceSettings = KafkaSourceSettings()
    cold: Cold = Cold()
    operations: Operations = Operations()
    metrics: Metrics = Metrics()


@dataclass(frozen=True, slots=True, kw_only=True)
class KclPropertiesSettings:
    """What `python -m consumers kcl-properties` reads."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    fleet: KinesisSourceSettings = KinesisSourceSettings()
    reading: KinesisReadingSettings = KinesisReadingSettings()
    cold_fleet: ColdFleet = ColdFleet()
    cold_reading: KinesisReadingSettings = KinesisReadingSettings()
    live: Live = Live()
    cold: Cold = Cold()
    kcl: Kcl = Kcl()
