"""The Kinesis source in one process: on parts in memory, and on a real stream and a real lease table."""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from consumers.delivery import Path, Shard, Source
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import KinesisSource, kinesis_source
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards, fixed_random
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.settings import Aws
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.integration  # threads and real time, also without services


class MemoryBench:
    """Two scripted shards and a table in memory; reads as fast as it can."""

    def __init__(self) -> None:
        self.table = InMemoryLeaseTable()
        self.stream = ScriptedStream(even_shards(2), page=10)

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        self.stream.put(even_shards(2)[shard].shard_id, *payloads)

    def source(self, cool_down_s: float = 30.0) -> KinesisSource:
        settings = KinesisSourceSettings(scan_s=0.01, poll_s=0.001, checkpoint_s=0.05, cool_down_s=cool_down_s)
        return KinesisSource(
            stream=self.stream, table=self.table, settings=settings, clock=SystemClock(), rng=fixed_random()
        )


class RealBench:
    """A stream of two shards and a lease table of its own."""

    def __init__(self, aws: Aws, name: str, reading: KinesisReadingSettings | None = None) -> None:
        self._aws = aws
        self._reading = reading
        self._kinesis = client("kinesis", aws)
        self.name = name

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        put_in_order(self._kinesis, self.name, shard, payloads)

    def source(self) -> Source:
        settings = KinesisSourceSettings(poll_s=0.25, scan_s=0.2)
        return kinesis_source(
            aws=self._aws, stream=self.name, application=self.name, settings=settings, reading=self._reading
        )


def put_in_order(kinesis: Any, stream: str, shard: int, payloads: Sequence[bytes]) -> None:
    for payload in payloads:
        kinesis.put_record(StreamName=stream, Data=payload, PartitionKey="k", ExplicitHashKey=str(shard * 2**127 + 1))


class TestInMemory(SourceConformance):
    @pytest.fixture
    def bench(self) -> SourceBench:
        return MemoryBench()


class TestOnRealParts(SourceConformance):
    @pytest.fixture
    def bench(self, aws: Aws, new_stream: Callable[[int], str]) -> SourceBench:
        return RealBench(aws, new_stream(2))


class TestByFanOut(SourceConformance):
    @pytest.fixture
    def bench(self, aws: Aws, new_stream: Callable[[int], str]) -> SourceBench:
        return RealBench(aws, new_stream(2), KinesisReadingSettings(mode="fan_out"))


def run_with(source: KinesisSource, open_path: Callable[[Shard], Path], stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=source.run, args=(open_path, stop))
    thread.start()
    return thread


def test_a_failing_shard_is_given_up_and_tried_again_while_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = MemoryBench()
    bench.put(0, [b"poison", b"a"])
    bench.put(1, [b"b"])
    source, stop, seen = bench.source(cool_down_s=0.05), threading.Event(), threading.Event()
    trouble: dict[bytes, list[Exception]] = {b"poison": [OSError("disk full"), OSError("disk full")]}
    paths: list[ScriptedPath] = []

    def look() -> None:
        if sum(len(path.taken) for path in paths) == 3:
            seen.set()

    def open_path(shard: Shard) -> Path:
        paths.append(ScriptedPath(trouble=trouble, on_offer=look))
        return paths[-1]

    thread = run_with(source, open_path, stop)
    try:
        assert seen.wait(30)
    finally:
        stop.set()
        thread.join()
    assert sorted(payload for path in paths for payload in path.payloads) == [b"a", b"b", b"poison"]
    assert len(paths) == 4
    assert source.failures == 2
    assert "disk full" in caplog.text


def test_what_the_operator_must_change_ends_the_run_after_the_other_shards_settled() -> None:
    bench = MemoryBench()
    bench.put(1, [b"b"])
    paths: list[ScriptedPath] = []

    def open_path(shard: Shard) -> Path:
        trouble: dict[bytes, list[Exception]] = {b"refused": [ConfigError("no such index template")]}
        paths.append(ScriptedPath(trouble=trouble, on_offer=lambda: bench.put(0, [b"refused"])))
        return paths[-1]

    with pytest.raises(ConfigError, match="index template"):
        bench.source().run(open_path, threading.Event())
    assert {path.log[-1] for path in paths} == {"accept refused", "settle"}


