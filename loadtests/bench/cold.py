"""Cold's CPU per million orders, from the stream to validated Parquet in S3, reading included.

400,000 plain records on four shards of the local Kinesis, nested orders of 366 bytes with the agent's stamp beside
them, 1,987 with a wrong total and 2,047 with an unknown SKU. Redpanda Connect 4.61 took 270 CPU-s per million for the
same work (without identities, lines, raw records or manifests), and 1,105 MiB.

The baseline is pyarrow writing the same rows, orders and lines, from Arrow tables in memory to the same S3, with
nothing else. Each runs in a process of its own; starting Python is not counted.
"""

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from contract.identity import IdentityKey
from contract.reference import Customer, Price
from infra.local.kinesis.process import ServerProcess
from infra.local.testing import local_stack
from loadtests.bench.cold_child import Job, Measured
from loadtests.bench.orders import CUSTOMERS, SKUS, customer_id, orders, price_of
from loadtests.bench.report import Figure
from producers.reference.publish import publish
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Lake

RUNS = 3
_RECORDS, _WRONG_TOTALS, _UNKNOWN_SKUS = 400_000, 1_987, 2_047
_REFUSED = _WRONG_TOTALS + _UNKNOWN_SKUS
_SHARDS, _STREAM, _TOGETHER = 4, "bench", 500
_REFERENCE = "bench-reference"
_ROOT = Path(__file__).resolve().parents[2]
_BASELINE = "pyarrow writing the same rows with nothing else"


def run() -> Sequence[Figure]:
    """CPU, bytes in the lake and peak memory."""
    cold: list[Measured] = []
    baseline: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as folder, _parts(Path(folder)) as job:
        for number in range(RUNS):
            this = msgspec.structs.replace(job, application=f"run-{number}")
            cold.append(_measure(this))
            if (cold[-1].orders, cold[-1].letters) != (_RECORDS - _REFUSED, _REFUSED):
                raise RuntimeError(f"{cold[-1].orders} orders and {cold[-1].letters} letters: some are lost")
            baseline.append(_measure(msgspec.structs.replace(this, what="pyarrow")))
    return [
        Figure(
            name="cpu",
            unit="CPU-s/M orders",
            better="lower",
            target=20.0,
            values=[each.cpu_s * 1e6 / _RECORDS for each in cold],
            baseline=_BASELINE,
            baseline_values=[each.cpu_s * 1e6 / _RECORDS for each in baseline],
        ),
        Figure(
            name="lake",
            unit="B/order",
            better="lower",
            target=150.0,  # orders and their lines; 64 of them are ids and hashes, which are random
            values=[each.object_bytes / each.orders for each in cold],
            baseline=f"{_BASELINE}, its defaults and zstd",
            baseline_values=[each.object_bytes / each.orders for each in baseline],
        ),
        Figure(
            name="peak_memory",
            unit="MiB",
            better="lower",
            target=768.0,  # [cold] memory_mib, Python and the libraries
            values=[each.peak_mib for each in cold],
            baseline=f"{_BASELINE}, all rows in memory",
            baseline_values=[each.peak_mib for each in baseline],
        ),
    ]


def _measure(job: Job) -> Measured:
    command = [sys.executable, "-m", "loadtests.bench.cold_child"]
    child = subprocess.run(command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=_ROOT, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


@contextmanager
def _parts(folder: Path) -> Iterator[Job]:
    """A full stream on a Kinesis without limits, and S3."""
    with (
        local_stack(folder / "stack", parts=("ministack",)) as endpoints,
        ServerProcess(folder / "kinesis", "--no-limits") as server,
    ):
        aws = replace(endpoints.aws, kinesis_endpoint=server.url)
        key_file = folder / "identity.key"
        key_file.write_bytes(msgspec.json.encode(IdentityKey(key_id="bench", secret=secrets.token_bytes(32))))
        lake = _lake(aws)
        _publish(S3Objects(client("s3", aws), _REFERENCE))
        _fill(client("kinesis", aws))
        yield Job(
            what="cold",
            aws=aws,
            lake=lake,
            stream=_STREAM,
            application="",
            key_file=str(key_file),
            reference_bucket=_REFERENCE,
            records=_RECORDS,
        )


def _fill(kinesis: Any) -> None:
    kinesis.create_stream(StreamName=_STREAM, ShardCount=_SHARDS)
    kinesis.get_waiter("stream_exists").wait(StreamName=_STREAM, WaiterConfig={"Delay": 1})
    started_at = SystemClock().now() - timedelta(milliseconds=_RECORDS)  # so that none is late
    load = orders(_RECORDS, wrong_totals=_WRONG_TOTALS, unknown_skus=_UNKNOWN_SKUS, started_at=started_at)
    step = (1 << 128) // _SHARDS
    number = 0
    while some := list(islice(load, _TOGETHER)):
        records = [
            {"Data": data, "PartitionKey": "k", "ExplicitHashKey": str((number + place) % _SHARDS * step)}
            for place, data in enumerate(some)
        ]
        if kinesis.put_records(StreamName=_STREAM, Records=records)["FailedRecordCount"]:
            raise RuntimeError("the stream refused records")
        number += len(some)


def _lake(aws: Aws) -> Lake:
    lake = Lake(bucket="bench-lake", restricted_bucket="bench-restricted")
    s3 = client("s3", aws)
    for bucket in (lake.bucket, lake.restricted_bucket, _REFERENCE):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return lake


def _publish(bucket: S3Objects) -> None:
    """What the orders are judged by, before any of them arrives."""
    prices = [Price(sku=sku, currency="GBP", price=price_of(sku)) for sku in sorted(SKUS)]
    publish("catalogue", prices, bucket, SystemClock())
    publish("customers", [Customer(customer_id=customer_id(n)) for n in range(CUSTOMERS)], bucket, SystemClock())
