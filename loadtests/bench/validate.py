"""Orders a second that one core reads and judges by every rule, and what the reference data takes to load.

Nested orders of 366 bytes with the agent's stamp beside them, one in a hundred with a wrong total or an unknown SKU;
100,000 prices and 1 million customers are loaded. `speed`: the orders of all these benches, of 3,000 SKUs and 50,000
customers. `speed_spread`: any SKU and any customer as likely as another, so that no cache helps; no shop sells like
that. The baseline is the usual way: json, a pydantic model, and fewer checks. Each runs in a process of its own; CPU
time is counted, so that others on the machine count little.

The load is of 1 million prices and 5 million customers, as published; the baseline are the targets, 20 s and 1.5 GiB.
"""

import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from contract.reference import Customer, Price
from infra.local.home import PROJECT
from loadtests.bench.orders import CUSTOMERS, SKUS, customer_id, orders, price_of
from loadtests.bench.report import Figure
from loadtests.bench.validate_child import Job, Measured
from producers.reference.publish import publish
from runtime.clock import SystemClock
from runtime.objects.testing import MemoryObjects

RUNS = 3
_RECORDS, _FAULTY = 200_000, 2_000
_PRICES, _CUSTOMERS = 100_000, 1_000_000
_MANY_PRICES, _MANY_CUSTOMERS = 1_000_000, 5_000_000
_LONGEST_LOAD_S, _LARGEST_LOAD_MIB = 20.0, 1_536.0
_CHANGED = timedelta(days=30)  # ago: each price took the place of nothing then


def run() -> Sequence[Figure]:
    """Speed beside pydantic, load and memory."""
    usual, spread = _speeds(SKUS, CUSTOMERS), _speeds(_skus(_PRICES), _CUSTOMERS)
    with _published(_MANY_PRICES, _MANY_CUSTOMERS) as job:
        loads = [_measure(msgspec.structs.replace(job, what="load")) for _ in range(RUNS)]
    return [
        *(
            Figure(
                name=name,
                unit="orders/CPU-s",
                better="higher",
                target=300_000.0,
                values=speed["storepulse"],
                baseline="json and pydantic, fewer checks",
                baseline_values=speed["pydantic"],
            )
            for name, speed in (("speed", usual), ("speed_spread", spread))
        ),
        Figure(
            name="load",
            unit="s",
            better="lower",
            target=_LONGEST_LOAD_S,
            values=[each.wall_s for each in loads],
            baseline="the target",
            baseline_values=[_LONGEST_LOAD_S],
        ),
        Figure(
            name="load_memory",
            unit="MiB",
            better="lower",
            target=_LARGEST_LOAD_MIB,
            values=[each.resident_mib for each in loads],
            baseline="the target",
            baseline_values=[_LARGEST_LOAD_MIB],
        ),
    ]


def _speeds(skus: Collection[str], customers: int) -> dict[str, list[float]]:
    """Orders a CPU second of both ways, in turn. The orders are of these SKUs and so many customers."""
    speeds: dict[str, list[float]] = {"storepulse": [], "pydantic": []}
    with _published(_PRICES, _CUSTOMERS) as job:
        load = orders(
            _RECORDS,
            wrong_totals=_FAULTY // 2,
            unknown_skus=_FAULTY // 2,
            skus=skus,
            customers=customers,
            started_at=SystemClock().now() - timedelta(milliseconds=_RECORDS),
        )
        Path(job.records).write_bytes(b"\n".join(load))
        for _ in range(RUNS):
            for what, values in speeds.items():
                measured = _measure(msgspec.structs.replace(job, what=what))
                if measured.refused != _FAULTY:
                    raise RuntimeError(f"{what} refused {measured.refused} of {_FAULTY}")
                values.append(_RECORDS / measured.cpu_s)
    return speeds


def _measure(job: Job) -> Measured:
    command = [sys.executable, "-m", "loadtests.bench.validate_child"]
    child = subprocess.run(command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=PROJECT, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


@contextmanager
def _published(prices: int, customers: int) -> Iterator[Job]:
    with tempfile.TemporaryDirectory(prefix="bench-validate-") as folder:
        snapshots = Path(folder) / "snapshots"
        _publish(snapshots, _skus(prices), customers)
        yield Job(what="load", snapshots=str(snapshots), records=str(Path(folder) / "records"))


def _skus(count: int) -> list[str]:
    """The first 100,000 have six characters: orders of them keep their size. Those of other benches are among them."""
    return [f"{20_000 + number // 3:05d}{'ABC'[number % 3]}" for number in range(count)]


def _publish(folder: Path, skus: Sequence[str], customers: int) -> None:
    clock, bucket = SystemClock(), MemoryObjects()
    since = clock.now() - _CHANGED
    prices = [Price(sku=sku, currency="GBP", price=price_of(sku), valid_from=since) for sku in skus]
    publish("catalogue", prices, bucket, clock)
    publish("customers", [Customer(customer_id=customer_id(number)) for number in range(customers)], bucket, clock)
    folder.mkdir()
    for key, body in bucket.stored.items():
        (folder / key.replace("/", "%")).write_bytes(body)
