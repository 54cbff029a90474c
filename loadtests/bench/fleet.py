"""Our Kinesis source as a reader beside async-kinesis and the Java KCL with AWS's MultiLangDaemon.

Orders of 366 bytes on four shards of the local Kinesis without limits, in aggregates as the agent sends them and each
by itself, read from the oldest on by one worker whose path only counts; every reader polls a shard five times a second,
10,000 records a read; ours by fan-out too. Each runs in a process of its own, starting it not counted (of Java: before
its first record). Leases are there before. async-kinesis is given no table: it checkpoints in memory.

Then how long a worker takes from its start to its first record, and from another's end to the first record of each of
the other's shards, by the settings as they are delivered.

Another reader that cannot be installed, or fails, is left out, and stderr says so.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import msgspec
from rich.console import Console

from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from infra.local.home import PROJECT
from infra.local.kinesis.process import ServerProcess
from infra.local.testing import local_stack
from loadtests.bench.cold_streams import Keyed, fill
from loadtests.bench.fleet_child import Drained, Job
from loadtests.bench.fleet_handover import Gaps, handed_over
from loadtests.bench.fleet_others import Drain, async_kinesis, multilang
from loadtests.bench.orders import orders
from loadtests.bench.report import Figure
from producers.agent.pack import partition_key
from runtime.aws import client
from runtime.settings import Aws

RUNS = 3
RECORDS = 400_000  # a stream
_AS_CHEAP = 1.25  # times: an event holds a fifth of an answer, so there are more of them
_STREAMS = ("aggregates", "plain")
_ASYNC_KINESIS, _MULTILANG = "async-kinesis 3.0.1", "the Java MultiLangDaemon"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """One way to read, and what it took, a run each, by stream."""

    name: str
    drain: Drain
    prepare: Callable[[Job], None] = lambda job: None  # before the clock starts
    done: dict[str, list[Drained]] = field(default_factory=lambda: {stream: [] for stream in _STREAMS})
    started_s: list[float] = field(default_factory=list)  # from the start of the process to its first record

    def rate(self, stream: str) -> list[float]:
        """Thousand records/s."""
        return [each.records / each.wall_s / 1e3 for each in self.done[stream]]

    def per_cpu_s(self, stream: str) -> list[float]:
        """Thousand records a second of CPU."""
        return [each.records / each.cpu_s / 1e3 for each in self.done[stream]]

    def cpu(self, stream: str) -> list[float]:
        """CPU-s per million records."""
        return [each.cpu_s * 1e6 / each.records for each in self.done[stream]]


def run() -> Sequence[Figure]:
    """Drain, start and hand-over."""
    console = Console(stderr=True)
    names = (f"app-{number}" for number in count())
    ours = _Reader(name="our polls", drain=_ours, prepare=_make_leases)
    fan_out = _Reader(name="our fan-out", drain=_ours_by_fan_out, prepare=_make_leases)
    others = [
        _Reader(name=name, drain=drain)
        for name, drain in ((_ASYNC_KINESIS, async_kinesis(console)), (_MULTILANG, multilang(console)))
        if drain
    ]
    gaps: list[Gaps] = []
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as name, _parts(Path(name)) as aws:
        for stream in _STREAMS:
            fill(client("kinesis", aws), stream, _orders(), aggregate=stream == "aggregates")
        for _ in range(RUNS):
            for stream in _STREAMS:
                for reader in (ours, fan_out):
                    _drain(reader, Job(aws=aws, stream=stream, application=next(names), records=RECORDS))
                for reader in list(others):
                    try:
                        _drain(reader, Job(aws=aws, stream=stream, application=next(names), records=RECORDS))
                    except (RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
                        others.remove(reader)
                        console.print(f"{reader.name} is left out, it did not read to the end: {str(error)[:500]}")
            gaps.append(handed_over(aws, next(names)))
    return [
        *_drain_figures(ours, others),
        *_fan_out_figures(ours, fan_out),
        *_start_figures([ours, *others]),
        *_gap_figures(gaps),
    ]


def _orders() -> Iterator[Keyed]:
    records = orders(RECORDS, wrong_totals=0, unknown_skus=0)
    return ((partition_key(str(number)), data) for number, data in enumerate(records))


def _ours(job: Job) -> Drained:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.bench.fleet_child"],
        input=msgspec.json.encode(job),
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Drained)


def _ours_by_fan_out(job: Job) -> Drained:
    return _ours(msgspec.structs.replace(job, mode="fan_out"))


def _make_leases(job: Job) -> None:
    table = DynamoDbLeaseTable(client("dynamodb", job.aws), job.application)
    table.ensure()
    for shard in KinesisStream(client("kinesis", job.aws), job.stream).shards():
        table.create(lease_of(shard, TRIM_HORIZON))


def _drain(reader: _Reader, job: Job) -> None:
    """Once."""
    reader.prepare(job)
    started_s = time.time()
    done = reader.drain(job)
    if done.records < RECORDS:
        raise RuntimeError(f"{reader.name} read {done.records} of {RECORDS} records")
    reader.done[job.stream].append(done)
    reader.started_s.append(done.first_at_s - started_s)


def _drain_figures(ours: _Reader, others: Sequence[_Reader]) -> Iterator[Figure]:
    short = {_ASYNC_KINESIS: "async", _MULTILANG: "multilang"}
    targets = {_ASYNC_KINESIS: 10.0, _MULTILANG: 5.0}  # times as many aggregated records a second of CPU
    for other in others:
        for stream in _STREAMS:
            times = targets[other.name] if stream == "aggregates" else 1.0
            name = f"{stream}_beside_{short[other.name]}"
            beside = other.per_cpu_s(stream)
            yield _figure(f"{name}_per_cpu", "k events/CPU-s", ours.per_cpu_s(stream), beside, other.name, times)
            yield _figure(f"{name}_rate", "k events/s", ours.rate(stream), other.rate(stream), other.name, 1.0)
    for stream in _STREAMS:
        baseline = others[0] if others else ours
        yield Figure(
            name=f"{stream}_cpu",
            unit="CPU-s/M events",
            better="lower",
            target=statistics.median(baseline.cpu(stream)) / (10.0 if stream == "aggregates" else 1.0),
            values=ours.cpu(stream),
            baseline=baseline.name,
            baseline_values=baseline.cpu(stream),
        )


def _figure(name: str, unit: str, values: list[float], beside: list[float], baseline: str, times: float) -> Figure:
    """Higher is better; its target is so many times the other's median."""
    return Figure(
        name=name,
        unit=unit,
        better="higher",
        target=times * statistics.median(beside),
        values=values,
        baseline=baseline,
        baseline_values=beside,
    )


