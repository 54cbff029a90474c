"""AWS's MultiLangDaemon over a backlog, for `bench fleet`: the Java KCL reads, a Python process a shard counts.

kcl = java_kcl("3.5.1", console)
drained = drain(kcl, aws=aws, stream=stream, events=400_000)
"""

import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

from consumers.sources.kcl.properties import properties
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from loadtests.kcl.counting import counted_in
from loadtests.kcl.java import JavaKcl
from runtime.aws import client
from runtime.settings import Aws

_MIB = 1 << 20
_LOOK_S = 0.02
_STARTS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What became of a backlog. CPU and memory are those of the JVM and of all its children."""

    events: int  # user records that were handed over
    seconds: float  # until the last of them, from the start of the first child: reading begins with it
    cpu_s: float  # in that time
    start_s: float  # until the first child
    start_cpu_s: float  # in that time
    peak_mib: float


def drain(
    kcl: JavaKcl,
    *,
    aws: Aws,
    stream: str,
    events: int,
    within_s: float = 300.0,
) -> Drained:
    """Read `stream` from its start until `events` records were counted, in a lease table of its own.

    Raises TimeoutError where that takes longer than `within_s`, RuntimeError for a daemon that ends.
    """
    application = f"bench-kcl-{uuid.uuid4().hex[:8]}"
    folder = Path(tempfile.mkdtemp(prefix="kcl-"))
    counts = folder / "counts"
    counts.mkdir()
    dynamodb = client("dynamodb", aws)
    _make_leases(dynamodb, aws, stream, application)
    text = properties(
        command=[sys.executable, "-m", "loadtests.kcl.counting", str(counts)],
        stream=stream,
        application=application,
        aws=aws,
        fleet=KinesisSourceSettings(poll_s=0.2),  # five reads a second: all that a shard gives
        reading=KinesisReadingSettings(),
        kcl=kcl.settings,
    )
    log = folder / "daemon.log"
    daemon = kcl.start(folder, text, aws=aws, log=log)
    try:
        return _watched(daemon, counts, log, events, within_s)
    finally:
        stop(daemon)
        dynamodb.delete_table(TableName=application)
        shutil.rmtree(folder)


def stop(daemon: "subprocess.Popen[bytes]", *, within_s: float = 40.0) -> None:
    """In good order, else by force; its children are gone too."""
    children = _tree(daemon.pid)[1:]
    daemon.terminate()
    try:
        daemon.wait(within_s)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    _, alive = psutil.wait_procs(children, timeout=5.0)
    for child in alive:
        child.kill()


def _make_leases(dynamodb: object, aws: Aws, stream: str, application: str) -> None:
    """With an empty table the daemon waits for a random time of up to half a minute."""
    table = DynamoDbLeaseTable(dynamodb, application)
    table.ensure()
    for shard in KinesisStream(client("kinesis", aws), stream).shards():
        table.create(lease_of(shard, TRIM_HORIZON))


def _watched(daemon: "subprocess.Popen[bytes]", counts: Path, log: Path, events: int, within_s: float) -> Drained:
    started_s = time.monotonic()
    first: tuple[float, float] | None = None  # when the first child was there, and the CPU until then
    peak = 0.0
    while True:
        counted, now_s = counted_in(counts), time.monotonic()
        cpu_s, mib = _used(daemon.pid)
        peak = max(peak, mib)
        if first is None and any(counts.iterdir()):
            first = now_s, cpu_s
        if counted >= events and first is not None:
            return Drained(
                events=counted,
                seconds=now_s - first[0],
                cpu_s=cpu_s - first[1],
                start_s=first[0] - started_s,
                start_cpu_s=first[1],
                peak_mib=peak,
            )
        if daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended with {daemon.returncode}: {log.read_text(errors='replace')[-2000:]}")
        if now_s - started_s > (within_s if first else _STARTS_WITHIN_S):
            raise TimeoutError(f"{counted} of {events}: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(_LOOK_S)


def _used(pid: int) -> tuple[float, float]:
    """CPU seconds and MiB of a process and all below it."""
    cpu_s = mib = 0.0
    for process in _tree(pid):
        try:
            times = process.cpu_times()
            cpu_s += times.user + times.system
            mib += process.memory_info().rss / _MIB
        except psutil.NoSuchProcess:
            continue
    return cpu_s, mib


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
