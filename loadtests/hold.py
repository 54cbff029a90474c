"""Hold a rate: orders into the spool at a steady pace, and how long each takes until the board shows it.

An open model: orders are due by the clock, whether or not earlier ones have arrived, and the wait is counted from the
moment an order was due. Ten orders a second are probes; a probe is on the board with the first snapshot that a viewer
receives after the order can be found in OpenSearch.
"""

import itertools
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
import urllib3
from opensearchpy import OpenSearchException
from rich.console import Console
from rich.table import Table

from contract.catalogue import Product, products_from_ndjson
from infra.local import pipeline, ports
from infra.local.account import Account
from infra.local.demo import store_of, wait_for_account
from infra.local.endpoints import Endpoints
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.state import read_state
from infra.local.supervisor import Supervisor
from producers.emit import Spool

TICK_S = 0.01  # orders due within one tick are written together
PROBES_A_SECOND = 10
_LOOK_S = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one process of the stack used."""

    name: str
    cpu_percent: float  # of one core, over the whole time
    pss_mib: float  # proportional share of resident memory, at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The outcome. Waits are in seconds from when an order was due."""

    rate: float
    achieved: float  # orders a second that were written
    seconds: float
    probes: int
    unseen: int  # probes that never arrived
    found_s: dict[str, float]  # p50, p95, p99, max until a search finds the order
    shown_s: dict[str, float]  # the same until the board shows it
    processes: list[Process]
    account: Account


class Shop:
    """Orders with one to three lines of the catalogue's products."""

    def __init__(self, spool: Path, products: list[Product]) -> None:
        self._spool = Spool(spool)
        self._products = products
        self._run = f"{time.time_ns():x}"

    def sell(self, number: int) -> str:
        """Append order `number`. Returns its event id."""
        picked = [self._products[(number * step) % len(self._products)] for step in range(1, 2 + number % 3)]
        quantity = 1 + number % 3
        lines = [{"sku": product.sku, "quantity": quantity, "unit_price": product.price} for product in picked]
        event_id = f"hold-{self._run}-{number}"
        self._spool.append(
            {
                "type": "order",
                "schema_version": 1,
                "event_id": event_id,
                "event_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "order_id": f"O-{number}",
                "session_id": f"s-{number}",
                "kind": "sale",
                "customer_id": f"C-{number % 5000}",
                "channel": "web",
                "region": "GB",
                "currency": "GBP",
                "lines": lines,
                "total": sum(quantity * product.price for product in picked),
            }
        )
        return event_id


class Probes:
    """Orders whose way is timed. `due` and `found` are monotonic seconds, by event id."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self.found: dict[str, float] = {}

    def missing(self) -> list[str]:
        return [event_id for event_id in list(self.due) if event_id not in self.found]


def hold(stack: Supervisor, settings: LocalSettings, *, rate: float, seconds: float) -> Held:
    """Start everything, hold `rate` orders a second for `seconds`, drain, and say what was seen."""
    endpoints = bring_up(stack, settings)
    board = pipeline.board(stack.home, port=ports.choose([pipeline.BOARD], {}, stack.rng)[pipeline.BOARD])
    stack.start([pipeline.agent(stack.home), pipeline.live(stack.home), board])
    shop = Shop(endpoints.spool, products_from_ndjson(stack.home.catalogue.read_bytes()))
    probes, before = Probes(), _cpu_s(stack)
    with _watched(board.url) as snapshots, _searched(endpoints, probes):
        written, took_s = _sell(stack, shop, probes, rate, seconds)
        processes = _used(stack, before, took_s)
        account = wait_for_account(endpoints)
        stack.wait(2.0)  # the last probes' snapshots
    found = [probes.found[event_id] - due for event_id, due in probes.due.items() if event_id in probes.found]
    shown = [
        shown - probes.due[event_id]
        for event_id, seen in probes.found.items()
        if (shown := next((at for at in snapshots if at >= seen), None)) is not None
    ]
    return Held(
        rate=rate,
        achieved=written / took_s,
        seconds=took_s,
        probes=len(probes.due),
        unseen=len(probes.missing()),
        found_s=percentiles(found),
        shown_s=percentiles(shown),
        processes=processes,
        account=account,
    )


def percentiles(waits: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest; empty for fewer than two."""
    if len(waits) < 2:
        return {}
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(waits)}


