"""The same picture of a consumer group on a real broker."""

from collections.abc import Callable, Iterator

import pytest

from consumers.fleet.applications import Application
from consumers.fleet.kafka import KafkaView
from consumers.fleet.status_command import take
from consumers.sources.kafka.testing import KafkaBench, running, until
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.testing import ScriptedPath
from runtime.clock import SystemClock

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(kafka: str, new_topic: Callable[..., str]) -> Iterator[KafkaBench]:
    bench = KafkaBench(kafka, new_topic(2))
    yield bench
    bench.close()


def view_of(bench: KafkaBench, kafka: str, topic: str | None = None) -> KafkaView:
    application = Application(
        name=bench.group, stream=topic or bench.topic, path="live", fleet=KinesisSourceSettings(), lag_s=30
    )
    return KafkaView(application, kafka, SystemClock())


def test_members_partitions_and_lag_are_told(bench: KafkaBench, kafka: str) -> None:
    view = view_of(bench, kafka)
    bench.put(0, [b"a", b"b", b"c"])
    bench.commit(0, 2)
    alone = view.picture(quick=False)
    assert alone.wrong == ["the group has no members"]
    assert [(shard.checkpoint, shard.lag_records) for shard in alone.shards] == [("2", 1), (None, 0)]
    assert alone.shards[0].lag_ms is not None
    assert alone.shards[0].lag_ms > 0
    assert alone.shards[1].lag_ms == 0

    with running(bench.kafka_source(), lambda shard: ScriptedPath()):
        until(lambda: bench.committed(0) == 3)
        read = view.picture(quick=True)
    assert (read.wrong, [worker.shards for worker in read.workers]) == ([], [2])
    assert {(shard.state, shard.lag_records) for shard in read.shards} == {("owned", 0)}


def test_a_topic_that_is_not_there_is_wrong_and_a_broker_that_is_away_cannot_be_seen(
    bench: KafkaBench, kafka: str
) -> None:
    absent = take([view_of(bench, kafka, "no-such-topic")], SystemClock())
    assert absent.exit_code == 1
    assert "no topic 'no-such-topic'" in absent.applications[0].wrong[0]
    assert take([view_of(bench, "127.0.0.1:9")], SystemClock()).exit_code == 3