def test_a_stopped_source_owns_nothing_and_its_status_shows_where_it_stopped() -> None:
    bench = MemoryBench()
    bench.put(0, [b"a", b"b"])
    source, stop, seen = bench.source(), threading.Event(), threading.Event()
    thread = run_with(source, lambda shard: ScriptedPath(on_offer=seen.set), stop)
    assert seen.wait(30)
    stop.set()
    thread.join()
    assert [lease.owner for lease in bench.table.read_all()] == [None, None]
    assert sorted(lease.checkpoint.sequence for lease in bench.table.read_all()) == [0, 2]
    assert [status.shard_id for status in source.status()] == [shard.shard_id for shard in even_shards(2)]


def starting(bench: MemoryBench, clock: ManualClock, waits: int = 1_000) -> tuple[KinesisSource, StopAfter]:
    settings = KinesisSourceSettings()
    source = KinesisSource(stream=bench.stream, table=bench.table, settings=settings, clock=clock, rng=fixed_random())
    return source, StopAfter(waits, clock)


def test_a_table_that_is_away_at_the_start_ends_the_run_after_a_minute_with_what_to_change() -> None:
    bench, clock = MemoryBench(), ManualClock()
    bench.table.away = True
    source, stop = starting(bench, clock)
    with pytest.raises(ConfigError, match=r"table is away; waited 60 s for it: .*\[aws\] kinesis_endpoint"):
        source.run(lambda shard: ScriptedPath(), stop)
    assert clock.monotonic() == pytest.approx(60)


def test_a_table_that_comes_back_in_time_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    bench, clock = MemoryBench(), ManualClock()

    class Returning(InMemoryLeaseTable):
        def ensure(self) -> None:
            self.away = clock.monotonic() < 50
            super().ensure()

    bench.table = Returning()
    source, stop = starting(bench, clock, waits=100)
    source.run(lambda shard: ScriptedPath(), stop)
    assert len(bench.table.read_all()) == 2
    assert "the lease table is away; waiting" in caplog.text


def test_a_stop_ends_a_start_that_waits() -> None:
    bench = MemoryBench()
    bench.table.away = True
    source, stop = starting(bench, ManualClock(), waits=3)
    source.run(lambda shard: pytest.fail("read"), stop)


def test_a_dead_port_ends_the_run_and_leaves_no_table(aws: Aws) -> None:
    name = f"source-{uuid.uuid4().hex[:8]}"
    nowhere = replace(aws, kinesis_endpoint="http://127.0.0.1:9")
    settings = KinesisSourceSettings(start_patience_s=0.5)
    source = kinesis_source(aws=nowhere, stream=name, application=name, settings=settings)
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9.* waited 0\.5 s"):
        source.run(lambda shard: ScriptedPath(), threading.Event())
    assert name not in client("dynamodb", aws).list_tables()["TableNames"]


@pytest.mark.parametrize(("stream", "application"), [("no good", "fine"), ("fine", "no good")])
def test_names_that_aws_refuses_are_one_line(
    aws: Aws, new_stream: Callable[[int], str], stream: str, application: str
) -> None:
    stream = new_stream(1) if stream == "fine" else stream
    source = kinesis_source(aws=aws, stream=stream, application=application, settings=KinesisSourceSettings())
    with pytest.raises(ConfigError, match="no good"):
        source.run(lambda shard: ScriptedPath(), threading.Event())


def test_a_stream_that_does_not_exist_is_named(aws: Aws) -> None:
    name = f"source-{uuid.uuid4().hex[:8]}"
    source = kinesis_source(aws=aws, stream=name, application=name, settings=KinesisSourceSettings())
    with pytest.raises(ConfigError, match=f"no stream '{name}'"):
        source.run(lambda shard: ScriptedPath(), threading.Event())
