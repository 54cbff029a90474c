"""What `bench fleet` measures of ours: a worker in a process of its own, whose path only counts.

Reads one JSON object on stdin. A worker that drains writes one on stdout at its end; one that serves writes a line
`shard time` for each batch, until it is told to stop.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from consumers.delivery import Batch, Path, Position, Shard
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import kinesis_source
from loadtests.bench.producers_child import peak_mib
from runtime.collector import little_to_collect
from runtime.command import stop_on_signals
from runtime.settings import Aws

_POLL_S = 0.2  # what a shard allows its only reader


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One worker."""

    mode: Literal["polling", "fan_out"] = "polling"
    aws: Aws
    stream: str
    application: str
    records: int  # to drain; 0: serve


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, starting the process not counted but for `first_at_s`."""

    records: int
    cpu_s: float  # user and system
    wall_s: float
    peak_mib: float
    first_at_s: float  # wall clock, when the first record was there


class _Counted:
    """Durable as soon as it is counted."""

    def __init__(self, count: Callable[[Batch], None]) -> None:
        self._count = count
        self._durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        self._count(batch)
        self._durable = batch.end
        return self._durable

    def tick(self) -> Position | None:
        return self._durable

    def settle(self) -> Position | None:
        return self._durable


def drain(job: Job) -> Drained:
    """Read so many records and stop."""
    stop, lock = threading.Event(), threading.Lock()
    records, first_at_s = 0, 0.0

    def count(batch: Batch) -> None:
        nonlocal records, first_at_s
        with lock:
            first_at_s = first_at_s or time.time()
            records += len(batch.records)
            if records >= job.records:
                stop.set()

    cpu_s, began_s = time.process_time(), time.monotonic()
    _run(job, count, stop)
    return Drained(
        records=records,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - began_s,
        peak_mib=peak_mib(),
        first_at_s=first_at_s,
    )


def serve(job: Job) -> None:
    """Say what is read, until a signal ends it."""

    def say(batch: Batch) -> None:
        sys.stdout.write(f"{batch.shard.shard_id} {time.time()}\n")
        sys.stdout.flush()

    _run(job, say, stop_on_signals())


def _run(job: Job, count: Callable[[Batch], None], stop: threading.Event) -> None:
    def open_path(shard: Shard) -> Path:
        return _Counted(count)

    source = kinesis_source(
        aws=job.aws,
        stream=job.stream,
        application=job.application,
        settings=KinesisSourceSettings(poll_s=_POLL_S),
        reading=KinesisReadingSettings(mode=job.mode),
    )
    with little_to_collect():  # as live and cold do
        source.run(open_path, stop)


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if asked.records:
        sys.stdout.buffer.write(msgspec.json.encode(drain(asked)))
    else:
        serve(asked)
