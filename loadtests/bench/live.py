"""Stream to OpenSearch, client side: live beside what a user would write in an afternoon, and beside the node itself.

A backlog of orders of 366 bytes on four shards of the local Kinesis without limits, one in a hundred refused, as the
agent sends them (aggregates) and each by itself. Live drains it into a stock OpenSearch node that runs on the same
cores; so does a loop of boto3, json and opensearch-py's `streaming_bulk`, which opens no aggregates, checks nothing and
keeps no checkpoint. Each runs in a process of its own; what is counted begins with its first batch.

The drain rate is held against the node's own ceiling: the very bulk requests that live makes, ready-made, from two
threads. Both take turns, on a node that has indexed WARM_UP documents before; its indices are dropped between runs.

Last, the CPU of a live process that has nothing to read, by the settings as they are delivered.
"""

import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import msgspec
import psutil
from opensearchpy import OpenSearch
from rich.console import Console

from contract.identity import IdentityKey
from infra.local.home import PROJECT, Home
from infra.local.kinesis.process import ServerProcess
from infra.local.settings import Local, LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from infra.local.testing import DOWNLOADS
from loadtests.bench.cold import publish_reference
from loadtests.bench.cold_streams import Keyed, fill
from loadtests.bench.live_ceiling import Requests, requests_in
from loadtests.bench.live_child import Job, Measured
from loadtests.bench.orders import orders
from loadtests.bench.report import Figure
from producers.agent.pack import partition_key
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects

RUNS = 5
RECORDS = 200_000  # of a stream
REFUSED = 2_000  # of them
WARM_UP = 500_000  # documents that the node has indexed before anything counts
SETTLE_S, IDLE_S = 20.0, 30.0
_REFERENCE = "bench-reference"
_AT_MOST_CPU, _AT_LEAST_SHARE, _AT_MOST_IDLE = 25.0, 75.0, 4.0
_AT_MOST_MIB = 512.0  # the smallest task that Fargate has
_HELPERS = "boto3, json and opensearch-py's streaming_bulk"
_PUBLISHED = "Redpanda Connect 4.61, measured once elsewhere on plain records: 314 CPU-s/M"
_INDICES = "orders-*,hits-*,letters-*,duplicates,helpers"


@dataclass(slots=True, kw_only=True)
class _Found:
    """A run each."""

    live: list[Measured] = field(default_factory=list)
    plain: list[Measured] = field(default_factory=list)
    helpers: list[Measured] = field(default_factory=list)
    ceiling: list[float] = field(default_factory=list)  # documents/s
    idle: list[float] = field(default_factory=list)  # % of a core
    idle_helpers: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """The parts, ready: streams full, node warm."""

    job: Job  # all but what is done
    store: OpenSearch
    requests: Requests
    names: Iterator[int] = field(default_factory=count)

    def drained(self, what: str, stream: str) -> Measured:
        """By a process of its own, into empty indices. Raises RuntimeError where documents are missing."""
        done = _run(self._next(what, stream))
        self.store.indices.refresh(index=_INDICES, params={"ignore_unavailable": "true"})
        stored = self.store.count(index=_INDICES, params={"ignore_unavailable": "true"})["count"]
        if stored != self.job.records:
            raise RuntimeError(f"{what} left {stored} documents of {self.job.records} records")
        self.empty()
        return done

    def ceiling(self) -> float:
        """Documents a second, into empty indices."""
        rate = self.requests.rate(self.job.opensearch)
        self.empty()
        return rate

    def idle(self, what: str) -> float:
        """% of a core that a process takes which finds nothing to read."""
        with tempfile.TemporaryFile() as asked:
            asked.write(msgspec.json.encode(self._next(what, "empty")))
            asked.seek(0)
            process = psutil.Popen([sys.executable, "-m", "loadtests.bench.live_child"], stdin=asked, cwd=PROJECT)
        try:
            time.sleep(SETTLE_S)
            before, started_s = process.cpu_times(), time.monotonic()
            time.sleep(IDLE_S)
            after = process.cpu_times()
            cpu_s = after.user + after.system - before.user - before.system
            return 100.0 * cpu_s / (time.monotonic() - started_s)
        finally:
            process.terminate()
            process.wait(30.0)

    def empty(self) -> None:
        """Drop all documents; the templates stay."""
        self.store.indices.delete(index=_INDICES, params={"ignore_unavailable": "true"})

    def _next(self, what: str, stream: str) -> Job:
        name = f"live-{next(self.names)}"
        return msgspec.structs.replace(self.job, what=what, stream=stream, application=name)


