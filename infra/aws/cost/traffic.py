"""What a rate of events means for the streams and their readers. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.aws.cost.sizing import Choice, Sizing
from infra.aws.cost.tables import Size

GIB = float(1 << 30)
MIB = float(1 << 20)
HOURS = 730.0  # of a month
SECONDS = HOURS * 3600
MINUTES = HOURS * 60
DAYS = HOURS / 24
STREAMS = 2  # transactions and access
APPLICATIONS = 2  # live and cold, each on both streams
_AGGREGATE = 200 << 10  # bytes, the agent's
# Kinesis: on-demand bills a record by the KiB, provisioned by 25 KiB; Firehose by 5 KiB.
ON_DEMAND_UNIT = 1 << 10
PUT_UNIT = 25 << 10
FIREHOSE_UNIT = 5 << 10
_SHARD_RECORDS = 1_000.0  # a second, of one shard
_PARTITION = 5 * MIB  # a second, of a partition of MSK Serverless
_PARTITIONS = 12  # a topic, at least: docs/agent.md


def millions(rate: float) -> float:
    """Million events a month at `rate` a second."""
    return rate * SECONDS / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Of `rate` events a second, all on one stream: the other's shards are idle."""

    rate: float
    sizing: Sizing
    choice: Choice
    sizes: Mapping[str, Size]

    @property
    def is_packed(self) -> bool:
        return self.choice.aggregated and self.choice.transport == "kinesis"

    @property
    def records(self) -> float:
        """Stream records a second: an agent sends a shard what came within its pause, at most a full aggregate."""
        if not self.is_packed:
            return self.rate
        a_pause = self.sizing.hosts * self.sizing.shards / self.sizes["agent_pause"].value
        return max(min(self.rate, a_pause), self.rate * self.sizes["stream_aggregated"].value / _AGGREGATE)

    @property
    def event_bytes(self) -> float:
        """In the stream, as read: no unit is rounded. A line that is alone travels as it is."""
        plain, packed = self.sizes["stream_plain"].value, self.sizes["stream_aggregated"].value
        alone = self.records / self.rate
        return plain * alone + packed * (1 - alone)

    @property
    def gib(self) -> float:
        """In the stream, a month."""
        return self.rate * self.event_bytes * SECONDS / GIB

    def billed(self, unit: int) -> float:
        """Bytes a second where each record counts up to the next `unit`: half a unit is lost on each that is larger."""
        plain = self.rate * unit * math.ceil(self.sizes["stream_plain"].value / unit)
        packed = max(self.records * unit, self.rate * self.event_bytes + self.records * unit / 2)
        return min(plain, packed) if self.is_packed else plain

    def shards(self, *, whole: bool) -> float:
        """Of the busy stream, open at the same time; `whole`: no fractions of one."""
        busy = self.rate * self.sizing.peak
        if self.choice.transport == "kafka":
            need = max(_PARTITIONS, busy * self.event_bytes / _PARTITION)
        else:
            of_reads = (self.choice.readers * self.event_bytes) / (2 * MIB)
            of_writes = max(self.event_bytes / MIB, 1 / _SHARD_RECORDS * self.records / self.rate)
            per_event = max(of_reads, of_writes)
            # On-demand keeps room for twice its recent peak.
            need = busy * per_event * (2 if self.choice.mode == "on-demand" else 1)
            need = max(float(self.sizing.shards), need) if self.choice.mode == "on-demand" else need
        return float(max(1, math.ceil(need))) if whole else need
