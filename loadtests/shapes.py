"""Rates over time: pure functions, straight lines between knots. What a sale day looks like, and an export's hour.

A shape's rates are factors of an ordinary minute's. Sources: Shopify's Black Friday 2025 (a peak minute of 2.0x the
four days' mean), a marketplace's Black Friday (9.6x an ordinary day), Alibaba 2019 (a second of 36x the day's mean).
"""

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

STEP, BURST = 10.0, 36.0  # times an ordinary minute
_DAY = (1.0, 1.2, 1.6, 2.0, 2.3, 2.5, 2.4, 2.1, 2.0, 2.2, 2.5, 2.3, 2.0)  # a shop's waking hours
_DECAY_KNOTS = 20


class Knot(NamedTuple):
    """The rate at that time."""

    at_s: float
    rate: float


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A named stretch of a shape; `end_s` is out."""

    name: str
    start_s: float
    end_s: float


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Rates over time. Knots ascend in time, from 0; outside of them the rate is 0."""

    knots: tuple[Knot, ...]
    phases: tuple[Phase, ...] = ()

    @property
    def seconds(self) -> float:
        return self.knots[-1].at_s

    @property
    def peak(self) -> float:
        """The highest rate."""
        return max(knot.rate for knot in self.knots)

    def rate(self, at_s: float) -> float:
        """The rate at that time."""
        if not 0 <= at_s <= self.seconds:
            return 0.0
        place = min(max(1, bisect.bisect_right(self.knots, at_s, key=_at)), len(self.knots) - 1)
        before, after = self.knots[place - 1], self.knots[place]
        share = (at_s - before.at_s) / (after.at_s - before.at_s)
        return before.rate + share * (after.rate - before.rate)

    def stretched(self, seconds: float) -> "Shape":
        """The same rates within so many seconds."""
        by = seconds / self.seconds
        return Shape(
            knots=tuple(Knot(knot.at_s * by, knot.rate) for knot in self.knots),
            phases=tuple(Phase(name=p.name, start_s=p.start_s * by, end_s=p.end_s * by) for p in self.phases),
        )

    def peaking_at(self, rate: float) -> "Shape":
        """The same shape, `rate` being its highest."""
        return self.times(rate / self.peak)

    def times(self, factor: float) -> "Shape":
        """Every rate times `factor`."""
        knots = tuple(Knot(knot.at_s, knot.rate * factor) for knot in self.knots)
        return Shape(knots=knots, phases=self.phases)


class Schedule:
    """When each event of a shape is due: number 0 at the start, number n once the rate has added up to n."""

    def __init__(self, shape: Shape) -> None:
        self._knots = shape.knots
        areas = ((a.rate + b.rate) / 2 * (b.at_s - a.at_s) for a, b in itertools.pairwise(shape.knots))
        self._sums = [0.0, *itertools.accumulate(areas)]

    @property
    def events(self) -> int:
        """How many there are in all."""
        return math.ceil(self._sums[-1] - 1e-9)

    def until(self, at_s: float) -> float:
        """How many are due before that time."""
        if at_s <= 0:
            return 0.0
        place = bisect.bisect_right(self._knots, at_s, key=_at)
        if place == len(self._knots):
            return self._sums[-1]
        before, after = self._knots[place - 1], self._knots[place]
        passed = at_s - before.at_s
        slope = (after.rate - before.rate) / (after.at_s - before.at_s)
        return self._sums[place - 1] + before.rate * passed + slope * passed * passed / 2

    def due_s(self, number: int) -> float:
        """When event `number` is due. Raises ValueError for one that the shape does not have."""
        if not 0 <= number < self.events:
            raise ValueError(f"event {number} of {self.events}")
        place = min(max(1, bisect.bisect_right(self._sums, number)), len(self._sums) - 1)
        before, after = self._knots[place - 1], self._knots[place]
        rest = number - self._sums[place - 1]
        slope = (after.rate - before.rate) / (after.at_s - before.at_s)
        if abs(slope) < 1e-12:
            return before.at_s + (rest / before.rate if before.rate else 0.0)
        # The root of rest = rate * t + slope / 2 * t^2, in the form that does not cancel.
        root = math.sqrt(max(0.0, before.rate * before.rate + 2 * slope * rest))
        return before.at_s + (2 * rest / (before.rate + root) if before.rate + root else 0.0)


