"""Where a shard is entered that has no checkpoint yet: a crash before the first one loses nothing."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.delivery import Shard
from consumers.sources.kinesis.checkpoints import Checkpoint, Rank
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.stream import IteratorExpired, KinesisStream
from consumers.sources.kinesis.testing import ARRIVED_AT, even_shards
from consumers.sources.kinesis.worker import Worker
from consumers.sources.kinesis.worker_testing import Workplace
from consumers.sources.testing import ScriptedPath
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.settings import Aws
from runtime.testing import ManualClock

(ONE,) = even_shards(1)


class World(Workplace):
    """A stream of one shard with two records of an hour ago, and an application without leases."""

    def __init__(self, settings: KinesisSourceSettings) -> None:
        super().__init__([ONE], settings, ManualClock(ARRIVED_AT))
        self.put(b"1", b"2")
        self.clock.advance(3600.0)

    def put(self, *payloads: bytes) -> None:
        self.stream.put(ONE.shard_id, *payloads, arrived_at=self.clock.now())

    def read_by(self, worker: Worker) -> list[bytes]:
        """What a reader gets in its first steps; it never checkpoints, its path holds everything back."""
        path = ScriptedPath(trails=100)
        reader = self.reader(worker, path)
        for _ in range(5):
            self.clock.advance(reader.step())
        return path.payloads

    def reader(self, worker: Worker, path: ScriptedPath) -> ShardReader:
        """Of the one shard, which the worker takes."""
        (tenure,) = worker.scan(())
        return ShardReader(
            shard=Shard(stream="orders", shard_id=ONE.shard_id),
            stream=self.stream,
            tenure=tenure,
            path=path,
            settings=self.settings,
            clock=self.clock,
            rng=random.Random(1),
        )

    def is_entered_by_java(self, at: str) -> None:
        """The lease is there, with a first position and no time."""
        self.table.create(lease_of(ONE, Checkpoint.parse(at)))


@pytest.mark.unit
def test_a_crash_before_the_first_checkpoint_of_a_latest_start_loses_nothing() -> None:
    world = World(KinesisSourceSettings(initial_position="LATEST"))
    first = world.worker("first")
    world.clock.advance(5.0)
    world.put(b"3")  # before anybody reads
    assert world.read_by(first) == [b"3"]
    world.put(b"4")
    second = world.worker("second")
    second.scan(())
    world.clock.advance(60.0)
    world.put(b"5")
    assert world.read_by(second) == [b"3", b"4", b"5"]


@pytest.mark.unit
def test_a_start_at_a_time_begins_there_also_after_a_crash_and_a_change_of_the_setting() -> None:
    since = ARRIVED_AT + timedelta(minutes=61)
    world = World(KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time=since.isoformat()))
    world.put(b"3")
    world.clock.advance(60.0)
    world.put(b"4")
    assert world.read_by(world.worker("first")) == [b"4"]
    world.settings = KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time="2026-11-27T08:00:00Z")
    second = world.worker("second")
    second.scan(())
    world.clock.advance(60.0)
    assert world.read_by(second) == [b"4"]


@pytest.mark.unit
def test_a_latest_of_javas_is_of_the_first_reading_however_often_it_is_asked_for() -> None:
    world = World(KinesisSourceSettings())
    world.is_entered_by_java("LATEST")
    path = ScriptedPath()
    reader = world.reader(world.worker("ours"), path)
    world.stream.trouble.append(IteratorExpired("five minutes"))
    world.clock.advance(reader.step())
    world.put(b"3")
    for _ in range(3):
        world.clock.advance(reader.step())
    assert path.payloads == [b"3"]


@pytest.mark.unit
def test_a_time_that_java_does_not_name_is_the_settings_own() -> None:
    since = ARRIVED_AT + timedelta(minutes=30)
    world = World(KinesisSourceSettings(initial_position="AT_TIMESTAMP", initial_time=since.isoformat()))
    world.is_entered_by_java("AT_TIMESTAMP")
    world.put(b"3")
    assert world.read_by(world.worker("ours")) == [b"3"]


@pytest.mark.unit
def test_a_time_that_nobody_names_is_asked_of_the_operator() -> None:
    world = World(KinesisSourceSettings())
    world.is_entered_by_java("AT_TIMESTAMP")
    with pytest.raises(ConfigError, match=r"set initial_position AT_TIMESTAMP and initial_time"):
        world.read_by(world.worker("ours"))
    assert not [call for call in world.stream.calls if call.startswith("iterator")]


@pytest.mark.unit
def test_the_times_of_first_positions_are_kept_to_the_millisecond_and_others_have_none() -> None:
    when = datetime(2026, 11, 27, 8, 0, 0, 123_456, tzinfo=UTC)
    entered = Checkpoint.entered(Rank.LATEST, when)
    assert entered.since == when.replace(microsecond=123_000)
    assert Checkpoint.entered(Rank.AT_TIMESTAMP, datetime(1970, 1, 1, tzinfo=UTC)).since is not None
    assert Checkpoint.parse("LATEST").since is None
    assert Checkpoint.parse("TRIM_HORIZON", since_ms=5).since is None
    assert Checkpoint.parse("7", since_ms=5).since is None
    assert Checkpoint.parse(entered.text, since_ms=entered.sequence) == entered


@pytest.mark.integration
@pytest.mark.parametrize("rank", [Rank.LATEST, Rank.AT_TIMESTAMP])
def test_kinesis_itself_enters_a_shard_at_the_time_of_its_lease(
    aws: Aws, new_stream: Callable[[int], str], rank: Rank
) -> None:
    kinesis: Any = client("kinesis", aws, attempts=1)
    name = new_stream(1)
    kinesis.put_record(StreamName=name, Data=b"before", PartitionKey="k")
    time.sleep(0.05)  # arrival times have milliseconds
    since = datetime.now(UTC)
    time.sleep(0.05)
    kinesis.put_record(StreamName=name, Data=b"after", PartitionKey="k")
    stream = KinesisStream(client("kinesis", aws, attempts=1), name)
    (shard,) = stream.shards()
    answer = stream.read(stream.iterator(shard.shard_id, Checkpoint.entered(rank, since)), None)
    assert [record.data for record in answer.records] == [b"after"]
