"""Holding a drill: load, fault, end of the fault, and then the proof for its lines alone."""

import datetime as dt
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.state import read_state
from loadtests.drills.drill import Drill, Load, Outcome
from loadtests.drills.ground import Ground
from loadtests.drills.recovery import recovered
from loadtests.drills.selling import selling
from loadtests.drills.signs import TROUBLE
from loadtests.drills.witness import witnessed
from loadtests.proof.holdings import Span
from loadtests.proof.prove import holdings_of, reconcile
from loadtests.proof.reconcile import StoreProof
from loadtests.proof.samples import Sampler, read_samples
from loadtests.proof.sightings import ASKED
from loadtests.proof.watch import Watch, watching
from loadtests.sale.plan import Plan, RunFolder
from loadtests.shapes import Knot, Shape

BEFORE_S, AFTER_S = 4.0, 3.0  # of ordinary selling around the fault, at the least
_LONGEST_S = 3600.0  # of a drill; its end is told to the pump by a stop
_WELL_WITHIN_S = 120.0  # a ground that was just prepared
_LOOK_S = 0.5
_AGAIN_S = 3.0
_AROUND = dt.timedelta(minutes=1)  # arrivals are by the stream's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault from its beginning to its end. Times are microseconds since the epoch."""

    ended_us: int  # when its end was begun
    back_us: int  # when everything was back
    times: int = 0  # that its sign was seen while it lasted
    trouble: str | None = None


def hold(drill: Drill, ground: Ground, folder: RunFolder, *, rate: float, seed: int) -> Outcome:
    """Hold one drill. Raises nothing that its fault may cause: why it could not be held is in the outcome."""
    plan = _plan(drill, ground, rate=rate, seed=seed)
    folder.make(plan)
    sampler = Sampler(folder.samples, ground.settings, ground.home)
    restarts = _restarts(ground)
    before = _counted(drill, ground)  # of a load that is the fault, the first line counts
    with (
        watching(folder, ground.settings, sampler, board_url="") as watch,
        witnessed(ground.home.logs, ground.board_url) as witness,
    ):
        with selling(drill, plan, ground, folder) as began:
            ground.stack.wait(BEFORE_S)
            _await_first(ground, folder)
            if drill.load == Load():  # no fault yet: what a new index makes the board say is none
                witness.begin()
            fault = suffered(drill, ground, before)
            ground.stack.wait(AFTER_S)
        _await_seen(ground, watch, drill.recover_s)
    proofs, unreadable = _reconciled(folder, ground, began, within_s=drill.recover_s)
    times = _times(drill, ground, fault, before, proofs)
    # A part that was stopped and started is counted anew.
    died = {name: max(0, count - restarts.get(name, 0)) for name, count in _restarts(ground).items()}
    seen = witness.seen(read_samples(folder.samples), died)
    return outcome_of(drill, folder, proofs, unreadable, fault, times, seen)


def suffered(drill: Drill, ground: Ground, before: int) -> Fault:
    """The fault, and its end; it lasts until its sign counts more than `before`, if it can meanwhile. Raises nothing
    of TROUBLE."""
    times, trouble = 0, None
    try:
        drill.provoke(ground)
        ground.stack.wait(drill.hold_s)
        if not drill.sign.is_of_the_end:
            times = drill.sign.times(ground, before)
    except TROUBLE as error:
        trouble = f"could not be provoked: {error}"
    ended_us = _now_us()
    try:
        drill.undo(ground)
    except TROUBLE as error:
        trouble = trouble or f"could not be undone: {error}"
    return Fault(ended_us=ended_us, back_us=_now_us(), times=times, trouble=trouble)


def outcome_of(
    drill: Drill,
    folder: RunFolder,
    proofs: list[StoreProof],
    unreadable: dict[str, str],
    fault: Fault,
    times: int,
    seen: dict[str, str],
) -> Outcome:
    """What came of it. A fault that nothing shows is trouble, however well all went."""
    trouble = fault.trouble
    if unreadable:
        trouble = trouble or "; ".join(f"{store}: {why}" for store, why in unreadable.items())
    if not times:
        trouble = trouble or f"its fault was not in force: no {drill.sign.what}"
    return Outcome(
        name=drill.name,
        expected=drill.expected,
        sign=drill.sign.what,
        in_force=times,
        emitted=max((each.emitted for each in proofs), default=0),
        lost={each.store: each.missing for each in proofs},
        wrong={each.store: each.duplicated + each.misjudged + each.altered + each.undetected for each in proofs},
        recovered_s=recovered(folder.probes, folder.sightings, ended_us=fault.ended_us, back_us=fault.back_us),
        seen=seen,
        trouble=trouble,
    )


def _plan(drill: Drill, ground: Ground, *, rate: float, seed: int) -> Plan:
    rate = drill.load.rate(rate)
    return Plan(
        run_id=f"d{secrets.token_hex(3)}-{drill.name}",
        seed=seed,
        shape_name=drill.name,
        orders=Shape(knots=(Knot(0.0, rate), Knot(_LONGEST_S, rate))),
        visits=None,
        planted=drill.load.planted,
        settings_file=str(ground.home.settings_file),
    )


def _counted(drill: Drill, ground: Ground) -> int:
    try:
        return drill.sign.count(ground)
    except TROUBLE:
        return sys.maxsize  # who cannot be asked before cannot be believed afterwards: nothing is more than that


def _times(drill: Drill, ground: Ground, fault: Fault, before: int, proofs: list[StoreProof]) -> int:
    if fault.trouble or not drill.sign.is_of_the_end:
        return fault.times
    return drill.sign.times(ground, before, lines=max((each.emitted for each in proofs), default=0))


def _await_first(ground: Ground, folder: RunFolder) -> None:
    """Until every store shows something of this drill: a fault of what does not run yet would meet nobody."""
    for _ in range(round(_WELL_WITHIN_S / _LOOK_S)):
        if stores_in(folder.sightings) >= set(ASKED) or ground.stack.wait(_LOOK_S):
            return


def stores_in(sightings: Path) -> set[str]:
    """Those in which anything was seen."""
    lines = sightings.read_text().splitlines() if sightings.exists() else []
    return {line.partition(",")[0] for line in lines}


def _await_seen(ground: Ground, watch: Watch, within_s: float) -> None:
    for _ in range(round(within_s / _LOOK_S)):
        if not any(watch.sightings.waiting.values()) or ground.stack.wait(_LOOK_S):
            return


def _reconciled(
    folder: RunFolder, ground: Ground, began: dt.datetime, *, within_s: float
) -> tuple[list[StoreProof], dict[str, str]]:
    """Again until nothing is missing, or the time is over."""
    ledgers, database = sorted(folder.intended.glob("*.csv")), folder.root / "proof.duckdb"
    over_s = time.monotonic() + within_s
    while True:
        span = Span(began - _AROUND, dt.datetime.now(dt.UTC) + _AROUND)
        proofs, unreadable = reconcile(ledgers, holdings_of(ground.settings, span), database, folder.root)
        if not unreadable and not any(each.missing + each.undetected + each.misjudged for each in proofs):
            break
        if time.monotonic() >= over_s or ground.stack.wait(_AGAIN_S):
            break
    return proofs, unreadable


def _restarts(ground: Ground) -> dict[str, int]:
    state = read_state(ground.home)
    return {part.name: part.restarts for part in state.parts} if state else {}


def _now_us() -> int:
    return time.time_ns() // 1000