def _sell(stack: Supervisor, shop: Shop, probes: Probes, rate: float, seconds: float) -> tuple[int, float]:
    """Write what is due, tick by tick. Returns orders written and seconds taken."""
    start = time.monotonic()
    every = max(1, round(rate / PROBES_A_SECOND))
    number = 0
    for tick in itertools.count(1):
        if stack.wait(max(0.0, start + tick * TICK_S - time.monotonic())) or tick * TICK_S > seconds:
            return number, time.monotonic() - start
        while number < rate * tick * TICK_S:
            due = start + number / rate
            event_id = shop.sell(number)
            if number % every == 0:
                probes.due[event_id] = due
            number += 1
    raise AssertionError("unreachable")


@contextmanager
def _searched(endpoints: Endpoints, probes: Probes) -> Iterator[None]:
    """Look for the missing probes, the way the board looks: by search, so not before a refresh."""
    client, done = store_of(endpoints.opensearch), threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_S):
            missing = probes.missing()[:500]
            if missing:
                body: dict[str, Any] = {"size": len(missing), "_source": False, "query": {"ids": {"values": missing}}}
                params = {"ignore_unavailable": "true", "allow_no_indices": "true", "filter_path": "hits.hits._id"}
                try:
                    answer = client.search(index="orders-*", body=body, params=params)
                except OpenSearchException:  # a new index whose shard is not started yet: the board waits too
                    continue
                now = time.monotonic()
                for hit in answer.get("hits", {}).get("hits", []):
                    probes.found[hit["_id"]] = now

    with _beside(look, done):
        yield


@contextmanager
def _watched(board_url: str) -> Iterator[list[float]]:
    """A viewer of the board. Yields the times (monotonic) at which snapshots come in."""
    times: list[float] = []
    done = threading.Event()
    answer = urllib3.PoolManager().request("GET", f"{board_url}/events", preload_content=False)

    def read() -> None:
        for chunk in answer.stream(1 << 20):
            if done.is_set():
                return
            if b"data: " in chunk:
                times.append(time.monotonic())

    with _beside(read, done):
        yield times
    answer.close()


@contextmanager
def _beside(work: Any, done: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=10.0)


def _processes(stack: Supervisor) -> dict[str, psutil.Process]:
    state = read_state(stack.home)
    assert state is not None
    found = {part.name: part.process.process() for part in state.parts if part.process}
    return {name: process for name, process in found.items() if process}


def _cpu_s(stack: Supervisor) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in _processes(stack).items()}


def _used(stack: Supervisor, before: dict[str, float], seconds: float) -> list[Process]:
    after = _cpu_s(stack)
    return [
        Process(
            name=name,
            cpu_percent=100 * (after[name] - before.get(name, 0.0)) / seconds,
            pss_mib=process.memory_full_info().pss / (1 << 20),
        )
        for name, process in _processes(stack).items()
    ]


def as_json(held: Held) -> str:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(held), indent=2).decode()


def print_held(held: Held, console: Console) -> None:
    """Tables for people."""
    waits = Table("seconds from due", *held.found_s, title=f"{held.achieved:,.0f} orders/s for {held.seconds:.0f} s")
    for name, row in (("found in OpenSearch", held.found_s), ("on the board", held.shown_s)):
        waits.add_row(name, *(f"{value:.2f}" for value in row.values()))
    used = Table("process", "CPU % of a core", "PSS MiB")
    for process in held.processes:
        used.add_row(process.name, f"{process.cpu_percent:.1f}", f"{process.pss_mib:.0f}")
    cpu_percent, pss_mib = sum(p.cpu_percent for p in held.processes), sum(p.pss_mib for p in held.processes)
    used.add_row("all", f"{cpu_percent:.1f}", f"{pss_mib:.0f}")
    console.print(waits, used)
    console.print(f"{held.probes} probes, {held.unseen} never seen; account: {held.account}", highlight=False)
