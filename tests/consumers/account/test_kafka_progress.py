"""Who has passed what of a Kafka topic, on a real broker."""

import datetime as dt
import threading
import time
from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import OffsetAndMetadata

from consumers.account.kafka import KafkaPeek, KafkaProgress, kafka_shards
from consumers.account.progress import SKEW, Place, frontiers
from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from infra.local.kafka.testing import LocalBroker
from runtime.errors import ConfigError
from runtime.outage import Outage

pytestmark = pytest.mark.integration

NewTopic_ = Callable[[int], str]
NOBODY = "127.0.0.1:9"
FIRST, SECOND, THIRD = "partition-00000", "partition-00001", "partition-00002"


def at(offset: int) -> Checkpoint:
    return Checkpoint.at(Position(offset))


def history(offset: int) -> Checkpoint:
    """As the end of a manifest has it."""
    return Checkpoint.at(Position(offset, 2**63 - 1))


def put(kafka: str, topic: str, partition: int, *payloads: bytes) -> list[dt.datetime]:
    """Returns when each arrived, by the broker."""
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=0)
    arrivals = []
    for payload in payloads:
        answer = producer.send(topic, payload, partition=partition).get(30)
        arrivals.append(dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=answer.timestamp))
        time.sleep(0.002)  # no two bear one time
    producer.close()
    return arrivals


def commit(kafka: str, group: str, topic: str, offsets: dict[int, int]) -> None:
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    where = {TopicPartition(topic, number): OffsetAndMetadata(offset, "", -1) for number, offset in offsets.items()}
    consumer.assign(list(where))
    consumer.commit(where)
    consumer.close()


def test_partitions_are_shards_that_never_end(kafka: str, new_topic: NewTopic_) -> None:
    shards = kafka_shards(kafka, new_topic(3))
    assert [shard.shard_id for shard in shards] == [FIRST, SECOND, THIRD]
    assert all(shard.is_open and not shard.parents for shard in shards)


