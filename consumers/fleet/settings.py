"""Settings of the commands that look at the fleet and act on it."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from consumers.settings import Cold, ColdFleet, Live, Operations
from consumers.sources.kinesis.settings import KinesisSourceSettings
from runtime.settings import Aws, Kafka, Seconds, Streams, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`[status]`: what `python -m consumers status` calls wrong."""

    live_lag_s: Seconds = setting(
        30.0,
        "live is behind when a record has waited longer: the board promises 2 s, a killed worker's shards wait for"
        " failover_s, and a restart of OpenSearch is no alarm",
        unit="s",
    )
    cold_lag_s: Seconds = setting(
        120.0,
        "cold is behind when a record has waited longer: a span is open for 20 s and takes some more to be put, twice"
        " over",
        unit="s",
    )
    looks_at_once: Annotated[int, Meta(ge=1, le=64)] = setting(
        16, "shards that are read at the same time; each takes one read of the five that a shard answers a second"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What `python -m consumers status`, `drain` and `rewind` read."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    fleet: KinesisSourceSettings = KinesisSourceSettings()
    cold_fleet: ColdFleet = ColdFleet()
    live: Live = Live()
    cold: Cold = Cold()
    operations: Operations = Operations()
    status: Status = Status()
