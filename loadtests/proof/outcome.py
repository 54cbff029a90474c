"""A proof, as data: the JSON for CI is these structs, and the page is made of them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from loadtests.proof.costs import AgentCost, LagCost, ProcessCost
from loadtests.proof.freshness import Freshness
from loadtests.proof.reconcile import StoreProof
from loadtests.proof.thresholds import Thresholds
from loadtests.sale.plan import Plan

VERSION = 1  # fields may be added, none changes its meaning
SLOPE_LINES = 5_000_000  # a slope through fewer says more of a process's pages than of its habits


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of request of Locust's. Milliseconds from when it was intended."""

    method: str
    name: str
    requests: int
    failures: int
    p50: float
    p95: float
    p99: float
    max: float


# What people do in the shop, in order: request names of loadtests.shopper.
FUNNEL = {
    "came": ("/",),
    "looked around": ("/search?q=[word]", "/search?department=[]"),
    "looked at a product": ("/product/[sku]",),
    "put it into the cart": ("/cart/add",),
    "went to the checkout": ("/checkout",),
    "ordered": ("/checkout (order)",),
}


def funnel(requests: Sequence[Request]) -> dict[str, int]:
    """How often each step was taken, those that failed apart; empty without a shop."""
    counts: Counter[str] = Counter()
    for request in requests:
        counts[request.name] += request.requests - request.failures
    steps = {step: sum(counts[name] for name in names) for step, names in FUNNEL.items()}
    return steps if any(steps.values()) else {}


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """The open model's promise: of what was intended, what was written, and what of that on time."""

    intended: int
    written: int
    on_time: int  # within a second of due

    @property
    def achieved(self) -> float:
        return self.written / self.intended if self.intended else 1.0

    @property
    def punctual(self) -> float:
        return self.on_time / self.intended if self.intended else 1.0


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """Of the shop."""

    due: int
    begun: int
    failed: int

    @property
    def came(self) -> float:
        return self.begun / self.due if self.due else 1.0

    @property
    def lost(self) -> float:
        return self.failed / self.begun if self.begun else 0.0


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    version: int = VERSION
    plan: Plan
    began_us: int
    ended_us: int  # when the last line was sent
    rate: Rate
    minutes: list[Rate]  # by minute of being due
    stores: list[StoreProof]
    account: str | None  # its verdict; None: it was not taken
    freshness: Freshness
    processes: list[ProcessCost]
    lags: list[LagCost]
    agent: AgentCost
    requests: list[Request]
    visits: Visits | None  # None: there was no shop, or nobody has counted
    stream_refusals: dict[str, int] | None  # entries by error code, of senders that put straight into the stream
    unreadable: dict[str, str]  # stores that could not be asked: why
    broken: list[str]  # thresholds, a sentence each


def broken(proof: Proof, limits: Thresholds) -> list[str]:
    """What is not kept, worst first. `proof.broken` is not looked at."""
    found = [f"{store}: could not be asked: {why}" for store, why in proof.unreadable.items()]
    for each in proof.stores:
        for name, count, most in (
            ("missing", each.missing, limits.missing),
            ("duplicated", each.duplicated, limits.duplicated),
            ("misjudged", each.misjudged, limits.misjudged),
            ("altered", each.altered, limits.altered),
            ("undetected duplicates", each.undetected, limits.undetected),
        ):
            if count > most:
                named = ", ".join(fault.key for fault in each.faults[:3])
                found.append(f"{each.store}: {count:,} {name} of {each.emitted:,} lines, at most {most:,}: {named}")
    found += _foreign(proof, limits)
    if limits.account and proof.plan.into == "spool" and proof.account != "balances":
        retake = f"`python -m consumers account --settings {proof.plan.settings_file}` says why"
        found.append(f"the account: {proof.account or 'it was not taken'}; {retake}")
    if proof.rate.achieved < limits.achieved:
        found.append(f"only {proof.rate.achieved:.1%} of what was intended was written, at least {limits.achieved:.0%}")
    if proof.rate.punctual < limits.on_time:
        found.append(
            f"only {proof.rate.punctual:.1%} was written within a second of due, at least {limits.on_time:.0%}:"
            " the senders are the limit; give them more processes or machines"
        )
    return [*found, *_in_shop(proof, limits), *_slow(proof.freshness, limits), *_grown(proof.processes, limits)]


def unanswered(proof: Proof) -> int:
    """People who saw the form of the checkout and no thank-you page: each may have an order that nobody noted."""
    steps = funnel(proof.requests)
    return max(0, steps["went to the checkout"] - steps["ordered"]) if steps else 0


def _foreign(proof: Proof, limits: Thresholds) -> list[str]:
    if not proof.plan.is_local:  # others may sell there too
        return []
    spare = unanswered(proof)
    found = []
    for each in proof.stores:
        excess = each.foreign - min(each.foreign_orders, spare)
        if excess > limits.foreign:
            found.append(
                f"{each.store}: {excess:,} orders or letters that no sender has noted, at most {limits.foreign}"
            )
    return found


def _in_shop(proof: Proof, limits: Thresholds) -> list[str]:
    visits = proof.visits
    if visits is None:
        missed = proof.plan.visits is not None and proof.plan.is_local
        return ["the visits were not counted: Locust did not come to its end; locust.log says why"] if missed else []
    found = []
    if visits.came < limits.visits_begun:
        found.append(
            f"only {visits.came:.1%} of {visits.due:,} visits were begun, at least {limits.visits_begun:.0%}:"
            " the senders are the limit; give them more processes or machines"
        )
    if visits.lost > limits.visits_failed:
        found.append(f"{visits.lost:.1%} of {visits.begun:,} visits failed, at most {limits.visits_failed:.0%}")
    return found


def _grown(processes: Sequence[ProcessCost], limits: Thresholds) -> list[str]:
    return [
        f"{each.name}: {each.memory_slope_mib:.2f} MiB more a million lines, at most {limits.memory_slope_mib:g}"
        for each in processes
        if each.memory_slope_mib is not None
        and each.memory_slope_lines >= SLOPE_LINES
        and each.memory_slope_mib > limits.memory_slope_mib
    ]


def _slow(fresh: Freshness, limits: Thresholds) -> list[str]:
    if not fresh.probes:
        return ["no probe was sent, so that nobody knows how fresh the stores were: send good orders too"]
    found = []
    for store, unseen in fresh.unseen.items():
        spread = fresh.judged.get(store)
        if unseen:
            found.append(f"{store}: {unseen} of {fresh.probes} probes never seen")
        elif spread is None:
            found.append(f"{store}: no probe was due in {', '.join(fresh.judged_phases)}: the run was too short")
        if spread is not None and spread.p99 > (most := limits.fresh_p99_s.get(store, float("inf"))):
            found.append(f"{store}: p99 freshness {spread.p99:.2f} s, at most {most:g} s")
        if fresh.catch_up_s.get(store, 0.0) > (most := limits.catch_up_s.get(store, float("inf"))):
            found.append(f"{store}: caught up {fresh.catch_up_s[store]:.0f} s after the last order, at most {most:g} s")
    return found