def run() -> Sequence[Figure]:
    """CPU, drain rate, memory, and CPU at rest."""
    found = _Found()
    with tempfile.TemporaryDirectory(prefix="bench-live-") as folder, _ready(Path(folder)) as bench:
        for _ in range(RUNS):
            found.ceiling.append(bench.ceiling())
            found.live.append(bench.drained("live", "aggregates"))
            found.plain.append(bench.drained("live", "plain"))
            found.helpers.append(bench.drained("helpers", "plain"))
        for _ in range(min(RUNS, 3)):
            found.idle.append(bench.idle("live_idle"))
            found.idle_helpers.append(bench.idle("helpers_idle"))
    return _figures(found)


def _figures(found: _Found) -> list[Figure]:
    rates = [each.records / each.wall_s for each in found.live]
    shares = [100.0 * rate / ceiling for rate, ceiling in zip(rates, found.ceiling, strict=True)]

    def cpu(name: str, values: Sequence[Measured]) -> Figure:
        return Figure(
            name=name,
            unit="CPU-s/M events",
            better="lower",
            target=_AT_MOST_CPU,
            values=[each.cpu_s * 1e6 / each.records for each in values],
            baseline=_HELPERS,
            baseline_values=[each.cpu_s * 1e6 / each.records for each in found.helpers],
            note=_PUBLISHED,
        )

    ceiling = "the same requests ready-made, from two threads"
    return [
        cpu("cpu", found.live),
        cpu("cpu_plain", found.plain),
        Figure(
            name="drain_share",
            unit="% of the node's ceiling",
            better="higher",
            target=_AT_LEAST_SHARE,
            values=shares,
            baseline=ceiling,
            baseline_values=[100.0] * len(shares),
        ),
        Figure(
            name="drain_rate",
            unit="events/s",
            better="higher",
            target=_AT_LEAST_SHARE / 100.0 * statistics.median(found.ceiling),
            values=rates,
            baseline=ceiling,
            baseline_values=found.ceiling,
        ),
        Figure(
            name="peak_memory",
            unit="MiB",
            better="lower",
            target=_AT_MOST_MIB,
            values=[each.peak_mib for each in (*found.live, *found.plain)],
            baseline=_HELPERS,
            baseline_values=[each.peak_mib for each in found.helpers],
            note="Redpanda Connect 4.61, measured once elsewhere on plain records: 257 MiB",
        ),
        Figure(
            name="idle_cpu",
            unit="% of a core",
            better="lower",
            target=_AT_MOST_IDLE,
            values=found.idle,
            baseline="a boto3 loop that reads the same shards as often",
            baseline_values=found.idle_helpers,
        ),
    ]


def _run(job: Job) -> Measured:
    command = [sys.executable, "-m", "loadtests.bench.live_child"]
    child = subprocess.run(command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=PROJECT, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


def _orders() -> Iterator[Keyed]:
    started_at = SystemClock().now() - timedelta(milliseconds=RECORDS)
    wrong = REFUSED // 2
    records = orders(RECORDS, wrong_totals=wrong, unknown_skus=REFUSED - wrong, started_at=started_at)
    return ((partition_key(str(number)), data) for number, data in enumerate(records))


@contextmanager
def _ready(folder: Path) -> Iterator[_Bench]:
    with _parts(folder) as job:
        kinesis = client("kinesis", job.aws)
        nothing: Callable[[], Iterator[Keyed]] = lambda: iter(())  # noqa: E731
        for stream, records in (("aggregates", _orders), ("plain", _orders), ("empty", nothing)):
            fill(kinesis, stream, records(), aggregate=stream == "aggregates")
        made = folder / "requests"
        made.mkdir()
        _run(msgspec.structs.replace(job, what="requests", stream="aggregates", application="made", folder=str(made)))
        bench = _Bench(job=job, store=OpenSearch([job.opensearch], timeout=60), requests=requests_in(made))
        for _ in range(-(-WARM_UP // bench.requests.documents)):
            bench.ceiling()
        yield bench


@contextmanager
def _parts(folder: Path) -> Iterator[Job]:
    """A Kinesis without limits; S3, DynamoDB and OpenSearch as `make up` starts them."""
    settings = LocalSettings(local=Local(home=str(folder / "stack"), downloads=str(DOWNLOADS)))
    with (
        Supervisor(Home.of(settings.local), Console(stderr=True)) as stack,
        ServerProcess(folder / "kinesis", "--no-limits") as server,
    ):
        endpoints = bring_up(stack, settings, only=("ministack", "opensearch"))
        aws = replace(endpoints.aws, kinesis_endpoint=server.url)
        key_file = folder / "identity.key"
        key_file.write_bytes(msgspec.json.encode(IdentityKey(key_id="bench", secret=secrets.token_bytes(32))))
        client("s3", aws).create_bucket(Bucket=_REFERENCE, CreateBucketConfiguration={"LocationConstraint": aws.region})
        publish_reference(S3Objects(client("s3", aws), _REFERENCE))
        yield Job(
            what="live",
            aws=aws,
            opensearch=endpoints.opensearch.url,
            stream="",
            application="",
            key_file=str(key_file),
            reference_bucket=_REFERENCE,
            records=RECORDS,
        )