def _fan_out_figures(ours: _Reader, fan_out: _Reader) -> Iterator[Figure]:
    """Beside our polls: events are to be as cheap as answers."""
    for stream in _STREAMS:
        yield Figure(
            name=f"{stream}_fan_out_cpu",
            unit="CPU-s/M events",
            better="lower",
            target=statistics.median(ours.cpu(stream)) * _AS_CHEAP,
            values=fan_out.cpu(stream),
            baseline=ours.name,
            baseline_values=ours.cpu(stream),
        )


def _start_figures(readers: Sequence[_Reader]) -> Iterator[Figure]:
    ours, other = readers[0], readers[-1]
    yield Figure(
        name="start_to_first_record",
        unit="s",
        better="lower",
        target=3.0,
        values=ours.started_s,
        baseline=other.name,
        baseline_values=other.started_s,
    )


def _gap_figures(gaps: Sequence[Gaps]) -> Iterator[Figure]:
    settings = KinesisSourceSettings()
    limit_s = settings.failover_s + settings.scan_s
    for name, target, values in (
        ("clean_stop_handover", 2.0, [each.stopped_s for each in gaps]),
        ("kill_handover", limit_s, [each.killed_s for each in gaps]),
    ):
        yield Figure(
            name=name,
            unit="s",
            better="lower",
            target=target,
            values=values,
            baseline="the failover and one look for leases, as set",
            baseline_values=[limit_s] * len(gaps),
        )


@contextmanager
def _parts(folder: Path) -> Iterator[Aws]:
    """A Kinesis without limits, and DynamoDB."""
    with (
        local_stack(folder / "stack", parts=("ministack",)) as endpoints,
        ServerProcess(folder / "kinesis", "--no-limits") as server,
    ):
        yield replace(endpoints.aws, kinesis_endpoint=server.url)
