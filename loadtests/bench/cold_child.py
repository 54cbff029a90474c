"""What `bench cold` measures, each in a process of its own: cold itself, and pyarrow that writes the same rows.

Reads one JSON object on stdin, writes one on stdout.
"""

import resource
import sys
import threading
import time
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from consumers.cold import ColdPath
from consumers.cold_process import run_cold
from consumers.delivery import Batch, Position
from consumers.objects.s3 import S3Objects
from consumers.settings import Cold, ColdFleet, ColdSettings, Identity
from consumers.spans.chain import Chain, shards_of
from runtime.aws import client
from runtime.settings import Aws, Lake, Reference, Streams


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    what: str  # `cold`, or `pyarrow`: the rows that cold wrote under this application, written once more
    aws: Aws
    lake: Lake
    stream: str
    application: str
    key_file: str
    catalogue: str
    records: int  # in the stream


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took."""

    cpu_s: float  # user and system, of this process, from the first read to the last manifest
    wall_s: float
    peak_mib: float  # resident, Python and libraries included
    object_bytes: int  # Parquet
    orders: int
    letters: int


def cold(job: Job) -> Measured:
    """Read the stream to its end, as `python -m consumers cold` does, and stop."""
    settings = ColdSettings(
        aws=job.aws,
        streams=Streams(transactions=job.stream),
        lake=job.lake,
        identity=Identity(key_file=job.key_file),
        reference=Reference(catalogue=job.catalogue),
        cold_fleet=ColdFleet(poll_s=0.2),
        cold=Cold(application=job.application),
    )
    stop = _stopped_after(job.records)
    started_s, cpu_s = time.monotonic(), time.process_time()
    run_cold(settings, stop)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - started_s
    peak_mib = _peak_mib()
    manifests = _manifests(job)
    return Measured(
        cpu_s=cpu_s,
        wall_s=wall_s,
        peak_mib=peak_mib,
        object_bytes=sum(file.bytes for manifest in manifests for file in manifest.data),
        orders=sum(manifest.rows("orders") for manifest in manifests),
        letters=sum(manifest.rows("letters") for manifest in manifests),
    )


def _stopped_after(records: int) -> threading.Event:
    """Set once so many records were taken."""
    stop, taking, left = threading.Event(), threading.Lock(), [records]
    accept = ColdPath.accept

    def counting(path: ColdPath, batch: Batch) -> Position | None:
        durable = accept(path, batch)
        with taking:
            left[0] -= len(batch.records)
            if left[0] <= 0:
                stop.set()
        return durable

    ColdPath.accept = counting  # type: ignore[assignment, method-assign]
    return stop


def pyarrow(job: Job) -> Measured:
    """Write what cold wrote of orders and lines, from Arrow tables in memory, with pyarrow's own defaults for zstd."""
    s3 = client("s3", job.aws)
    lake = S3Objects(s3, job.lake.bucket)
    files = [file for manifest in _manifests(job) for file in manifest.data if file.table in ("orders", "lines")]
    tables = {file.key: pq.read_table(pa.BufferReader(lake.get(file.key))) for file in files}
    started_s, cpu_s, written = time.monotonic(), time.process_time(), 0
    for key, table in tables.items():
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        body = sink.getvalue()
        written += body.size
        lake.put(f"baseline/{key}", body.to_pybytes())
    return Measured(
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - started_s,
        peak_mib=_peak_mib(),
        object_bytes=written,
        orders=sum(table.num_rows for key, table in tables.items() if "data/orders/" in key),
        letters=0,
    )


def _manifests(job: Job) -> list[Any]:
    lake = S3Objects(client("s3", job.aws), job.lake.bucket)
    chains = [Chain(lake, job.application, shard_id) for shard_id in shards_of(lake, job.application)]
    return [manifest for chain in chains for manifest in chain.after()]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(cold(asked) if asked.what == "cold" else pyarrow(asked)))
