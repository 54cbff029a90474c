"""Cold's CPU per million records, from the stream to validated Parquet in S3, reading included.

400,000 records on four shards of the local Kinesis, three times over: nested orders of 366 bytes with the agent's stamp
beside them, 1,987 with a wrong total and 2,047 with an unknown SKU, in aggregates as the agent sends them and each by
itself; and a web server's lines in its combined format, in aggregates. Redpanda Connect 4.61 took 270 CPU-s per million
of the plain orders for the same work (without identities, lines, raw records or manifests), and 1,105 MiB.

The baseline is pyarrow writing the same rows, from Arrow tables in memory to the same S3, with nothing else. Each runs
in a process of its own; starting Python is not counted.
"""

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from contract.identity import IdentityKey
from contract.reference import Customer, Price
from infra.local.kinesis.process import ServerProcess
from infra.local.testing import local_stack
from loadtests.bench.cold_child import Job, Measured
from loadtests.bench.cold_streams import RECORDS, UNKNOWN_SKUS, WRONG_TOTALS, Keyed, fill, of_lines, of_orders
from loadtests.bench.orders import CUSTOMERS, SKUS, customer_id, price_of
from loadtests.bench.report import Figure
from producers.reference.publish import publish
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Lake

RUNS = 3
_REFERENCE = "bench-reference"
_ROOT = Path(__file__).resolve().parents[2]
_BASELINE = "pyarrow writing the same rows with nothing else"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """One stream, and what cold and pyarrow took for it, a run each."""

    stream: str
    records: Callable[[], Iterator[Keyed]]
    aggregate: bool = True
    is_access: bool = False
    refused: int = field(default_factory=lambda: WRONG_TOTALS + UNKNOWN_SKUS)
    cold: list[Measured] = field(default_factory=list)
    baseline: list[Measured] = field(default_factory=list)

    def run(self, job: Job, number: int) -> None:
        """Once more, under another application."""
        this = msgspec.structs.replace(
            job, stream=self.stream, is_access=self.is_access, application=f"{self.stream}-{number}"
        )
        done = _measure(this)
        if (done.rows, done.letters) != (RECORDS - self.refused, self.refused):
            raise RuntimeError(f"{done.rows} rows and {done.letters} letters: some are lost")
        self.cold.append(done)
        self.baseline.append(_measure(msgspec.structs.replace(this, what="pyarrow")))

    def cpu(self, name: str, unit: str, target: float) -> Figure:
        """Its CPU per million records."""
        return Figure(
            name=name,
            unit=unit,
            better="lower",
            target=target,
            values=[each.cpu_s * 1e6 / RECORDS for each in self.cold],
            baseline=_BASELINE,
            baseline_values=[each.cpu_s * 1e6 / RECORDS for each in self.baseline],
        )

    def bytes_in_the_lake(self, name: str, unit: str, target: float) -> Figure:
        """Parquet per row, lines of orders included."""
        return Figure(
            name=name,
            unit=unit,
            better="lower",
            target=target,
            values=[each.object_bytes / each.rows for each in self.cold],
            baseline=f"{_BASELINE}, its defaults and zstd",
            baseline_values=[each.object_bytes / each.rows for each in self.baseline],
        )


def run() -> Sequence[Figure]:
    """CPU, bytes in the lake and peak memory."""
    orders = _Load(stream="orders", records=of_orders)
    plain = _Load(stream="plain", records=of_orders, aggregate=False)
    access = _Load(stream="access", records=of_lines, is_access=True, refused=0)
    loads = (orders, plain, access)
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as folder, _parts(Path(folder)) as job:
        for load in loads:
            fill(client("kinesis", job.aws), load.stream, load.records(), aggregate=load.aggregate)
        for number in range(RUNS):
            for load in loads:
                load.run(job, number)
    return [
        orders.cpu("cpu", "CPU-s/M orders", 20.0),
        plain.cpu("cpu_plain", "CPU-s/M orders", 25.0),
        access.cpu("cpu_access", "CPU-s/M lines", 20.0),
        # Of these, 64 bytes are ids and hashes, which are random; a line's id is 16.
        orders.bytes_in_the_lake("lake", "B/order", 150.0),
        access.bytes_in_the_lake("lake_access", "B/line", 60.0),
        Figure(
            name="peak_memory",
            unit="MiB",
            better="lower",
            target=768.0,  # [cold] memory_mib, Python and the libraries
            values=[max(load.cold[number].peak_mib for load in loads) for number in range(RUNS)],
            baseline=f"{_BASELINE}, all rows in memory",
            baseline_values=[each.peak_mib for each in orders.baseline],
        ),
    ]


def _measure(job: Job) -> Measured:
    command = [sys.executable, "-m", "loadtests.bench.cold_child"]
    child = subprocess.run(command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=_ROOT, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


@contextmanager
def _parts(folder: Path) -> Iterator[Job]:
    """A Kinesis without limits, and S3."""
    with (
        local_stack(folder / "stack", parts=("ministack",)) as endpoints,
        ServerProcess(folder / "kinesis", "--no-limits") as server,
    ):
        aws = replace(endpoints.aws, kinesis_endpoint=server.url)
        key_file = folder / "identity.key"
        key_file.write_bytes(msgspec.json.encode(IdentityKey(key_id="bench", secret=secrets.token_bytes(32))))
        lake = _lake(aws)
        publish_reference(S3Objects(client("s3", aws), _REFERENCE))
        yield Job(
            what="cold",
            aws=aws,
            lake=lake,
            stream="",
            is_access=False,
            application="",
            key_file=str(key_file),
            reference_bucket=_REFERENCE,
            records=RECORDS,
        )


def _lake(aws: Aws) -> Lake:
    lake = Lake(bucket="bench-lake", restricted_bucket="bench-restricted")
    s3 = client("s3", aws)
    for bucket in (lake.bucket, lake.restricted_bucket, _REFERENCE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return lake


def publish_reference(bucket: S3Objects) -> None:
    """What the orders are judged by, before any of them arrives."""
    prices = [Price(sku=sku, currency="GBP", price=price_of(sku)) for sku in sorted(SKUS)]
    publish("catalogue", prices, bucket, SystemClock())
    publish("customers", [Customer(customer_id=customer_id(n)) for n in range(CUSTOMERS)], bucket, SystemClock())
