"""One application on a real topic, for tests."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from consumers.delivery import Path, Shard, Source
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kafka.source import KafkaSource, kafka_source

# The session is as short as a broker takes it.
QUICK = KafkaSourceSettings(session_s=6.0, cool_down_s=0.5, checkpoint_s=0.1, start_patience_s=1.0)


class KafkaBench:
    """A topic, a group of its own, and what a test does to both. Partitions are told by their numbers."""

    def __init__(self, kafka: str, topic: str, settings: KafkaSourceSettings = QUICK) -> None:
        self.topic = topic
        self.group = f"group-{topic}"
        self._kafka = kafka
        self._settings = settings
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all")

    def put(self, shard: int, payloads: Sequence[bytes | None]) -> None:
        """None: a tombstone."""
        for payload in payloads:
            self._producer.send(self.topic, payload, key=b"k", partition=shard)
        self._producer.flush()

    def source(self) -> Source:
        return self.kafka_source()

    def kafka_source(self) -> KafkaSource:
        return kafka_source(servers=self._kafka, topic=self.topic, group=self.group, settings=self._settings)

    def committed(self, partition: int) -> int | None:
        """The group's offset."""
        consumer = KafkaConsumer(bootstrap_servers=self._kafka, group_id=self.group)
        try:
            offset: int | None = consumer.committed(TopicPartition(self.topic, partition))
            return offset
        finally:
            consumer.close()

    def commit(self, partition: int, offset: int) -> None:
        """In the place of a member, while there is none."""
        consumer = KafkaConsumer(bootstrap_servers=self._kafka, group_id=self.group, enable_auto_commit=False)
        where = TopicPartition(self.topic, partition)
        consumer.assign([where])
        consumer.commit({where: OffsetAndMetadata(offset, "", -1)})
        consumer.close()

    def expire(self, partition: int, before: int) -> None:
        """Records before this offset are gone, as retention does it."""
        admin = KafkaAdminClient(bootstrap_servers=self._kafka)
        admin.delete_records({TopicPartition(self.topic, partition): before})
        admin.close()

    def close(self) -> None:
        self._producer.close()


@contextmanager
def running(source: KafkaSource, open_path: Callable[[Shard], Path]) -> Iterator[threading.Event]:
    """The source in a thread. Leaving sets the event that stops it, and raises what the run raised."""
    stop, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            source.run(open_path, stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


def until(holds: Callable[[], bool], *, within_s: float = 40.0) -> None:
    """Look until it does."""
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.05)
