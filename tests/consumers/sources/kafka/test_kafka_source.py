"""A consumer group as a source, on a real broker."""

import random
import threading
from collections.abc import Callable, Sequence

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.delivery import Path, Shard, Source
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kafka.source import KafkaSource, kafka_source
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance, run_source
from runtime.clock import SystemClock
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

NewTopic = Callable[[int], str]


class KafkaBench:
    """A topic of two partitions and a group of its own."""

    def __init__(self, kafka: str, topic: str, settings: KafkaSourceSettings | None = None) -> None:
        self.kafka = kafka
        self.topic = topic
        self.settings = settings or KafkaSourceSettings(cool_down_s=0.5)
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all")

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            self._producer.send(self.topic, payload, partition=shard)
        self._producer.flush()

    def source(self) -> Source:
        return self.kafka_source()

    def kafka_source(self) -> KafkaSource:
        return kafka_source(
            servers=self.kafka,
            topic=self.topic,
            group=f"group-{self.topic}",
            settings=self.settings,
            clock=SystemClock(),
            rng=random.Random(0),
        )

    def committed(self, partition: int) -> int | None:
        consumer = KafkaConsumer(bootstrap_servers=self.kafka, group_id=f"group-{self.topic}")
        try:
            offset: int | None = consumer.committed(TopicPartition(self.topic, partition))
            return offset
        finally:
            consumer.close()


class TestOnABroker(SourceConformance):
    @pytest.fixture
    def bench(self, kafka: str, new_topic: NewTopic) -> SourceBench:
        return KafkaBench(kafka, new_topic(2))


def test_the_commit_is_the_durable_position_not_what_was_read(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(1), KafkaSourceSettings(checkpoint_s=0.1))
    bench.put(0, [b"%d" % number for number in range(10)])
    stop, taken = threading.Event(), threading.Event()
    path = ScriptedPath(trails=4, on_offer=lambda: taken.set())
    source = bench.kafka_source()
    thread = threading.Thread(target=source.run, args=(lambda shard: path, stop))
    thread.start()
    try:
        assert taken.wait(30)
        for _ in range(100):
            if bench.committed(0) == 6:
                break
            stop.wait(0.1)
        assert bench.committed(0) == 6
    finally:
        stop.set()
        thread.join()
    assert bench.committed(0) == 10


def test_a_second_member_takes_its_share_and_all_of_it_after_a_stop(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(2))
    stops, paths = [threading.Event(), threading.Event()], [dict[str, Path](), dict[str, Path]()]
    threads = []
    for number in range(2):

        def open_path(shard: Shard, number: int = number) -> Path:
            paths[number][shard.shard_id] = ScriptedPath()
            return paths[number][shard.shard_id]

        threads.append(threading.Thread(target=bench.kafka_source().run, args=(open_path, stops[number])))
        threads[-1].start()
    try:
        for _ in range(300):
            if len(paths[0]) and len(paths[1]):
                break
            stops[0].wait(0.1)
        assert len(paths[0]) and len(paths[1])
        stops[0].set()
        threads[0].join()
        for _ in range(300):
            if len(paths[1]) == 2:
                break
            stops[1].wait(0.1)
        assert len(paths[1]) == 2
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join()


def test_records_that_are_gone_are_a_named_gap(
    kafka: str, new_topic: NewTopic, caplog: pytest.LogCaptureFixture
) -> None:
    bench = KafkaBench(kafka, new_topic(1))
    bench.put(0, [b"1", b"2"])
    run_source(bench.source(), until=2)
    bench.put(0, [b"3", b"4", b"5"])
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.delete_records({TopicPartition(bench.topic, 0): 4})
    admin.close()
    ended = threading.Event()
    reader = threading.Thread(target=bench.source().run, args=(lambda shard: ScriptedPath(), ended))
    reader.start()
    for _ in range(300):
        if "no longer holds offset 2, the oldest is 4" in caplog.text:
            break
        ended.wait(0.1)
    ended.set()
    reader.join()
    assert "no longer holds offset 2, the oldest is 4" in caplog.text
    accepting = KafkaBench(kafka, bench.topic, KafkaSourceSettings(after_trim="read_on"))
    (path,) = run_source(accepting.source(), until=1).values()
    assert path.payloads == [b"5"]


def test_a_topic_that_is_not_there_is_the_operators_to_mend(kafka: str) -> None:
    with pytest.raises(ConfigError, match="no topic 'absent'"):
        kafka_source(
            servers=kafka,
            topic="absent",
            group="g",
            settings=KafkaSourceSettings(),
            clock=SystemClock(),
            rng=random.Random(0),
        ).run(lambda shard: ScriptedPath(), threading.Event())


def test_brokers_that_stay_away_are_named_after_the_patience() -> None:
    with pytest.raises(ConfigError, match=r"\[kafka\] servers"):
        kafka_source(
            servers="127.0.0.1:9",
            topic="t",
            group="g",
            settings=KafkaSourceSettings(start_patience_s=1.0),
            clock=SystemClock(),
            rng=random.Random(0),
        ).run(lambda shard: ScriptedPath(), threading.Event())
