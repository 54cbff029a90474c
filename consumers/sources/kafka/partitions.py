"""A topic's partitions as shards, and its records as ours.

A position is the record's offset + 1: 0 is before the first record, and a position is what Kafka calls the committed
offset, the one that comes next.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.delivery import Position, Record

_PREFIX = "partition-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 253_370_764_800_000  # the year 9999


def shard_id_of(partition: int) -> str:
    """What leases, manifests and reports call it. Sorts like the number."""
    return f"{_PREFIX}{partition:05d}"


def partition_of(shard_id: str) -> int:
    """The other way round. Raises ValueError for what is no partition's."""
    return int(shard_id.removeprefix(_PREFIX))


def record_of(fetched: Any) -> Record:
    """From kafka-python's ConsumerRecord. A tombstone is an empty record."""
    return Record(Position(fetched.offset + 1), arrived_at(fetched), fetched.value or b"")


def arrived_at(fetched: Any) -> datetime:
    """The broker's own time (LogAppendTime, which a topic of ours has to have).

    Records of before it was set bear their producer's, which may be anything: times that no calendar knows come as the
    nearest that it does.
    """
    return _EPOCH + timedelta(milliseconds=min(max(fetched.timestamp, 0), _LATEST_MS))
