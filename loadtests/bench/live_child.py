"""What `bench live` measures, each in a process of its own: live itself, and what a user would write in an afternoon.

Reads one JSON object on stdin. What drains writes one on stdout at its end; what idles polls until a signal ends it.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from opensearchpy import OpenSearch
from opensearchpy.helpers import streaming_bulk

from consumers.delivery import Batch, Refused, Row
from consumers.live import LivePath
from consumers.live_process import run_live
from consumers.settings import Identity, LiveSettings
from consumers.settings import Live as LiveSection
from consumers.sinks.opensearch.bulk import chunks
from consumers.sinks.opensearch.sink import OpenSearchSink
from loadtests.bench.producers_child import peak_mib
from runtime.aws import client
from runtime.command import stop_on_signals
from runtime.settings import Aws, Reference, Streams
from runtime.settings import OpenSearch as OpenSearchSettings

POLL_S = 0.333  # between two reads of a shard: what [fleet] poll_s is


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    what: Literal["live", "requests", "helpers", "live_idle", "helpers_idle"]
    aws: Aws
    opensearch: str  # its address
    stream: str
    application: str
    key_file: str
    reference_bucket: str
    records: int  # in the stream
    folder: str = ""  # `requests`: where live's bulk requests are left, instead of in the store


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, from the first batch to the last answer of the store."""

    records: int
    cpu_s: float  # user and system, of this process
    wall_s: float
    peak_mib: float  # resident, Python and libraries included


class _Reading:
    """Watches all live paths of this process: when the first begins, and when so many records are durable."""

    def __init__(self, records: int) -> None:
        self.is_over = threading.Event()
        self.taken = 0
        self._records = records
        self._lock = threading.Lock()
        self._began: tuple[float, float] | None = None
        self._ended = (0.0, 0.0)
        accept = LivePath.accept

        def accepted(path: LivePath, batch: Batch) -> object:
            with self._lock:
                self._began = self._began or (time.process_time(), time.monotonic())
            durable = accept(path, batch)
            with self._lock:
                self.taken += len(batch.records)
                self._ended = time.process_time(), time.monotonic()
                if self.taken >= self._records:
                    self.is_over.set()
            return durable

        LivePath.accept = accepted  # type: ignore[assignment, method-assign]

    def measured(self) -> Measured:
        """Once it is over."""
        assert self._began is not None
        cpu_s, wall_s = (end - begin for end, begin in zip(self._ended, self._began, strict=True))
        return Measured(records=self.taken, cpu_s=cpu_s, wall_s=wall_s, peak_mib=peak_mib())


def live(job: Job) -> Measured:
    """Read the stream to its end, as `python -m consumers live` does, and stop."""
    reading = _Reading(job.records)
    run_live(_settings(job), reading.is_over)
    return reading.measured()


def requests(job: Job) -> Measured:
    """The same, but its bulk requests go to files of `folder`, for others to send."""
    lock, folder, written = threading.Lock(), Path(job.folder), 0

    def keep(sink: OpenSearchSink, rows: Sequence[Row]) -> Sequence[Refused]:
        nonlocal written
        for run, entries in chunks(rows):
            with lock:
                (folder / f"{written:05d}-{len(run)}").write_bytes(b"".join(entries))
                written += 1
        return ()

    OpenSearchSink.write = keep  # type: ignore[assignment, method-assign]
    return live(job)


def helpers(job: Job) -> Measured:
    """boto3, json and opensearch-py's `streaming_bulk` with its defaults: no rule, no letter, no checkpoint."""
    store, read = OpenSearch([job.opensearch], timeout=60), 0
    poll, _ = _polls(job)
    cpu_s, started_s = time.process_time(), time.monotonic()
    while read < job.records:
        records = poll()
        read += len(records)
        for is_stored, answer in streaming_bulk(store, _actions(records)):
            if not is_stored:
                raise RuntimeError(f"refused: {answer}")
    return Measured(
        records=read,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - started_s,
        peak_mib=peak_mib(),
    )


def _actions(records: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        order = json.loads(record["Data"])
        yield {"_op_type": "create", "_index": "helpers", "_id": order["event_id"], "_source": order}


def _polls(job: Job) -> tuple[Callable[[], Sequence[dict[str, Any]]], int]:
    """What the next read of the next shard brings, at most 10,000 records; and how many shards there are."""
    kinesis = client("kinesis", job.aws)
    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=job.stream)["Shards"]]
    iterators = [
        kinesis.get_shard_iterator(StreamName=job.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in shards
    ]
    turn = 0

    def poll() -> Sequence[dict[str, Any]]:
        nonlocal turn
        at, turn = turn % len(shards), turn + 1
        answer = kinesis.get_records(ShardIterator=iterators[at], Limit=10_000)
        iterators[at] = answer["NextShardIterator"]
        records: Sequence[dict[str, Any]] = answer["Records"]
        return records

    return poll, len(shards)


def live_idle(job: Job, stop: threading.Event) -> None:
    """Nothing to read: what waiting costs."""
    run_live(_settings(job), stop)


def helpers_idle(job: Job, stop: threading.Event) -> None:
    """A boto3 loop that reads every shard of the same stream as often as live does."""
    poll, shards = _polls(job)
    while not stop.wait(POLL_S / shards):
        poll()


def _settings(job: Job) -> LiveSettings:
    return LiveSettings(
        aws=job.aws,
        streams=Streams(transactions=job.stream, access=""),
        opensearch=OpenSearchSettings(url=job.opensearch),
        identity=Identity(key=job.key_file),
        reference=Reference(bucket=job.reference_bucket),
        live=LiveSection(application=job.application),
    )


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    if asked.what in ("live_idle", "helpers_idle"):
        (live_idle if asked.what == "live_idle" else helpers_idle)(asked, stop_on_signals())
    else:
        ways = {"live": live, "requests": requests, "helpers": helpers}
        sys.stdout.buffer.write(msgspec.json.encode(ways[asked.what](asked)))
