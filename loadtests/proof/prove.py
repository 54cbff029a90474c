"""The proof of a run, from its folder and its stores."""

import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec
from opensearchpy import OpenSearchException

from consumers.account.report import Account
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader, ObjectsMissing
from consumers.lake.store import LakeStore
from consumers.sinks.opensearch.connection import connect as connect_opensearch
from consumers.warehouse.connection import connect as connect_warehouse
from consumers.warehouse.trouble import Refused
from loadtests.proof import costs
from loadtests.proof.freshness import Freshness, freshness
from loadtests.proof.holdings import Held, Holdings, Span, in_lake, in_opensearch, in_warehouse
from loadtests.proof.outcome import Proof, Rate, Request, Visits, broken
from loadtests.proof.reconcile import Reconciliation, StoreProof
from loadtests.proof.samples import Sample, read_samples
from loadtests.proof.sightings import ASKED, BOARD
from loadtests.proof.thresholds import Thresholds
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.settings import SaleSettings
from loadtests.shapes import Schedule
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.outage import Outage

T = TypeVar("T")

VISITS, STREAM_REFUSALS = "visits.json", "stream_refusals.json"  # what Locust's users leave in the run's folder

_AGAIN_S = 5.0
_TOLD = 500_000  # rows of a store between two words of how many were read
# Around a run, for arrivals by the stream's clock.
_BEFORE, _AFTER = dt.timedelta(minutes=5), dt.timedelta(days=1)
_AWAY = (Outage, ConfigError, Refused, OpenSearchException, ObjectsMissing, duckdb.Error)


