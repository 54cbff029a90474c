"""The agent's stream on a real broker, which dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

import producers.agent.kafka
from infra.local.home import PROJECT
from infra.local.kafka.testing import LocalBroker
from producers.agent.kafka import KafkaStream
from producers.agent.pack import Origin, Packed, pack
from producers.agent.running import opened
from producers.agent.settings import AgentSettings, Spooling
from producers.agent.state import read_ledger
from producers.agent.testing import is_heartbeat, original_of
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Kafka, Streams

pytestmark = pytest.mark.integration

NewTopic = Callable[[int], str]
NEVER = threading.Event()
RECOVERY_S = 5.0


def lines(count: int, *, size: int = 100) -> list[Packed]:
    origin, offset, found = Origin("order", "f", "w", "t"), 0, []
    for number in range(count):
        packed = pack(origin, offset, b'{"customer_id":"C-%d","x":"%b"}' % (number % 7, b"x" * size))
        assert packed is not None
        found.append(packed)
        offset = packed.end
    return found


def stored(kafka: str, topic: str) -> list[list[tuple[str, bytes]]]:
    """By partition, in order."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found: list[list[tuple[str, bytes]]] = [[] for _ in partitions]
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, records in consumer.poll(timeout_ms=500).items():
                found[partition.partition] += [(record.key.decode(), record.value) for record in records]
        return found
    finally:
        consumer.close()


def test_a_batch_is_stored_in_order_of_its_keys(kafka: str, new_topic: NewTopic) -> None:
    topic = new_topic(3)
    stream = KafkaStream(kafka, topic)
    stream.check()
    batch = lines(3_000)
    assert stream.put(batch[:2_000], NEVER) == [None] * 2_000
    assert stream.put(batch[2_000:], NEVER) == [None] * 1_000
    stream.close()
    partitions = stored(kafka, topic)
    assert sorted(record for records in partitions for record in records) == sorted(
        (line.key, line.data) for line in batch
    )
    for records in partitions:
        offsets = [original_of(data)[0].o for _, data in records]
        assert offsets == sorted(offsets)


def test_a_record_of_the_largest_size_is_taken(kafka: str, new_topic: NewTopic) -> None:
    stream = KafkaStream(kafka, new_topic(1))
    (line,) = lines(1, size=(1 << 20) - 250)
    assert stream.put([line], NEVER) == [None]
    stream.close()


def test_a_topic_that_is_not_there_is_the_operators_to_mend(kafka: str) -> None:
    stream = KafkaStream(kafka, "absent")
    with pytest.raises(ConfigError, match="no topic 'absent'"):
        stream.check()
    stream.close()


def test_a_broker_that_is_away_is_an_outage_and_leaves_nothing_behind() -> None:
    before = threading.active_count()
    stream = KafkaStream("127.0.0.1:9", "orders")
    for attempt in (stream.check, lambda: stream.put(lines(1), NEVER)):
        with pytest.raises(Outage, match="no Kafka broker answers"):
            attempt()
    assert threading.active_count() == before


def test_an_address_that_is_none_is_the_operators_to_mend() -> None:
    with pytest.raises(ConfigError, match=r"\[kafka\] servers 'host:port'"):
        KafkaStream("host:port", "orders").check()


LEFT = """
import os, signal, sys
from producers.agent.kafka import KafkaStream
stream = KafkaStream(sys.argv[1], sys.argv[2])
stream.check()
stream._producer.partitions_for(sys.argv[2])
os.kill(int(sys.argv[3]), signal.SIGSTOP)
stream._producer.send(sys.argv[2], b"not acknowledged")
"""


def test_a_process_that_ends_with_lines_in_flight_says_nothing(kafka_broker: LocalBroker, new_topic: NewTopic) -> None:
    assert kafka_broker._process is not None
    broker = kafka_broker._process.pid
    command = [sys.executable, "-W", "ignore", "-c", LEFT, kafka_broker.address, new_topic(1), str(broker)]
    try:
        ended = subprocess.run(command, cwd=PROJECT, env={"PYTHONPATH": "."}, capture_output=True, timeout=60)
    finally:
        os.kill(broker, signal.SIGCONT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("away_s", "given_s"),
    [
        (1.0, 10.0),
        (3.5, 2.0),  # longer than a producer is given to bring a batch through: it has to be replaced
        pytest.param(14.0, 10.0, marks=pytest.mark.soak),  # the same with what is shipped
    ],
)
def test_an_agent_goes_on_soon_after_a_killed_broker_is_back(
    tmp_path: Path,
    kafka_broker: LocalBroker,
    new_topic: NewTopic,
    monkeypatch: pytest.MonkeyPatch,
    away_s: float,
    given_s: float,
) -> None:
    monkeypatch.setattr(producers.agent.kafka, "_DELIVERY_MS", round(given_s * 1000))
    topic, stop = new_topic(2), threading.Event()
    settings = AgentSettings(
        kafka=Kafka(servers=kafka_broker.address),
        streams=Streams(transactions=topic, transport="kafka"),
        agent=Spooling(spool=str(tmp_path / "spool"), state=str(tmp_path / "state")),
    )
    (tmp_path / "spool").mkdir()
    file = (tmp_path / "spool" / "a.ndjson").open("ab", buffering=0)
    moved: list[tuple[float, int]] = []  # times at which the state on disk moved
    with opened(settings) as agent:
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        try:
            written = 0

            def go_on(seconds: float, *, until: int | None = None) -> None:
                nonlocal written
                end_s = time.monotonic() + seconds
                while time.monotonic() < end_s and (until is None or moved[-1][1] < until):
                    if until is None:
                        file.write(b'{"customer_id":"C-%d","n":%d}\n' % (written % 9, written))
                        written += 1
                    done = read_ledger(tmp_path / "state").acknowledged_lines
                    if not moved or done > moved[-1][1]:
                        moved.append((time.monotonic(), done))
                    time.sleep(0.01)

            go_on(0.7)
            kafka_broker.kill()
            go_on(away_s)
            killed_at = moved[-1][1]
            back_s = kafka_broker.start()
            go_on(RECOVERY_S + 5.0, until=killed_at + 1)
            recovered_s = moved[-1][0] - back_s
            go_on(0.3)
            go_on(30.0, until=written)
        finally:
            stop.set()
            thread.join()
            file.close()
    assert recovered_s < RECOVERY_S
    content = (tmp_path / "spool" / "a.ndjson").read_bytes().split(b"\n")[:-1]
    arrived = [data for records in stored(kafka_broker.address, topic) for _, data in records]
    assert {original_of(data)[1] for data in arrived if not is_heartbeat(data)} == set(content)
    assert moved[-1][1] == written == len(content)
