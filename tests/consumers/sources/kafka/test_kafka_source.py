"""A consumer group as a source, on a real broker."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from consumers.delivery import Backpressure, Batch, Path, Position, Shard
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kafka.testing import KafkaBench, running, until
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance, run_source
from contract.kpl.aggregate import opened
from contract.kpl.writing import packed_together
from runtime.errors import ConfigError
from runtime.outage import Outage

pytestmark = pytest.mark.integration

NewTopic = Callable[[int], str]


class Counting:
    """A path that keeps nothing."""

    count = 0

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        self.count += len(batch.records)
        return batch.end

    def tick(self) -> Position | None:
        return None

    def settle(self) -> Position | None:
        return None


class TestOnABroker(SourceConformance):
    @pytest.fixture
    def bench(self, kafka: str, new_topic: NewTopic) -> SourceBench:
        return KafkaBench(kafka, new_topic(2), KafkaSourceSettings(cool_down_s=0.5))


def test_the_commit_is_the_durable_position_not_what_was_read(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(1))
    bench.put(0, [b"%d" % number for number in range(10)])
    taken = threading.Event()
    path = ScriptedPath(trails=4, on_offer=taken.set)
    with running(bench.kafka_source(), lambda shard: path):
        assert taken.wait(30)
        until(lambda: bench.committed(0) == 6)
    assert bench.committed(0) == 10


def test_a_second_member_takes_its_share_and_all_of_it_after_a_stop(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(2))
    opened_by = [set[str](), set[str]()]

    def opener(number: int) -> Callable[[Shard], Path]:
        def open_path(shard: Shard) -> Path:
            opened_by[number].add(shard.shard_id)
            return ScriptedPath()

        return open_path

    with running(bench.kafka_source(), opener(1)):
        with running(bench.kafka_source(), opener(0)):
            until(lambda: all(opened_by))
        until(lambda: len(opened_by[1]) == 2)


def test_a_rebalance_brings_nothing_twice_to_a_path_that_stays(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(2), KafkaSourceSettings(checkpoint_s=60.0))  # far behind what was read
    paths: list[ScriptedPath] = []

    def open_path(shard: Shard) -> Path:
        paths.append(ScriptedPath())
        return paths[-1]

    def payloads() -> list[list[bytes]]:
        return sorted(path.payloads for path in paths)

    for shard in range(2):
        bench.put(shard, [b"%d-a" % shard])
    with running(bench.kafka_source(), open_path):
        until(lambda: payloads() == [[b"0-a"], [b"1-a"]])
        with running(bench.kafka_source(), open_path):
            until(lambda: len(paths) == 3 and paths[2].payloads != [])
            for shard in range(2):
                bench.put(shard, [b"%d-b" % shard])
            until(lambda: sum(path.payloads[-1].endswith(b"-b") for path in paths) == 2)
    stayed, left, successor = sorted(paths[:3], key=lambda path: (path is paths[2], len(path.payloads) == 1))
    assert stayed.payloads == [stayed.payloads[0], stayed.payloads[0].replace(b"a", b"b")]
    assert successor.payloads == [left.payloads[0], left.payloads[0].replace(b"a", b"b")]


def test_a_backlog_comes_from_all_partitions(kafka: str, new_topic: NewTopic) -> None:
    """Each fetch of it is more than one poll of kafka-python brings by default."""
    bench = KafkaBench(kafka, new_topic(4))
    for shard in range(4):
        bench.put(shard, [b"x" * 330] * 25_000)
    paths = [Counting() for _ in range(4)]
    with running(bench.kafka_source(), lambda shard: paths[int(shard.shard_id[-1])]):
        until(lambda: all(path.count == 25_000 for path in paths))


def test_a_path_under_pressure_holds_up_itself_alone(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(2), KafkaSourceSettings(checkpoint_s=0.1))
    pressed = [Backpressure(0.05, "full")] * 10_000
    paths = {name: ScriptedPath(trouble={b"stuck": pressed}) for name in ("partition-00000", "partition-00001")}
    bench.put(0, [b"stuck"])
    source = bench.kafka_source()
    with running(source, lambda shard: paths[shard.shard_id]):
        for number in range(3):
            bench.put(1, [b"%d" % number])
            until(lambda number=number: len(paths["partition-00001"].taken) == number + 1)  # type: ignore[misc]
        until(lambda: bench.committed(1) == 3)
        assert bench.committed(0) is None
        stuck, free = source.status()
        assert (stuck.shard_id, stuck.taken, stuck.durable) == ("partition-00000", None, None)
        assert (stuck.millis_behind or 0) > 0
        assert (free.shard_id, free.taken, free.durable) == ("partition-00001", Position(3), Position(3))
        assert free.millis_behind == 0
        pressed.clear()
        until(lambda: bench.committed(0) == 1)
        until(lambda: all(each.millis_behind == 0 for each in source.status()))
        assert all(each.owner for each in source.status())


def test_a_path_that_cannot_ask_where_to_read_on_waits_and_the_others_do_not(kafka: str, new_topic: NewTopic) -> None:
    class Asking(ScriptedPath):
        away = threading.Event()

        def resume(self, checkpoint: Position | None) -> Position | None:
            if not self.away.is_set():
                raise Outage("S3 is away")
            return Position(2)

    bench = KafkaBench(kafka, new_topic(2))
    bench.put(0, [b"1", b"2", b"3"])
    bench.put(1, [b"free"])
    paths = {"partition-00000": Asking(), "partition-00001": ScriptedPath()}
    with running(bench.kafka_source(), lambda shard: paths[shard.shard_id]):
        until(lambda: paths["partition-00001"].payloads == [b"free"])
        assert paths["partition-00000"].log == []
        Asking.away.set()
        until(lambda: paths["partition-00000"].payloads == [b"3"])


@pytest.mark.parametrize("error", [OSError("disk full"), ConfigError("no such bucket")])
def test_a_path_that_fails_at_the_end_is_named_and_nothing_of_it_is_committed(
    kafka: str, new_topic: NewTopic, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    class Failing(ScriptedPath):
        def settle(self) -> Position | None:
            raise error

    bench = KafkaBench(kafka, new_topic(1))
    bench.put(0, [b"1"])
    path = Failing(trails=1)
    is_fatal = isinstance(error, ConfigError)
    with (
        pytest.raises(ConfigError, match="no such bucket") if is_fatal else nullcontext(),
        running(bench.kafka_source(), lambda shard: path),
    ):
        until(lambda: path.payloads == [b"1"])
    assert is_fatal or "partition-00000 failed at the end" in caplog.text
    assert bench.committed(0) is None


def test_an_aggregate_is_a_record_like_any_other(kafka: str, new_topic: NewTopic) -> None:
    """Only Kinesis's senders aggregate: what looks like it on a topic is somebody's data, and is delivered as it is."""

    class Keeping(ScriptedPath):
        def accept(self, batch: Batch) -> Position | None:
            self.taken.extend(batch.records)
            return batch.end

    bench = KafkaBench(kafka, new_topic(1))
    aggregate = packed_together(["a", "b"], [b'{"n":1}', b'{"n":2}'])
    assert opened(aggregate)
    bench.put(0, [b"before", aggregate, b"after"])
    path = Keeping()
    with running(bench.kafka_source(), lambda shard: path):
        until(lambda: len(path.taken) == 3)
    assert path.payloads == [b"before", aggregate, b"after"]
    assert [record.position for record in path.taken] == [Position(1), Position(2), Position(3)]


def test_a_tombstone_is_an_empty_record_and_arrival_is_the_brokers_time(kafka: str, new_topic: NewTopic) -> None:
    bench = KafkaBench(kafka, new_topic(1))
    bench.put(0, [None, b"1"])
    (path,) = run_source(bench.source(), until=2).values()
    assert path.payloads == [b"", b"1"]
    for record in path.taken:
        assert abs(record.arrived_at - datetime.now(UTC)) < timedelta(minutes=1)
