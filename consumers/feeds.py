"""What live and cold read: each stream through a source of its own, with the judge of its records."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from consumers.delivery import Path, Shard, Source
from consumers.fleet.standby import StandbySource
from consumers.fleet.wishes import DynamoDbWishes
from consumers.reference.judges import Judges
from consumers.settings import Operations
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kcl.source import KclSource
from consumers.sources.kcl.wire import Wire
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import ShardStatus, kinesis_source
from consumers.stages.judge import Judge
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.settings import Aws, Kafka, Streams

_LOOK_S = 0.2  # between two looks whether all sources still run
_WISH_S = 2.0  # for an answer whether to stand by: a stop waits for it, and the next one comes soon


class ReportingSource(Source, Protocol):
    """A source that says where it is."""

    @property
    def worker_id(self) -> str:
        """Its name among the owners of shards."""
        ...

    def status(self) -> Sequence[ShardStatus]:
        """Every shard, this worker's with their positions. Safe from any thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One stream as one application reads it."""

    stream: str
    application: str
    judge: Judge
    source: ReportingSource


StreamRole = Literal["transactions", "access"]  # as [streams] has them


@dataclass(frozen=True, slots=True, kw_only=True)
class KclHost:
    """The MultiLangDaemon as the host of this process: one shard of the one stream that its file names."""

    role: StreamRole
    wire: Wire


class Transported(Protocol):
    """The settings that lead to the streams."""

    @property
    def aws(self) -> Aws: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def kafka(self) -> Kafka: ...
    @property
    def kafka_group(self) -> KafkaSourceSettings: ...
    @property
    def operations(self) -> Operations: ...


def source_of(
    settings: Transported,
    stream: str,
    application: str,
    fleet: KinesisSourceSettings,
    *,
    section: str,
    reading: KinesisReadingSettings | None = None,
    allowance: Allowance | None = None,
) -> ReportingSource:
    """The source of a stream, or of a topic, on the transport that is set; nothing is connected yet.

    `application` names the lease table, or the consumer group. `fleet` and `section`: how Kinesis is read, and where an
    operator finds that; by which calls and in how much memory: `reading` and `allowance`. Raises ConfigError.
    """
    if settings.streams.transport == "kafka":
        from consumers.sources.kafka.source import kafka_source  # half a second, for those who use it

        return kafka_source(
            servers=settings.kafka.servers, topic=stream, group=application, settings=settings.kafka_group
        )
    aws = settings.aws
    return StandbySource(
        lambda: kinesis_source(
            aws=aws,
            stream=stream,
            application=application,
            settings=fleet,
            section=section,
            reading=reading,
            allowance=allowance,
        ),
        DynamoDbWishes(client("dynamodb", aws, attempts=1, read_timeout_s=_WISH_S), application),
        SystemClock(),
        name=application,
        look_s=settings.operations.look_s,
    )


def feeds_of(
    settings: Transported,
    judges: Judges,
    *,
    orders: str,
    access: str,
    fleet: KinesisSourceSettings,
    section: str,
    reading: KinesisReadingSettings | None = None,
    kcl: KclHost | None = None,
) -> list[Feed]:
    """The streams that are set; with `kcl` the one of which it is the host. Raises ConfigError.

    `orders` and `access` are the applications' names. `fleet` and `section`: see `source_of`.
    """
    if settings.streams.access == settings.streams.transactions:
        raise ConfigError(f"[streams] transactions and access are both {settings.streams.access!r}: give each its own")
    wanted: dict[StreamRole, tuple[str, str, Judge]] = {
        "transactions": (settings.streams.transactions, orders, judges.orders),
        "access": (settings.streams.access, access, judges.access),
    }
    if kcl is not None:
        require_kinesis_stream(settings.streams, kcl.role)
        wanted = {kcl.role: wanted[kcl.role]}
    reading = reading or KinesisReadingSettings()
    allowance = Allowance(reading.memory_mib << 20)  # one a process, whatever it reads
    return [
        Feed(
            stream=stream,
            application=application,
            judge=judge,
            source=source_of(
                settings, stream, application, fleet, section=section, reading=reading, allowance=allowance
            )
            if kcl is None
            else KclSource(
                stream=stream,
                wire=kcl.wire,
                checkpoint_s=fleet.checkpoint_s,
                clock=SystemClock(),
                rng=random.Random(),
            ),
        )
        for stream, application, judge in wanted.values()
        if stream
    ]


def require_kinesis_stream(streams: Streams, role: StreamRole) -> None:
    """Raises ConfigError where the KCL has nothing to read."""
    if streams.transport != "kinesis":
        raise ConfigError(f"the KCL reads Kinesis, and [streams] transport is {streams.transport}")
    if not getattr(streams, role):
        raise ConfigError(f"[streams] {role} is not set: there is nothing for the KCL to read")


def run_feeds(feeds: Sequence[Feed], open_path: Callable[[Feed, Shard], Path], stop: threading.Event) -> None:
    """Read all feeds beside each other until `stop` is set; all that was accepted is durable then.

    The first that fails ends the others in good order. Raises what it raised.
    """
    halt, failures = threading.Event(), list[BaseException]()

    def read(feed: Feed) -> None:
        try:
            feed.source.run(lambda shard: open_path(feed, shard), halt)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(feed,), name=feed.stream) for feed in feeds]
    for thread in threads:
        thread.start()
    while not stop.is_set() and not failures and all(thread.is_alive() for thread in threads):
        stop.wait(_LOOK_S)
    halt.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
