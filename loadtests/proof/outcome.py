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
            ("undetected duplicates", each.undetected, limits.undetected),
        ):
            if count > most:
                named = ", ".join(fault.key for fault in each.faults[:3])
                found.append(f"{each.store}: {count:,} {name} of {each.emitted:,} lines, at most {most:,}: {named}")
    if limits.account and proof.account is not None and proof.account != "balances":
        found.append(f"the account: {proof.account}")
    if proof.rate.achieved < limits.achieved:
        found.append(f"only {proof.rate.achieved:.1%} of what was intended was written, at least {limits.achieved:.0%}")
    if proof.rate.punctual < limits.on_time:
        found.append(
            f"only {proof.rate.punctual:.1%} was written within a second of due, at least {limits.on_time:.0%}:"
            " the senders are the limit; give them more processes or machines"
        )
    return [*found, *_slow(proof.freshness, limits)]


def _slow(fresh: Freshness, limits: Thresholds) -> list[str]:
    found = []
    for store, spread in fresh.stores.items():
        if spread.p99 > (most := limits.fresh_p99_s.get(store, float("inf"))):
            found.append(f"{store}: p99 freshness {spread.p99:.2f} s, at most {most:g} s")
        if fresh.catch_up_s.get(store, 0.0) > (most := limits.catch_up_s.get(store, float("inf"))):
            found.append(f"{store}: caught up {fresh.catch_up_s[store]:.0f} s after the last order, at most {most:g} s")
    found += [f"{store}: {count} of {fresh.probes} probes never seen" for store, count in fresh.unseen.items() if count]
    return found
