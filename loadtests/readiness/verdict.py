"""Whether a planned peak fits, what breaks first, and what other streams would make of the step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtests.readiness.limits import Limit, PeakPlan, first_to_break, limits_of
from loadtests.readiness.measured import Capacities
from loadtests.readiness.sample import EventSample
from loadtests.readiness.stream import (
    Filling,
    Throttled,
    holds_up_to,
    shards_for,
    simulate,
    warmed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to prepare the stream."""

    name: str
    shards: int
    holds_up_to: float  # events/s with nothing refused
    step: Throttled  # what the planned step does to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The answer."""

    peak: float
    wanted: float  # the peak with its headroom
    fits: bool
    first: Limit | None  # the first part that breaks as the rate grows
    limits: Sequence[Limit]
    options: Sequence[Option]  # as it is; then each that was asked for, or that the peak needs
    hottest_shard: float  # the part of all events that it gets
    even_share: float  # that it would get
    event_bytes: float

    @property
    def short(self) -> list[Limit]:
        """The parts that are known to take too little."""
        return [limit for limit in self.limits if limit.rate is not None and limit.rate < self.wanted]

    @property
    def unknown(self) -> list[Limit]:
        """The parts that nobody has measured."""
        return [limit for limit in self.limits if limit.rate is None]


def assess(plan: PeakPlan, sample: EventSample, capacities: Capacities, *, warm: Sequence[float] = ()) -> Readiness:
    """Hold the plan against every part. `plan.shards` 0: as many as a stream has that has seen the start and no more.

    The peak fits if no part's limit is below it with its headroom, and none is unknown. With `warm` the stream is
    warmed for the largest of these rates; the others are options beside it.
    """
    filling = Filling(sample)
    bare = replace(plan, shards=plan.shards or shards_for(filling, plan.step.start))
    named = [("as it is", bare.shards)]
    named += [(f"warm for {rate:,.0f}/s", warmed(filling, bare.shards, rate)) for rate in sorted(warm)]
    planned = replace(bare, shards=named[-1][1])
    limits = limits_of(
        planned,
        filling,
        capacities,
        event_bytes=sample.event_bytes,
        key_share=sample.hottest_key_share,
        rows=sample.order_rows,
    )
    if not warm and not _takes(limits[0], plan.wanted):
        named.append((f"warm for {plan.wanted:,.0f}/s", warmed(filling, bare.shards, plan.wanted)))
    return Readiness(
        peak=plan.step.peak,
        wanted=plan.wanted,
        fits=all(_takes(limit, plan.wanted) for limit in limits),
        first=first_to_break(limits),
        limits=limits,
        options=[_option(name, shards, plan, filling) for name, shards in named],
        hottest_shard=filling.share(planned.shards),
        even_share=1.0 / planned.shards,
        event_bytes=sample.event_bytes,
    )


def _takes(limit: Limit, rate: float) -> bool:
    return limit.rate is not None and limit.rate >= rate


def _option(name: str, shards: int, plan: PeakPlan, filling: Filling) -> Option:
    return Option(
        name=name,
        shards=shards,
        holds_up_to=holds_up_to(filling, plan.step, shards),
        step=simulate(filling, plan.step, shards),
    )