def prove(
    folder: RunFolder,
    settings: SaleSettings,
    limits: Thresholds,
    *,
    wait_s: float = 0.0,
    stop: threading.Event | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Proof:
    """Hold what was intended against the stores. While something is missing it is done again, until one look has begun
    after `wait_s`, or `stop` is set; `say` is told how far it has come.

    Raises ConfigError where the folder holds no run, or one that has sent nothing.
    """
    plan, stop = folder.plan(), stop or threading.Event()
    over_s = time.monotonic() + wait_s
    with Reconciliation(folder.root / "proof.duckdb", has_origins=plan.into == "spool") as reconciliation:
        reconciliation.intend(sorted(folder.intended.glob("*.csv")))
        while True:
            began_s = time.monotonic()
            proof = _look(folder, plan, settings, limits, reconciliation, partial(_told, stop=stop, say=say))
            missing = sum(store.missing + store.undetected for store in proof.stores)
            if not (missing or proof.unreadable):
                break
            say(f"{missing:,} lines are still missing, counted over the stores")
            if began_s >= over_s or stop.wait(_AGAIN_S):
                break
    return msgspec.structs.replace(proof, broken=broken(proof, limits))


def reconcile(
    ledgers: list[Path], holdings: Holdings, database: Path, faults_to: Path
) -> tuple[list[StoreProof], dict[str, str]]:
    """Every store that could be asked, and why the others could not."""
    with Reconciliation(database) as reconciliation:
        reconciliation.intend(ledgers)
        return _judged(reconciliation, holdings, faults_to)


def _judged(
    reconciliation: Reconciliation, holdings: Holdings, faults_to: Path
) -> tuple[list[StoreProof], dict[str, str]]:
    unreadable = {}
    reconciliation.let_go()
    for store, rows in holdings:
        try:
            reconciliation.hold(rows())
        except _AWAY as error:
            unreadable[store] = str(error)
    asked = [store for store, _ in holdings if store not in unreadable]
    return [reconciliation.judge(each, faults_to / f"faults-{each}.csv") for each in asked], unreadable


def holdings_of(settings: SaleSettings, span: Span) -> Holdings:
    """All three stores; nothing is asked yet."""

    def opensearch() -> Iterator[Held]:
        yield from in_opensearch(connect_opensearch(settings.opensearch), span)

    def lake() -> Iterator[Held]:
        yield from in_lake(LakeReader(LakeStore(LakeCatalogue(settings.aws), settings.lake)), span)

    def warehouse() -> Iterator[Held]:
        with connect_warehouse(settings.warehouse) as session:
            yield from in_warehouse(session, span)

    return [("opensearch", opensearch), ("lake", lake), ("warehouse", warehouse)]


def _told(of_all: Holdings, stop: threading.Event, say: Callable[[str], object]) -> Holdings:
    """The same; millions of lines take minutes, in which `say` is told of them, and `stop` ends the reading."""

    def read(store: str, rows: Callable[[], Iterator[Held]]) -> Iterator[Held]:
        for number, row in enumerate(rows(), 1):
            if number % _TOLD == 0:
                say(f"{store}: {number:,} rows read")
                if stop.is_set():
                    raise Outage("stopped before all of it was read")
            yield row

    return [(store, partial(read, store, rows)) for store, rows in of_all]


def _look(
    folder: RunFolder,
    plan: Plan,
    settings: SaleSettings,
    limits: Thresholds,
    reconciliation: Reconciliation,
    told: Callable[[Holdings], Holdings],
) -> Proof:
    times = reconciliation.span_us()
    written, on_time, by_minute = reconciliation.lateness()
    if times is None:
        raise ConfigError(f"{folder.root}: nothing was sent in this run; {folder.root / 'locust.log'} says why")
    began, ended = (dt.datetime.fromtimestamp(us / 1e6, dt.UTC) for us in times)
    holdings = holdings_of(settings, Span(began - _BEFORE, min(ended + _AFTER, dt.datetime.now(dt.UTC) + _BEFORE)))
    stores, unreadable = _judged(reconciliation, told(holdings), folder.root)
    samples = read_samples(folder.samples)
    namespace = settings.agent.metrics_namespace
    return Proof(
        plan=plan,
        began_us=times[0],
        ended_us=times[1],
        rate=Rate(intended=Schedule(plan.orders).events, written=written, on_time=on_time),
        minutes=_minutes(plan, times[0], by_minute),
        stores=stores,
        account=str(account.verdict) if (account := _whole(folder.account, Account)) else None,
        freshness=_fresh(folder, plan, times[0], limits),
        processes=costs.processes(samples, *times, _sent(plan, times[0], samples)),
        lags=costs.lags(samples),
        agent=costs.agent(samples, client("cloudwatch", settings.aws), namespace, began),
        requests=_whole(folder.requests, list[Request]) or [],
        visits=_whole(folder.root / VISITS, Visits),
        stream_refusals=_whole(folder.root / STREAM_REFUSALS, dict[str, int]),
        unreadable=unreadable,
        broken=[],
    )


def _fresh(folder: RunFolder, plan: Plan, began_us: int, limits: Thresholds) -> Freshness:
    watched = (BOARD, *ASKED) if plan.board_url else ASKED
    return freshness(
        folder.sightings,
        folder.probes,
        began_us=began_us,
        shape=plan.orders,
        limit_s=limits.fresh_p99_s,
        stores=watched,
    )


def _minutes(plan: Plan, began_us: int, by_minute: dict[int, tuple[int, int]]) -> list[Rate]:
    """Calendar minutes of being due, the first one begun."""
    schedule = Schedule(plan.orders)
    rates = []
    for minute, (written, on_time) in by_minute.items():
        start_s = minute * 60 - began_us / 1e6
        intended = round(schedule.until(start_s + 60) - schedule.until(max(0.0, start_s)))
        rates.append(Rate(intended=intended, written=written, on_time=on_time))
    return rates


def _sent(plan: Plan, began_us: int, samples: Sequence[Sample]) -> Sequence[float]:
    """Lines sent by each sample: as the agent acknowledged them, or as they were due where no agent was seen."""
    acknowledged = costs.acknowledged(samples)
    if plan.into == "spool" and any(acknowledged):
        return acknowledged
    schedule = Schedule(plan.orders)
    return [schedule.until((sample.at_us - began_us) / 1e6) for sample in samples]


def _whole(file: Path, kind: type[T]) -> T | None:
    """None for a file that is not there, or was cut off."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def with_namespace(settings: SaleSettings, namespace: str) -> SaleSettings:
    """Where the agent of a run on a stack of its own counts."""
    return dataclasses.replace(settings, agent=dataclasses.replace(settings.agent, metrics_namespace=namespace))
