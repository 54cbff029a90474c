"""Holding a drill: load, fault, end of the fault, and then the proof for its lines alone."""

import datetime as dt
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from opensearchpy import OpenSearchException

from contract.catalogue import products_from_ndjson
from infra.local.state import read_state
from loadtests.drills.drill import Drill, Outcome
from loadtests.drills.ground import Ground
from loadtests.drills.witness import Witness, witnessed
from loadtests.proof.holdings import Span
from loadtests.proof.prove import holdings_of, reconcile
from loadtests.proof.reconcile import StoreProof
from loadtests.proof.samples import Sampler, read_samples
from loadtests.proof.sightings import ASKED
from loadtests.proof.watch import Watch, watching
from loadtests.sale.ledger import Ledger
from loadtests.sale.outlets import Outlet, SpoolOutlet
from loadtests.sale.plan import PROBES_A_SECOND, Plan, RunFolder
from loadtests.sale.planted import Goods
from loadtests.sale.pump import TICK_S, Pump
from loadtests.shapes import Knot, Shape
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.outage import Outage

BEFORE_S, AFTER_S = 4.0, 3.0  # of ordinary selling around the fault
_LONGEST_S = 3600.0  # of a drill; its end is told to the pump by a stop
_LOOK_S = 0.5
_AGAIN_S = 3.0
_BEFORE, _AFTER = dt.timedelta(minutes=5), dt.timedelta(minutes=30)


def hold(drill: Drill, ground: Ground, folder: RunFolder, *, rate: float, seed: int) -> Outcome:
    """Hold one drill. Raises nothing that its fault may cause: why it could not be held is in the outcome."""
    plan = _plan(drill, ground, rate=rate, seed=seed)
    folder.make(plan)
    sampler = Sampler(folder.samples, ground.settings, ground.home)
    restarts = _restarts(ground)
    trouble: str | None = None
    with (
        watching(folder, ground.settings, sampler, board_url="") as watch,
        witnessed(ground.home.logs, ground.board_url) as witness,
    ):
        with _selling(drill, plan, ground, folder) as began:
            ground.stack.wait(BEFORE_S)
            try:
                drill.provoke(ground)
                ground.stack.wait(drill.hold_s)
            except (ConfigError, Outage, ClientError, BotoCoreError, OpenSearchException, OSError) as error:
                trouble = f"could not be provoked: {error}"
            trouble = _undone(drill, ground) or trouble
            undone_us = time.time_ns() // 1000
            ground.stack.wait(AFTER_S)
        _await_seen(ground, watch, drill.recover_s)
    proofs, unreadable = _reconciled(folder, ground, began, within_s=drill.recover_s)
    died = {name: count - restarts.get(name, 0) for name, count in _restarts(ground).items()}
    return _outcome(drill, folder, proofs, unreadable, undone_us, trouble, _seen(witness, folder, died))


def _plan(drill: Drill, ground: Ground, *, rate: float, seed: int) -> Plan:
    rate *= drill.load.times
    return Plan(
        run_id=f"d{secrets.token_hex(3)}-{drill.name}",
        seed=seed,
        shape_name=drill.name,
        orders=Shape(knots=(Knot(0.0, rate), Knot(_LONGEST_S, rate))),
        visits=None,
        planted=drill.load.planted,
        settings_file=str(ground.home.settings_file),
    )


@contextmanager
def _selling(drill: Drill, plan: Plan, ground: Ground, folder: RunFolder) -> Iterator[dt.datetime]:
    """Sell, in a thread, until the context is left. Gives when that began."""
    outlet: Outlet = SpoolOutlet(ground.endpoints.spool)
    done, rng, clock = threading.Event(), random.Random(f"{plan.seed}-{drill.name}"), SystemClock()
    products = products_from_ndjson(ground.home.catalogue.read_bytes())
    with Ledger(folder.intended, folder.probes, "drill") as ledger:
        pump = Pump(
            plan.run_id,
            plan.orders,
            outlet,
            ledger,
            Goods(products, rng, customer_id=drill.load.customer_id),
            clock,
            rng,
            planted=plan.planted,
            twice=plan.twice,
            probes_a_second=PROBES_A_SECOND,
            alter=lambda order: drill.load.alter(order, rng),
        )

        def sell() -> None:
            while not done.wait(TICK_S):
                pump.step()

        seller = threading.Thread(target=sell, name="seller", daemon=True)
        seller.start()
        try:
            yield clock.now()
        finally:
            done.set()
            seller.join()
            outlet.close()


def _undone(drill: Drill, ground: Ground) -> str | None:
    try:
        drill.undo(ground)
    except (ConfigError, Outage, ClientError, BotoCoreError, OpenSearchException, OSError) as error:
        return f"could not be undone: {error}"
    return None


def _await_seen(ground: Ground, watch: Watch, within_s: float) -> None:
    for _ in range(round(within_s / _LOOK_S)):
        if not any(watch.sightings.waiting.values()) or ground.stack.wait(_LOOK_S):
            return


def _reconciled(
    folder: RunFolder, ground: Ground, began: dt.datetime, *, within_s: float
) -> tuple[list[StoreProof], dict[str, str]]:
    ledgers, database = sorted(folder.intended.glob("*.csv")), folder.root / "proof.duckdb"
    for _ in range(1 + round(within_s / _AGAIN_S)):
        span = Span(began - _BEFORE, began + _AFTER)
        proofs, unreadable = reconcile(ledgers, holdings_of(ground.settings, span), database, folder.root)
        if not unreadable and not any(each.missing + each.undetected + each.misjudged for each in proofs):
            break
        if ground.stack.wait(_AGAIN_S):
            break
    return proofs, unreadable


def _outcome(
    drill: Drill,
    folder: RunFolder,
    proofs: list[StoreProof],
    unreadable: dict[str, str],
    undone_us: int,
    trouble: str | None,
    seen: dict[str, str],
) -> Outcome:
    if unreadable:
        trouble = trouble or "; ".join(f"{store}: {why}" for store, why in unreadable.items())
    return Outcome(
        name=drill.name,
        expected=drill.expected,
        emitted=max((each.emitted for each in proofs), default=0),
        lost={each.store: each.missing for each in proofs},
        wrong={each.store: each.duplicated + each.misjudged + each.undetected for each in proofs},
        recovered_s=recovered(folder.probes, folder.sightings, undone_us),
        seen=seen,
        trouble=trouble,
    )


def recovered(probes: Path, sightings: Path, undone_us: int) -> dict[str, float | None]:
    """By store: seconds from then until the last probe that was due before was seen; None: one never was."""
    due = {
        key
        for file in probes.glob("*.csv")
        for key, at_us in (line.split(",") for line in file.read_text().splitlines())
        if int(at_us) <= undone_us
    }
    seen: dict[str, dict[str, int]] = {store: {} for store in ASKED}
    for line in sightings.read_text().splitlines() if sightings.exists() else []:
        store, key, _, at_us = line.split(",")
        seen[store][key] = int(at_us)
    return {
        store: max([0.0, *((found[key] - undone_us) / 1e6 for key in due)]) if due <= found.keys() else None
        for store, found in seen.items()
    }


def _restarts(ground: Ground) -> dict[str, int]:
    state = read_state(ground.home)
    return {part.name: part.restarts for part in state.parts} if state else {}


def _seen(witness: Witness, folder: RunFolder, died: dict[str, int]) -> dict[str, str]:
    return witness.seen(read_samples(folder.samples), died)