def sale_day() -> Shape:
    """Half an hour: warm-up, a day's curve at up to 2.5x, a step to 10x within 30 s that decays over ten minutes, a
    burst of 36x, recovery."""
    return _joined(_warm_up(), _day(), _step(), _burst(), _steady("recovery", 330.0))


def step() -> Shape:
    """Warm-up, the step to 10x and its decay, recovery."""
    return _joined(_warm_up(), _step(), _steady("recovery", 180.0))


def burst() -> Shape:
    """Warm-up, the burst of 36x, recovery."""
    return _joined(_warm_up(), _burst(), _steady("recovery", 180.0))


def steady() -> Shape:
    """A third of warm-up, ten minutes of fifteen, then one rate."""
    return _joined(
        ("warm-up", [Knot(0.0, 0.2), Knot(30.0, 1.0), Knot(600.0, 1.0)]), _steady("held", 300.0)
    )  # fmt: skip


def from_minutes(counts: Sequence[int]) -> Shape:
    """Of events counted minute by minute: each minute's rate in its middle. Raises ValueError where nothing was."""
    if not any(counts):
        raise ValueError("no minute has an event")
    middles = [Knot(60.0 * minute + 30.0, count / 60) for minute, count in enumerate(counts)]
    first, last = Knot(0.0, middles[0].rate), Knot(60.0 * len(counts), middles[-1].rate)
    whole = Phase(name="busiest hour", start_s=0.0, end_s=last.at_s)
    return Shape(knots=(first, *middles, last), phases=(whole,))


SHAPES: Mapping[str, Callable[[], Shape]] = MappingProxyType(
    {"sale-day": sale_day, "step": step, "burst": burst, "steady": steady}
)

_Part = tuple[str, list[Knot]]


def _warm_up() -> _Part:
    return "warm-up", [Knot(0.0, 0.1), Knot(60.0, 1.0), Knot(180.0, 1.0)]


def _day() -> _Part:
    return "day", [Knot(hour * 600.0 / (len(_DAY) - 1), rate) for hour, rate in enumerate(_DAY)]


def _step() -> _Part:
    """The decay is exponential; what is left of it after ten minutes is ordinary."""
    decay = [
        Knot(30.0 + 600.0 * n / _DECAY_KNOTS, 1.0 + (STEP - 1.0) * math.exp(-4.0 * n / _DECAY_KNOTS))
        for n in range(_DECAY_KNOTS + 1)
    ]
    return "step", [Knot(0.0, 2.0), *decay]


def _burst() -> _Part:
    return "burst", [Knot(0.0, 1.0), Knot(26.0, BURST), Knot(34.0, BURST), Knot(60.0, 1.0)]


def _steady(name: str, seconds: float) -> _Part:
    return name, [Knot(0.0, 1.0), Knot(seconds, 1.0)]


def _joined(*parts: _Part) -> Shape:
    knots: list[Knot] = []
    phases: list[Phase] = []
    for name, part in parts:
        start = knots[-1].at_s if knots else 0.0
        # Two knots at one time would be a jump: the first of a part gives way to the last of the one before.
        knots += [Knot(start + knot.at_s, knot.rate) for knot in (part[1:] if knots else part)]
        phases.append(Phase(name=name, start_s=start, end_s=knots[-1].at_s))
    return Shape(knots=tuple(knots), phases=tuple(phases))


def _at(knot: Knot) -> float:
    return knot.at_s
