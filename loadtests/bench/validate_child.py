"""One measurement of `bench validate`, in a process of its own: stdin says which, stdout what came of it.

Records and snapshots come as files, so that making them is not counted.
"""

import datetime as dt
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, Field

from consumers.reference.in_force import SnapshotReference
from consumers.stages.decode import decode
from consumers.stages.events import Event
from consumers.stages.rules import Rules, thresholds_of
from consumers.stages.validate import faults_of
from runtime.clock import SystemClock
from runtime.objects.testing import MemoryObjects


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    what: Literal["storepulse", "pydantic", "load"]
    snapshots: str  # folder of what was published, the key's slashes as `%`
    records: str  # file, one record a line


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took."""

    cpu_s: float
    wall_s: float
    refused: int  # of the records
    resident_mib: float  # more than before, at most: of the load


def run(job: Job) -> Measured:
    """See `Job.what`."""
    if job.what == "load":
        return _load(job)
    records = Path(job.records).read_bytes().splitlines()
    reference = _reference(job)
    arrived_at = SystemClock().now()
    facts = reference.at(arrived_at)
    is_good: Callable[[bytes], bool]
    if job.what == "storepulse":

        def is_good(data: bytes) -> bool:
            event = decode(data)
            return isinstance(event, Event) and not faults_of(event.order, facts, arrived_at)
    else:
        assert facts.prices is not None and facts.customers is not None
        prices = {sku: price for book in facts.prices.books.values() for sku, price in book.plain.items()}
        is_good = _with_pydantic(prices, facts.customers.places, arrived_at)
    gc.freeze()
    started_s, cpu_s, refused = time.perf_counter(), time.process_time(), 0
    for data in records:
        if not is_good(data):
            refused += 1
    return Measured(
        cpu_s=time.process_time() - cpu_s, wall_s=time.perf_counter() - started_s, refused=refused, resident_mib=0.0
    )


def _load(job: Job) -> Measured:
    """From the bytes in the bucket to judging. What lies in memory as the bucket is not counted."""
    bucket = _bucket(job)
    reference = SnapshotReference(bucket, thresholds_of(Rules()), SystemClock(), held=2)
    before, started_s, cpu_s = _resident_mib(), time.perf_counter(), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    reference.look()
    assert reference.at(SystemClock().now()).prices is not None
    return Measured(
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.perf_counter() - started_s,
        refused=0,
        resident_mib=_resident_mib("VmHWM") - before,
    )


def _resident_mib(field: str = "VmRSS") -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
    return kib / 1024


def _bucket(job: Job) -> MemoryObjects:
    bucket = MemoryObjects()
    for file in Path(job.snapshots).iterdir():
        bucket.stored[file.name.replace("%", "/")] = file.read_bytes()
    return bucket


def _reference(job: Job) -> SnapshotReference:
    reference = SnapshotReference(_bucket(job), thresholds_of(Rules()), SystemClock(), held=2)
    reference.look()
    return reference


class _Line(BaseModel):
    sku: str
    quantity: int = Field(gt=0, le=20_000)
    unit_price: int = Field(ge=0)
    discount: int = Field(default=0, ge=0)


class _Order(BaseModel):
    type: Literal["order"]
    schema_version: Literal[1]
    event_id: str | None = None
    event_time: dt.datetime
    order_id: str
    session_id: str | None = None
    kind: Literal["sale", "return"]
    customer_id: str | None = None
    channel: str
    region: str | None = None
    currency: str = Field(pattern="^[A-Z]{3}$")
    lines: list[_Line] = Field(min_length=1)
    tax: int = Field(default=0, ge=0)
    shipping: int = Field(default=0, ge=0)
    total: int = Field(ge=0)


def _with_pydantic(prices: dict[str, int], customers: Any, arrived_at: dt.datetime) -> Callable[[bytes], bool]:
    """The usual way: json, a model, and the checks that ask the catalogue and the customers."""
    latest = arrived_at + dt.timedelta(minutes=5)

    def is_good(data: bytes) -> bool:
        try:
            order = _Order.model_validate(json.loads(data))
        except ValueError:
            return False
        goods = 0
        for line in order.lines:
            if prices.get(line.sku) != line.unit_price:
                return False
            goods += line.quantity * line.unit_price - line.discount
        known = order.customer_id is None or order.customer_id in customers
        return known and goods + order.tax + order.shipping == order.total and order.event_time <= latest

    return is_good


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(run(asked)))