def test_the_groups_offsets_are_what_was_taken(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(3)
    progress = KafkaProgress(kafka, f"live-{topic}", topic)
    assert progress.taken() == {}
    put(kafka, topic, 0, b"1", b"2")
    put(kafka, topic, 1, b"1")
    commit(kafka, f"live-{topic}", topic, {0: 2, 1: 0})
    assert progress.taken() == {FIRST: at(2)}
    commit(kafka, f"live-{topic}", topic, {1: 1})
    assert progress.taken() == {FIRST: at(2), SECOND: at(1)}


def test_the_record_after_a_place_is_seen_with_its_arrival(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(3)
    times = put(kafka, topic, 0, b"1", b"2", b"3")
    others = put(kafka, topic, 1, b"1")
    peek = KafkaPeek(kafka, topic)
    places: list[Place] = [
        (FIRST, TRIM_HORIZON),
        (FIRST, at(1)),
        (FIRST, history(2)),
        (FIRST, at(3)),
        (SECOND, TRIM_HORIZON),
        (SECOND, history(1)),
        (THIRD, TRIM_HORIZON),
    ]
    found = {place: waiting.since for place, waiting in peek.waiting_after(places).items()}
    assert found == {
        (FIRST, TRIM_HORIZON): times[0],
        (FIRST, at(1)): times[1],
        (FIRST, history(2)): times[2],
        (SECOND, TRIM_HORIZON): others[0],
    }
    (later,) = put(kafka, topic, 0, b"4")
    assert {place: waiting.since for place, waiting in peek.waiting_after(places).items()} == {
        **found,
        (FIRST, at(3)): later,
    }
    assert peek.waiting_after([(THIRD, TRIM_HORIZON)]) == {}


def test_what_was_seen_once_is_not_asked_again(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(1)
    put(kafka, topic, 0, b"1")
    peek = KafkaPeek(kafka, topic)
    seen = peek.waiting_after([(FIRST, TRIM_HORIZON)])
    peek._servers = NOBODY
    assert peek.waiting_after([(FIRST, TRIM_HORIZON)]) == seen
    assert peek.waiting_after([]) == {}


def test_where_the_head_has_expired_the_oldest_record_follows(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(2)
    times = put(kafka, topic, 0, b"1", b"2", b"3", b"4")
    put(kafka, topic, 1, b"1", b"2")
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.delete_records({TopicPartition(topic, 0): 3, TopicPartition(topic, 1): 2})
    admin.close()
    peek = KafkaPeek(kafka, topic)
    places: list[Place] = [(FIRST, TRIM_HORIZON), (FIRST, at(1)), (FIRST, at(3)), (FIRST, at(4)), (SECOND, at(1))]
    found = peek.waiting_after(places)
    assert {place: waiting.since for place, waiting in found.items()} == dict.fromkeys(places[:3], times[3])


def test_records_too_many_and_too_large_for_one_look_are_none_to_it(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(4)
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    for number in range(4):
        producer.send(topic, b"x" * 900_000, partition=number)
        for _ in range(3_000):
            producer.send(topic, b"x" * 20, partition=number)
    producer.close()
    shards = [f"partition-{number:05d}" for number in range(4)]
    places: list[Place] = [(shard, place) for shard in shards for place in (TRIM_HORIZON, at(1), at(3_000), at(3_001))]
    found = KafkaPeek(kafka, topic).waiting_after(places)
    assert set(found) == {place for place in places if place[1] != at(3_001)}


def test_offsets_without_records_are_passed_over(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(1)
    producer = KafkaProducer(bootstrap_servers=kafka, transactional_id=f"t-{topic}")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, b"1", partition=0)
    producer.commit_transaction()  # leaves an offset of its own
    producer.close()
    assert KafkaPeek(kafka, topic).waiting_after([(FIRST, at(1)), (FIRST, at(2))]) == {}
    times = put(kafka, topic, 0, b"2")
    found = KafkaPeek(kafka, topic).waiting_after([(FIRST, at(1)), (FIRST, at(2)), (FIRST, at(3))])
    assert {place: waiting.since for place, waiting in found.items()} == {
        (FIRST, at(1)): times[0],
        (FIRST, at(2)): times[0],
    }


def test_a_store_that_has_all_has_passed_every_known_heartbeat(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(3)
    times = put(kafka, topic, 0, b"1", b"2")
    put(kafka, topic, 1, b"1")
    commit(kafka, topic, topic, {0: 2, 1: 1})
    until = times[1] + dt.timedelta(microseconds=1)
    taken = {"live": KafkaProgress(kafka, topic, topic).taken(), "lake": {FIRST: history(1), SECOND: history(1)}}
    found = frontiers(kafka_shards(kafka, topic), taken, KafkaPeek(kafka, topic), until)
    assert (found["live"].before, found["live"].behind) == (until, {})
    assert found["lake"].before == times[1] - SKEW
    assert set(found["lake"].behind) == {FIRST}


def test_a_place_beyond_the_end_is_no_silence(kafka: str, new_topic: NewTopic_) -> None:
    topic = new_topic(1)
    put(kafka, topic, 0, b"1")
    with pytest.raises(ConfigError, match="ends at offset 1, but was taken up to 5"):
        KafkaPeek(kafka, topic).waiting_after([(FIRST, TRIM_HORIZON), (FIRST, history(5))])


def test_a_topic_that_is_not_there_is_the_operators_to_mend(kafka: str) -> None:
    for look in (lambda: kafka_shards(kafka, "absent"), KafkaProgress(kafka, "live", "absent").taken):
        with pytest.raises(ConfigError, match="no topic 'absent'"):
            look()


def test_a_topic_without_arrival_times_is_the_operators_to_mend(kafka: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic("no-arrival-times", 1, 1)])
    admin.close()
    with pytest.raises(ConfigError, match="LogAppendTime"):
        kafka_shards(kafka, "no-arrival-times")


def test_brokers_that_are_away_are_an_outage_and_leave_nothing_behind() -> None:
    before = threading.active_count()
    looks = (
        lambda: kafka_shards(NOBODY, "orders"),
        KafkaProgress(NOBODY, "live", "orders").taken,
        lambda: KafkaPeek(NOBODY, "orders").waiting_after([(FIRST, TRIM_HORIZON)]),
    )
    for look in looks:
        with pytest.raises(Outage, match="no Kafka broker answers"):
            look()
    assert threading.active_count() == before


def test_a_broker_that_dies_under_a_look_is_an_outage(kafka_broker: LocalBroker, new_topic: NewTopic_) -> None:
    topic = new_topic(1)
    put(kafka_broker.address, topic, 0, b"1")
    peek = KafkaPeek(kafka_broker.address, topic)
    troubles: list[Outage] = []

    def look_on() -> None:
        while True:
            try:
                peek._seen.clear()
                peek.waiting_after([(FIRST, TRIM_HORIZON)])
            except Outage as outage:
                troubles.append(outage)
                return

    looking = threading.Thread(target=look_on)
    looking.start()
    try:
        time.sleep(0.5)
        kafka_broker.kill()
        looking.join(30)
        assert troubles
    finally:
        kafka_broker.start()
    end = time.monotonic() + 60
    while True:
        try:
            assert peek.waiting_after([(FIRST, TRIM_HORIZON)])
            return
        except Outage:
            assert time.monotonic() < end
