"""Where letters are sent again: a stream of Kinesis, a topic of Kafka."""

import random
import uuid
from collections.abc import Callable

import pytest
from kafka import KafkaConsumer

from consumers.letters.outlets import AT_ONCE, KafkaOutlet, KinesisOutlet, outlet_of, send
from consumers.letters.testing import MemoryOutlet
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.stream import KinesisStream
from infra.local.endpoints import NOWHERE, Endpoints
from infra.local.prepare import make_stream
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws, Kafka, Streams
from runtime.testing import ManualClock, StopAfter

ENTRIES = [(f"{n % 5:x}", b'{"n":%d}' % n) for n in range(7)]


@pytest.mark.unit
def test_a_stream_that_takes_nothing_is_an_outage_and_one_that_takes_some_says_which() -> None:
    clock, rng = ManualClock(), random.Random(1)
    outlet = MemoryOutlet()
    outlet.refuses = [dict.fromkeys(range(7), "Throttled")] * 50
    with pytest.raises(Outage, match="Throttled"):
        send(outlet, ENTRIES, StopAfter(1_000, clock), rng)
    assert 0 < clock.monotonic() < 60
    outlet.refuses = [{3: "InternalFailure"}, *[{0: "InternalFailure"}] * 50]
    assert send(outlet, ENTRIES, StopAfter(1_000, clock), rng) == [n != 3 for n in range(7)]
    assert AT_ONCE == 500


@pytest.mark.integration
def test_kinesis(stack: Endpoints) -> None:
    name = f"letters-{uuid.uuid4().hex[:8]}"
    kinesis = client("kinesis", stack.aws)
    make_stream(kinesis, name)
    outlet = outlet_of("order", Streams(transactions=name), stack.aws, Kafka())
    assert outlet.put(ENTRIES) == [None] * 7
    stream = KinesisStream(kinesis, name)
    found = []
    for shard in stream.shards():
        found += [each.data for each in stream.read(stream.iterator(shard.shard_id, TRIM_HORIZON), None).records]
    assert sorted(found) == sorted(data for _, data in ENTRIES)
    with pytest.raises(ConfigError, match=r"see \[streams\]"):
        KinesisOutlet(client("kinesis", stack.aws, attempts=1), "none").put(ENTRIES)
    away = Aws(kinesis_endpoint=NOWHERE, access_key_id="x", secret_access_key="y")
    with pytest.raises(Outage):
        outlet_of("order", Streams(), away, Kafka()).put(ENTRIES)
    with pytest.raises(ConfigError, match="access is empty"):
        outlet_of("access", Streams(access=""), stack.aws, Kafka())


@pytest.mark.integration
def test_kafka(kafka: str, new_topic: Callable[..., str]) -> None:
    topic = new_topic(2)
    outlet = outlet_of("order", Streams(transactions=topic, transport="kafka"), Aws(), Kafka(servers=kafka))
    assert outlet.put(ENTRIES) == [None] * 7
    reader = KafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=5_000)
    found = sorted(next(reader).value for _ in ENTRIES)
    reader.close()
    assert found == sorted(data for _, data in ENTRIES)
    with pytest.raises(ConfigError, match="no topic"):
        KafkaOutlet(kafka, "none-such").put(ENTRIES)
    with pytest.raises(Outage):
        KafkaOutlet("127.0.0.1:9", topic).put(ENTRIES)
