"""What each part of the way takes at most, in events a second, and what to do where that is too little."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.local.kinesis.limits import BYTES_OUT
from loadtests.readiness.measured import Capacities, Capacity
from loadtests.readiness.stream import MOST_SHARDS, Filling, Step, holds_up_to, sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakPlan:
    """The peak as planned, and what is to carry it."""

    step: Step
    shards: int  # of the stream, when the step begins
    headroom: float  # the peak is to fit so many times
    hosts: int = 1  # of the shop, an agent each
    live_workers: int = 1
    cold_workers: int = 1
    nodes: int = 1  # of OpenSearch that hold primary shards
    polling_readers: int = 2  # live and cold; 1 where live reads by fan-out
    cadence_s: float = 15.0  # between two loads of the warehouse: [keeper] warehouse_cadence

    @property
    def wanted(self) -> float:
        """Events/s that every part has to take."""
        return self.step.peak * self.headroom


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Where one part breaks."""

    part: str
    rate: float | None  # events/s; None: not known
    breaks: str  # what is seen then
    advice: str  # what to do about it
    source: str


def limits_of(
    plan: PeakPlan, filling: Filling, capacities: Capacities, *, event_bytes: float, key_share: float, rows: float
) -> list[Limit]:
    """Of all parts, in the order of the way. `rows`: that an order makes in the warehouse."""
    return [*_of_stream(plan, filling, event_bytes, key_share), *_of_ours(plan, capacities, rows)]


def first_to_break(limits: Sequence[Limit]) -> Limit | None:
    """The one with the lowest rate; the earlier on the way where two break together. None where none is known."""
    known = [(limit.rate, number) for number, limit in enumerate(limits) if limit.rate is not None]
    return limits[min(known)[1]] if known else None


def _of_stream(plan: PeakPlan, filling: Filling, event_bytes: float, key_share: float) -> Iterator[Limit]:
    holds = holds_up_to(filling, plan.step, plan.shards)
    readers = max(1, plan.polling_readers)
    yield Limit(
        part="stream",
        rate=holds,
        breaks=f"{plan.shards} shards throttle within the step; lines wait on the hosts' disks until they have split",
        advice=_more_shards(plan, filling),
        source="Kinesis Developer Guide, Quotas and limits: 1 MiB/s and 1,000 records/s a shard; On-demand mode",
    )
    yield Limit(
        part="hottest key",
        rate=filling.events_a_shard / key_share,
        breaks=f"one partition key has {key_share:.2%} of all events; its shard throttles, and no split parts a key",
        advice="find whose it is (a crawler, a till, a test account) and give its events more ids",
        source="Kinesis Developer Guide, Quotas and limits: a key's records go to one shard",
    )
    yield Limit(
        part="shared reads",
        # Of what each shard takes: readers gain from a split what writers do.
        rate=holds * (BYTES_OUT / (readers * event_bytes) / filling.events_a_shard),
        breaks=f"{readers} polling readers share 2 MiB/s of the hottest shard, and fall behind",
        advice="let live read by fan-out ([reading] mode), with 2 MiB/s a shard of its own, or have more shards",
        source="Kinesis Developer Guide, Quotas and limits: 2 MiB/s a shard to all polling readers together",
    )


def _more_shards(plan: PeakPlan, filling: Filling) -> str:
    enough = (size for size in sizes(plan.shards) if holds_up_to(filling, plan.step, size) >= plan.wanted)
    shards = next(enough, None)
    if shards is None:
        return f"{MOST_SHARDS} shards are not enough either: have the quota raised, or spread the keys"
    if shards == plan.shards:
        return "nothing: they are enough"
    return (
        f"UpdateStreamWarmThroughput to {shards} MiB/s (--warm {math.ceil(plan.wanted)}) at least 15 minutes before, or"
        f" split it to {shards} shards while it is provisioned (--shards {shards})"
    )


def _of_ours(plan: PeakPlan, capacities: Capacities, rows: float) -> Iterator[Limit]:
    def limit(part: str, one: Capacity | None, times: float, breaks: str, setting: str, have: int) -> Limit:
        each = None if one is None else one.value * times
        more = "" if each is None else f": {math.ceil(plan.wanted / each)} of them take {plan.wanted:,.0f}/s"
        return Limit(
            part=part,
            rate=None if each is None else each * have,
            breaks=breaks,
            advice=f"{setting}{more}" if one else "measure it: --measure, or `python -m loadtests bench all --write`",
            source=one.source if one else "not measured",
        )

    yield limit(
        "agents",
        capacities.agent,
        1.0,
        "an agent keeps a core busy, and lines wait in the spool",
        "more hosts (--hosts)",
        plan.hosts,
    )
    yield limit(
        "live",
        capacities.live,
        1.0,
        "the board falls behind: lag grows, nothing is lost",
        "more live workers (--live-workers)",
        plan.live_workers,
    )
    yield limit(
        "OpenSearch",
        capacities.node,
        1.0,
        "bulk requests wait or are refused with 429; live slows down with them",
        "more data nodes (--nodes), each with primary shards of the day's index",
        plan.nodes,
    )
    yield limit(
        "cold",
        capacities.cold,
        1.0,
        "lake and warehouse fall behind: lag grows, nothing is lost",
        "more cold workers (--cold-workers)",
        plan.cold_workers,
    )
    yield limit(
        "warehouse",
        capacities.warehouse,
        1.0 / rows,
        f"a load takes longer than its rows take to arrive, and history is late. {_loaded(plan, capacities, rows)}",
        "more RPUs, and a longer [keeper] warehouse_cadence, as a commit costs a fixed part; as large as this one",
        1,
    )


def _loaded(plan: PeakPlan, capacities: Capacities, rows: float) -> str:
    """What one cadence of the peak brings."""
    brought = plan.cadence_s * plan.step.peak * rows
    took = "" if capacities.warehouse is None else f", which load in {brought / capacities.warehouse.value:,.1f} s"
    return f"{plan.cadence_s:g} s of the peak are {brought:,.0f} rows{took}"
