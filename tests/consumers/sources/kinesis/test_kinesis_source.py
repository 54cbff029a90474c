"""The Kinesis source in one process: on parts in memory, and on a real stream and a real lease table."""

import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from consumers.delivery import Path, Shard, Source
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import KinesisSource, kinesis_source
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards, fixed_random
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.settings import Aws

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

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._kinesis = client("kinesis", aws)
        self.name = name

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        put_in_order(self._kinesis, self.name, shard, payloads)

    def source(self) -> Source:
        settings = KinesisSourceSettings(poll_s=0.25, scan_s=0.2)
        return kinesis_source(aws=self._aws, stream=self.name, application=self.name, settings=settings)


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
    bench.put(0, [b"refused"])
    bench.put(1, [b"b"])
    paths: list[ScriptedPath] = []

    def open_path(shard: Shard) -> Path:
        paths.append(ScriptedPath(trouble={b"refused": [ConfigError("no such index template")]}))
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


def test_an_endpoint_that_is_down_at_the_start_is_one_line(aws: Aws) -> None:
    nowhere = Aws(
        kinesis_endpoint="http://127.0.0.1:9",
        endpoint=aws.endpoint,
        access_key_id="123456789012",
        secret_access_key="x",
    )
    name = f"source-{uuid.uuid4().hex[:8]}"
    source = kinesis_source(aws=nowhere, stream=name, application=name, settings=KinesisSourceSettings())
    with pytest.raises(ConfigError, match=r"cannot start reading .*127\.0\.0\.1:9"):
        source.run(lambda shard: ScriptedPath(), threading.Event())


def test_a_stream_that_does_not_exist_is_named(aws: Aws) -> None:
    name = f"source-{uuid.uuid4().hex[:8]}"
    source = kinesis_source(aws=aws, stream=name, application=name, settings=KinesisSourceSettings())
    with pytest.raises(ConfigError, match=f"no stream '{name}'"):
        source.run(lambda shard: ScriptedPath(), threading.Event())
