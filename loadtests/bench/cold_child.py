"""What `bench cold` measures, each in a process of its own: cold itself, and pyarrow that writes the same rows.

Reads one JSON object on stdin, writes one on stdout.
"""

import resource
import sys
import threading
import time
from importlib.abc import MetaPathFinder
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from consumers.cold import ColdPath
from consumers.cold_process import run_cold
from consumers.delivery import Batch, Position
from consumers.settings import Cold, ColdFleet, ColdSettings, Identity
from consumers.spans.chain import Chain, shards_of
from runtime.aws import client
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Lake, Reference, Streams


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    what: str  # `cold`, or `pyarrow`: the rows that cold wrote under this application, written once more
    aws: Aws
    lake: Lake
    stream: str
    is_access: bool
    application: str
    key_file: str
    reference_bucket: str
    records: int  # in the stream


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took."""

    cpu_s: float  # user and system, of this process, from the first read to the last manifest
    wall_s: float
    peak_mib: float  # resident, Python and libraries included
    object_bytes: int  # Parquet
    rows: int  # orders or hits
    letters: int


def cold(job: Job) -> Measured:
    """Read the stream to its end, as `python -m consumers cold` does, and stop."""
    settings = ColdSettings(
        aws=job.aws,
        streams=Streams(transactions="", access=job.stream)
        if job.is_access
        else Streams(transactions=job.stream, access=""),
        lake=job.lake,
        identity=Identity(key=job.key_file),
        reference=Reference(bucket=job.reference_bucket),
        cold_fleet=ColdFleet(poll_s=0.2),
        cold=Cold(application=job.application, access_application=job.application),
    )
    reading = _Reading(job.records)
    run_cold(settings, reading.is_over)
    cpu_s, wall_s = time.process_time() - reading.cpu_s, time.monotonic() - reading.started_s
    peak_mib = _peak_mib()
    manifests = _manifests(job)
    return Measured(
        cpu_s=cpu_s,
        wall_s=wall_s,
        peak_mib=peak_mib,
        object_bytes=sum(file.bytes for manifest in manifests for file in manifest.data),
        rows=sum(manifest.rows(table) for manifest in manifests for table in ("orders", "hits")),
        letters=sum(manifest.rows("letters") for manifest in manifests),
    )


class _Reading:
    """Watches all cold paths of this process: when the first begins, and when so many records were taken."""

    def __init__(self, records: int) -> None:
        self.is_over = threading.Event()
        self.started_s = self.cpu_s = 0.0
        self._left = records
        self._lock = threading.Lock()
        resume, accept = ColdPath.resume, ColdPath.accept

        def resumed(path: ColdPath, checkpoint: Position | None) -> Position | None:
            with self._lock:
                self.started_s = self.started_s or time.monotonic()
                self.cpu_s = self.cpu_s or time.process_time()
            return resume(path, checkpoint)

        def accepted(path: ColdPath, batch: Batch) -> Position | None:
            durable = accept(path, batch)
            with self._lock:
                self._left -= len(batch.records)
                if self._left <= 0:
                    self.is_over.set()
            return durable

        ColdPath.resume, ColdPath.accept = resumed, accepted  # type: ignore[assignment, method-assign]


def pyarrow(job: Job) -> Measured:
    """Write what cold wrote of orders, lines and hits, from Arrow tables in memory, with pyarrow's own defaults for
    zstd."""
    s3 = client("s3", job.aws)
    lake = S3Objects(s3, job.lake.bucket)
    files = [
        file for manifest in _manifests(job) for file in manifest.data if file.table in ("orders", "lines", "hits")
    ]
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
        rows=sum(table.num_rows for key, table in tables.items() if "data/lines/" not in key),
        letters=0,
    )


def _manifests(job: Job) -> list[Any]:
    lake = S3Objects(client("s3", job.aws), job.lake.bucket)
    chains = [Chain(lake, job.application, shard_id) for shard_id in shards_of(lake, job.application)]
    return [manifest for chain in chains for manifest in chain.after()]


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _WithoutPandas(MetaPathFinder):
    """The consumers are deployed without it; where it is installed, pyarrow would load it: a second, and 60 MiB."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _WithoutPandas())
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(cold(asked) if asked.what == "cold" else pyarrow(asked)))
