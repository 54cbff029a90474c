"""Partitions as shards, their records as ours, and what a partition does not hold."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.delivery import Position
from consumers.sources.kafka.gaps import gap_at
from consumers.sources.kafka.partitions import partition_of, record_of, shard_id_of

pytestmark = pytest.mark.unit


def fetched(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"offset": 0, "timestamp": 1_795_766_400_123, "value": b"1", **changes})


def test_shard_ids_sort_like_partitions() -> None:
    ids = [shard_id_of(number) for number in (0, 2, 10, 99_999)]
    assert ids == sorted(ids)
    assert [partition_of(shard_id) for shard_id in ids] == [0, 2, 10, 99_999]


def test_what_is_no_partitions_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="shardId"):
        partition_of("shardId-000000000000")


def test_the_first_record_stands_after_the_beginning() -> None:
    record = record_of(fetched())
    assert (record.position, record.data) == (Position(1), b"1")
    assert record.arrived_at == datetime(2026, 11, 27, 8, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1])
def test_a_time_that_no_calendar_knows_ends_nothing(timestamp: int) -> None:
    arrived_at = record_of(fetched(timestamp=timestamp)).arrived_at
    assert arrived_at.year in (1970, 9999) and arrived_at.utcoffset() is not None


def test_what_is_held_is_no_gap() -> None:
    assert gap_at(5, oldest=5, end=5) is None
    assert gap_at(5, oldest=0, end=9) is None
    assert gap_at(0, oldest=0, end=0) is None


def test_an_expired_head_may_be_accepted_and_a_lost_end_may_not() -> None:
    head, end = gap_at(5, oldest=6, end=9), gap_at(5, oldest=0, end=4)
    assert head and head.may_be_accepted and head.text == "Kafka no longer holds offset 5, the oldest is 6"
    assert end and not end.may_be_accepted and end.text == "Kafka ends at offset 4, before 5"
