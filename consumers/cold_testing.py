"""A cold path of a small shop on buckets in memory."""

import random
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec

from consumers.cold import Buckets, ColdPath, Limits
from consumers.delivery import Batch
from consumers.spans.budget import Budget
from consumers.spans.span import Author
from consumers.spans.testing import Chained
from consumers.stages.judge import Judge
from consumers.stages.testing import ARRIVED_AT, SHARD, access_judge, batch, encoded, enveloped, heartbeat, order
from consumers.stages.testing import judge as order_judge
from consumers.tally import Tally
from runtime.effects import Effect, no_effect
from runtime.objects.testing import Fault, MemoryObjects
from runtime.testing import ManualClock

APPLICATION = "cold"
LIMITS = Limits(nbytes=1 << 20, records=1_000, parts=64, age_s=20.0)


class ColdBench:
    """Two buckets, a clock, and as many workers on them as a test wants."""

    def __init__(self, *, limits: Limits = LIMITS, budget: Budget | None = None, judge: Judge | None = None) -> None:
        """`judge`: of the orders of a small shop, if none is named."""
        self.judge = judge or order_judge()
        self.clock = ManualClock(ARRIVED_AT)
        self.lake = MemoryObjects(clock=self.clock)
        self.restricted = MemoryObjects(clock=self.clock)
        self.tally = Tally()
        self.limits = limits
        self.budget = budget or Budget(1 << 30)
        self.chained = Chained(self.lake, self.restricted, APPLICATION, SHARD.shard_id)
        self._rng = random.Random(7)

    def path(self, *, worker: str = "w-1", effect: Effect = no_effect) -> ColdPath:
        """A fresh process's path on the shard: what lies in the buckets is all it knows."""
        return ColdPath(
            SHARD,
            self.judge,
            Buckets(lake=self.lake, restricted=self.restricted),
            author=Author(APPLICATION, worker),
            limits=self.limits,
            budget=self.budget,
            tally=self.tally,
            clock=self.clock,
            rng=self._rng,
            effect=effect,
        )

    def unreferenced(self) -> Collection[str]:
        """Keys of objects that no manifest names."""
        named: set[str] = set()
        for manifest in self.chained.manifests:
            named |= {file.key for file in manifest.data}
            named |= {original.key for original in manifest.raw + manifest.letters}
        return {key for key in (*self.lake.stored, *self.restricted.stored) if not key.startswith("manifests/")} - named

    def next_faults(self, *faults: Fault | None) -> None:
        """The next requests to either bucket meet these."""
        self.lake.next_faults(*faults)
        self.restricted.trouble = self.lake.trouble

    def fail(self, fault: Fault | None) -> None:
        """From now on every request meets it; None: none does."""
        self.lake.trouble = self.restricted.trouble = lambda operation, key: fault


def orders(first: int, count: int, **changes: Any) -> Batch:
    """Records numbered from `first`; their events are e-FIRST and so on."""
    numbers = range(first, first + count)
    return batch([encoded(order(event_id=f"e-{n}", **changes), offset=n) for n in numbers], first=first)


def mixed(first: int) -> Batch:
    """An order, a letter and a heartbeat."""
    contents = [encoded(order(event_id=f"e-{first}"), offset=first), b"no json", msgspec.json.encode(heartbeat())]
    return batch(contents, first=first)


def access_lines(first: int, count: int, *, day: int = 27) -> Batch:
    """Records numbered from `first`, each a server's line with its number as path and offset."""
    return batch([access_line(number, day=day) for number in range(first, first + count)], first=first)


def access_line(number: int, *, day: int = 27) -> bytes:
    """The record of a line of the combined format."""
    asked = f'"GET /{number} HTTP/1.1" 200 {number} "-" "curl/8.5"'
    line = f"192.0.2.{number % 250} - - [{day}/Nov/2026:08:00:00 +0000] {asked}"
    return enveloped(line.encode(), kind="access", offset=number)


def limited(*, judge: Judge | None = None, **changes: Any) -> ColdBench:
    """Buckets whose spans have other limits."""
    return ColdBench(limits=replace(LIMITS, **changes), judge=judge)


def access_bench(**changes: Any) -> ColdBench:
    """The same, of the shop's access stream."""
    return limited(judge=access_judge(), **changes)


def ids(bench: ColdBench) -> list[str]:
    """Of the orders in the chain, in its order."""
    return [row["event_id"] for row in bench.chained.rows("orders")]
