"""A consumer group where records are gone, the brokers are away, or the operator has to act."""

import logging
import threading
import time
from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from consumers.delivery import Path, Position, Shard
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kafka.source import kafka_source
from consumers.sources.kafka.testing import QUICK, KafkaBench, running, until
from consumers.sources.testing import ScriptedPath, run_source
from infra.local.kafka.testing import LocalBroker
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

MakeTopic = Callable[[int], str]
READING_ON = KafkaSourceSettings(after_trim="read_on", checkpoint_s=0.1)


def test_records_that_are_gone_are_a_named_gap(
    kafka: str, new_topic: MakeTopic, caplog: pytest.LogCaptureFixture
) -> None:
    bench = KafkaBench(kafka, new_topic(1))
    bench.put(0, [b"1", b"2"])
    run_source(bench.source(), until=2)
    bench.put(0, [b"3", b"4", b"5"])
    bench.expire(0, 4)
    source = bench.kafka_source()
    path = ScriptedPath()
    with running(source, lambda shard: path):
        until(lambda: source.failures >= 2)  # it looks again after each cool-down
        assert source.status() == []
    gap = f"{bench.topic}/partition-00000 is not read, records may be lost: Kafka no longer holds offset 2"
    assert f'{gap}, the oldest is 4; set [kafka_group] after_trim = "read_on" to accept the gap' in caplog.text
    assert path.taken == []
    assert bench.committed(0) == 2
    accepting = KafkaBench(kafka, bench.topic, READING_ON)
    (path,) = run_source(accepting.source(), until=1).values()
    assert path.payloads == [b"5"]
    assert "reading on: Kafka no longer holds offset 2, the oldest is 4" in caplog.text


@pytest.mark.parametrize("accepted", [False, True])
def test_records_that_go_while_they_wait_to_be_read_are_a_named_gap(
    kafka: str, new_topic: MakeTopic, caplog: pytest.LogCaptureFixture, accepted: bool
) -> None:
    bench = KafkaBench(kafka, new_topic(1), READING_ON if accepted else QUICK)
    bench.put(0, [b"1"])
    go_on = threading.Event()

    class Slow(ScriptedPath):
        def tick(self) -> Position | None:
            go_on.wait(30)
            return super().tick()

    paths: list[ScriptedPath] = []

    def open_path(shard: Shard) -> Path:
        paths.append(Slow(on_offer=lambda: go_on.wait(30)))
        return paths[-1]

    source = bench.kafka_source()
    with running(source, open_path):
        until(lambda: bool(paths and paths[0].log))  # it holds the first record: nothing more is fetched
        bench.put(0, [b"2", b"3", b"4"])
        bench.expire(0, 3)
        go_on.set()
        until(lambda: "records may be lost" in caplog.text)
        if accepted:
            until(lambda: paths[0].payloads == [b"1", b"4"])
        else:
            until(lambda: source.failures > 0)
    assert "Kafka no longer holds offset 1, the oldest is 3" in caplog.text
    assert b"4" not in paths[0].payloads or accepted


@pytest.mark.parametrize("settings", [QUICK, READING_ON])
def test_a_topic_that_ends_before_the_commit_is_not_read_from_anywhere(
    kafka: str, new_topic: MakeTopic, caplog: pytest.LogCaptureFixture, settings: KafkaSourceSettings
) -> None:
    """Made again, or its end was lost: the same offsets come again with other records."""
    bench = KafkaBench(kafka, new_topic(1), settings)
    bench.put(0, [b"1", b"2"])
    bench.commit(0, 7)
    source = bench.kafka_source()
    path = ScriptedPath()
    with running(source, lambda shard: path):
        until(lambda: source.failures > 0)
        bench.put(0, [b"3"])
        time.sleep(0.5)
    assert "Kafka ends at offset 2, before 7; read it as another application" in caplog.text
    assert path.taken == []
    assert bench.committed(0) == 7


def test_a_broker_that_dies_is_waited_for_and_nothing_comes_twice(
    kafka_broker: LocalBroker, new_topic: MakeTopic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench = KafkaBench(kafka_broker.address, new_topic(2))
    bench.put(0, [b"1"])
    paths = {name: ScriptedPath() for name in ("partition-00000", "partition-00001")}
    with running(bench.kafka_source(), lambda shard: paths[shard.shard_id]):
        until(lambda: paths["partition-00000"].payloads == [b"1"])
        until(lambda: bench.committed(0) == 1)
        kafka_broker.kill()
        until(lambda: "no Kafka broker answers" in caplog.text and "waiting, nothing is lost" in caplog.text)
        back_s = kafka_broker.start()
        again = KafkaBench(kafka_broker.address, bench.topic)
        again.put(0, [b"2"])
        again.put(1, [b"3"])
        until(lambda: paths["partition-00000"].payloads == [b"1", b"2"])
        until(lambda: paths["partition-00001"].payloads == [b"3"])
        assert time.monotonic() - back_s < 20.0  # most of it the broker's own start, on two busy cores
        until(lambda: again.committed(0) == 2)
    assert "well again" in caplog.text


def test_a_stop_does_not_wait_for_a_broker_that_is_away(kafka_broker: LocalBroker, new_topic: MakeTopic) -> None:
    bench = KafkaBench(kafka_broker.address, new_topic(1))
    bench.put(0, [b"1"])
    path = ScriptedPath(trails=1)
    try:
        with running(bench.kafka_source(), lambda shard: path) as stop:
            until(lambda: path.payloads == [b"1"])
            kafka_broker.kill()
            time.sleep(0.5)
            stop.set()
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 10.0
        assert path.log[-1] == "settle"
    finally:
        kafka_broker.start()
    (path,) = run_source(KafkaBench(kafka_broker.address, bench.topic).source(), until=1).values()
    assert path.payloads == [b"1"]  # its commit had nowhere to go


def test_a_topic_that_is_not_there_is_the_operators_to_mend(kafka: str) -> None:
    with pytest.raises(ConfigError, match="no topic 'absent'"):
        run(kafka, "absent")


def test_a_topic_without_arrival_times_is_the_operators_to_mend(kafka: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic("created", 1, 1)])
    admin.close()
    with pytest.raises(ConfigError, match=r"message\.timestamp\.type=CreateTime: set it to LogAppendTime"):
        run(kafka, "created")


def test_a_session_that_no_broker_takes_is_the_operators_to_mend(kafka: str, new_topic: MakeTopic) -> None:
    with pytest.raises(ConfigError, match="InvalidSessionTimeout"):
        run(kafka, new_topic(1), session_s=0.5)


def test_an_address_that_is_none_is_the_operators_to_mend() -> None:
    with pytest.raises(ConfigError, match=r"\[kafka\] servers 'host:port'"):
        run("host:port", "orders")


def test_brokers_that_stay_away_are_named_after_the_patience() -> None:
    before = threading.active_count()
    with pytest.raises(ConfigError, match=r"\[kafka\] servers; \[kafka_group\] start_patience_s"):
        run("127.0.0.1:9", "orders", start_patience_s=1.0)
    assert threading.active_count() == before


def run(servers: str, topic: str, **changes: float) -> None:
    source = kafka_source(servers=servers, topic=topic, group="group", settings=KafkaSourceSettings(**changes))  # type: ignore[arg-type]
    source.run(lambda shard: ScriptedPath(), threading.Event())
