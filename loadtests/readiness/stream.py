"""An on-demand stream under a step, second by second on a clock that only counts.

The rules are those of the local Kinesis (`infra.local.kinesis.on_demand` and `limits`). Amazon Kinesis Data Streams
Developer Guide, "Quotas and limits": a shard takes 1 MiB/s and 1,000 records/s. "On-demand mode" there: a new stream
takes 4 MB/s; a stream has room for twice the peak of the last 30 days, and may throttle when traffic more than
doubles within 15 minutes. AWS does not publish how it measures: here a peak is the mean of a minute, and all shards
are split in two, at most once in 15 minutes.

Two shards stand for all: the hottest one, and the others, which share the rest. What a shard does not take waits on the
disk of the shop's hosts, and is sent before what comes after it.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import count

from infra.local.kinesis.limits import BYTES_IN, RECORDS_IN
from infra.local.kinesis.on_demand import FIRST_SHARDS, Meter, OnDemand, begun
from loadtests.readiness.sample import EventSample

MOST_SHARDS = 200  # Developer Guide, "Quotas and limits": 200 MB/s on demand in most regions, until raised
_GRID = 1.01  # between two rates that are tried
_LONGEST_S = 6 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Traffic that goes from one rate to another in a straight line, and stays there."""

    start: float  # events/s, and the stream has seen no more in 30 days
    peak: float  # events/s
    step_s: float
    hold_s: float = 3600.0  # at the peak; then back to `start`

    def rate(self, second: int) -> float:
        """Events in this second."""
        if second >= self.step_s + self.hold_s:
            return self.start
        part = 1.0 if self.step_s <= 0 else min(1.0, (second + 1) / self.step_s)
        return self.start + part * (self.peak - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """What the step does to a stream."""

    shards: int  # at its begin
    shards_after: int  # at its end
    at_rate: float | None  # events/s at which the first was refused; None: none was
    at_s: float | None  # when
    lasts_s: float  # until nothing waits any more, which the last refusal precedes
    longest_wait_s: float  # of an event before the stream has it, at the hottest shard
    most_waiting: float  # events on the hosts' disks


class Filling:
    """How the sample's events fill shards. Shares are kept: they are asked for once a second."""

    def __init__(self, sample: EventSample) -> None:
        self.events_a_shard = min(BYTES_IN / sample.event_bytes, RECORDS_IN * sample.events_a_record)
        self._sample = sample
        self.share = cache(sample.hottest_share)

    def fills(self, rate: float) -> float:
        """So many shards, were they all filled alike."""
        return rate / self.events_a_shard

    def capacity(self, shards: int) -> float:
        """Events/s that a stream takes before its hottest shard refuses one."""
        return self.events_a_shard / self.share(shards)

    def meter(self, meter: Meter, events: float) -> None:
        """Count them as the stream does."""
        meter.count(math.ceil(events / self._sample.events_a_record), math.ceil(events * self._sample.event_bytes))


def shards_for(filling: Filling, start: float) -> int:
    """What a stream has that has seen `start` events/s and no more: room for twice as many."""
    return doubled(FIRST_SHARDS, 2 * filling.fills(start))


def doubled(shards: int, needed: float) -> int:
    """All of them split in two until there are enough, or no more are allowed."""
    while shards < needed and shards * 2 <= MOST_SHARDS:
        shards *= 2
    return shards


def warmed(filling: Filling, shards: int, rate: float) -> int:
    """After UpdateStreamWarmThroughput to as many MiB/s as `rate` events/s fill, the hottest shard among them."""
    while filling.capacity(shards) < rate and shards * 2 <= MOST_SHARDS:
        shards *= 2
    return shards


def simulate(filling: Filling, step: Step, shards: int) -> Throttled:
    """What becomes of the step on a stream that has so many shards."""
    before, follows, meter = shards, begun(shards, 0), Meter()
    hot = rest = longest_s = most = 0.0
    first: tuple[float, int] | None = None
    last = 0
    for second in count():
        was = shards
        shards, follows = _followed(shards, follows, meter, second * 1000)
        rate, share = step.rate(second), filling.share(shards)
        stays = hot * share / filling.share(was)  # of what waits for a shard that was split: its busiest child's part
        hot, rest = stays, rest + hot - stays
        room, rooms = filling.events_a_shard, filling.events_a_shard * (shards - 1)
        hot, rest = hot + rate * share, rest + rate * (1.0 - share)
        taken, also = min(hot, room), min(rest, rooms)
        hot, rest = hot - taken, rest - also
        filling.meter(meter, taken + also)
        waiting = hot + rest
        if waiting > 1e-6 * rate:
            first = first or (rate, second)
            last, most = second + 1, max(most, waiting)
            longest_s = max(longest_s, hot / room, rest / rooms if rooms else 0.0)
        elif second >= step.step_s + (step.hold_s if first else 0.0):
            break
        if second >= _LONGEST_S:
            break
    return Throttled(
        shards=before,
        shards_after=shards,
        at_rate=first[0] if first else None,
        at_s=first[1] if first else None,
        lasts_s=last - first[1] if first else 0.0,
        longest_wait_s=longest_s,
        most_waiting=most,
    )


def holds_up_to(filling: Filling, step: Step, shards: int) -> float:
    """The highest peak that this step may lead to with nothing refused, to one per cent; `step.peak` does not count.

    Below it nothing is refused either: rates are tried from below until one is.
    """
    number = math.floor(math.log(filling.capacity(shards), _GRID))
    while True:
        peak = _GRID ** (number + 1)
        tried = replace(step, start=min(step.start, peak), peak=peak, hold_s=0.0)
        if _refuses(filling, tried, shards):
            return max(filling.capacity(shards), _GRID**number)
        number += 1


def _refuses(filling: Filling, step: Step, shards: int) -> bool:
    """Whether anything is refused until the peak is reached. By minutes: shards follow no faster, and rates rise."""
    follows, meter, end = begun(shards, 0), Meter(), math.ceil(step.step_s)
    for first in range(0, end + 1, 60):
        shards, follows = _followed(shards, follows, meter, first * 1000)
        last = min(first + 59, end)
        rate = step.peak if last >= step.step_s else step.rate(last)
        if rate > filling.capacity(shards):
            return True
        filling.meter(meter, (step.rate(first) + rate) / 2 * 60)
    return False


def _followed(shards: int, follows: OnDemand, meter: Meter, now_ms: int) -> tuple[int, OnDemand]:
    """Once a minute, as the stream does."""
    filled = meter.turn(now_ms)
    if filled is None:
        return shards, follows
    seen = follows.seen(filled, now_ms)
    wanted = seen.wanted(shards, now_ms)
    if wanted == shards:
        return shards, seen
    return wanted, OnDemand(peaks=seen.peaks, scaled_ms=now_ms, warm_shards=seen.warm_shards)
