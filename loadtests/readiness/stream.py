"""An on-demand stream under a step, second by second on a clock that only counts.

The rules are those of the local Kinesis (`infra.local.kinesis.on_demand` and `limits`); a test holds both side by side.
Amazon Kinesis Data Streams Developer Guide, "Quotas and limits": a shard takes 1 MiB/s and 1,000 records/s. "On-demand
mode" there: a new stream takes 4 MB/s; a stream has room for twice the peak of the last 30 days, and may throttle when
traffic more than doubles within 15 minutes. AWS does not publish how it measures: here a peak is the mean of a minute,
and all shards are split in two, at most once in 15 minutes. The step begins with a minute, on a stream that was not
split for long.

Two shards stand for all: the hottest one, and the others, which share the rest. What a shard does not take waits on the
disk of the shop's hosts, and is sent before what comes after it.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count

import msgspec

from infra.local.kinesis.limits import BYTES_IN, RECORDS_IN
from infra.local.kinesis.on_demand import FIRST_SHARDS, Meter, begun
from loadtests.readiness.sample import EventSample

MOST_SHARDS = 200  # Developer Guide, "Quotas and limits": 200 MB/s on demand in most regions, until raised
_GRID = 1.01  # between two rates that are tried
_NOTHING = 1e-6  # of a second's events: what floats leave of none
_FOLLOWED_S = 6 * 3600  # after the step; what waits then may wait for ever
# When the step begins, on the stream's clock. It counts from 1970: at 0, a stream that was never split has just been.
_BEGIN_MS = 20_000 * 86_400_000


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
    is_over: bool  # False: events still wait hours after the step
    longest_wait_s: float  # of an event before the stream has it, at the hottest shard; so far, where it is not over
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

    def counted(self, events: float) -> tuple[int, int]:
        """In records and bytes, as the stream counts."""
        return math.ceil(events / self._sample.events_a_record), math.ceil(events * self._sample.event_bytes)


class Growth:
    """How many shards an on-demand stream has while traffic comes in, as the local Kinesis would have it."""

    def __init__(self, filling: Filling, shards: int) -> None:
        self._filling = filling
        self._shards, self._follows, self._meter = shards, begun(shards, _BEGIN_MS), Meter()

    def at(self, second: int) -> int:
        """In this second, which is not before the last one asked for."""
        now_ms = _BEGIN_MS + second * 1000
        filled = self._meter.turn(now_ms)
        if filled is not None:
            seen = self._follows.seen(filled, now_ms)
            wanted = seen.wanted(self._shards, now_ms)
            is_split = wanted != self._shards
            self._follows = msgspec.structs.replace(seen, scaled_ms=now_ms) if is_split else seen
            self._shards = wanted
        return self._shards

    def store(self, events: float) -> None:
        """What has come in since."""
        self._meter.count(*self._filling.counted(events))


def shards_for(filling: Filling, start: float) -> int:
    """What a stream has that has seen `start` events/s and no more: room for twice as many."""
    needed = 2 * filling.fills(start)
    return next((shards for shards in sizes(FIRST_SHARDS) if shards >= needed), MOST_SHARDS)


def sizes(shards: int) -> Iterator[int]:
    """What a stream of so many shards may become: all of them split in two, again and again; last, the most allowed."""
    while shards < MOST_SHARDS:
        yield shards
        shards *= 2
    yield MOST_SHARDS


def warmed(filling: Filling, shards: int, rate: float) -> int:
    """After UpdateStreamWarmThroughput to as many MiB/s as `rate` events/s fill, the hottest shard among them.

    Where no size is enough: the best of them.
    """
    enough = (size for size in sizes(shards) if filling.capacity(size) >= rate)
    return next(enough, None) or max(sizes(shards), key=filling.capacity)


def simulate(filling: Filling, step: Step, shards: int) -> Throttled:
    """What becomes of the step on a stream that has so many shards."""
    before, growth, backlog = shards, Growth(filling, shards), _Backlog(filling, shards)
    first: tuple[float, int] | None = None
    most, last, longest_s = 0.0, 0, 0
    for second in count():
        shards, rate = growth.at(second), step.rate(second)
        growth.store(backlog.taken(second, rate, shards))
        waiting = backlog.events
        if waiting > _NOTHING * rate:
            first = first or (rate, second)
            last, most = second + 1, max(most, waiting)
            longest_s = max(longest_s, second + 1 - backlog.oldest)
        elif second >= step.step_s + (step.hold_s if first else 0.0):
            break
        if second >= step.step_s + step.hold_s + _FOLLOWED_S:
            break
    return Throttled(
        shards=before,
        shards_after=shards,
        at_rate=first[0] if first else None,
        at_s=first[1] if first else None,
        lasts_s=last - first[1] if first else 0.0,
        is_over=last <= second,
        longest_wait_s=longest_s,
        most_waiting=most,
    )


class _Backlog:
    """What waits on the hosts' disks: for the hottest shard, and for the others together."""

    def __init__(self, filling: Filling, shards: int) -> None:
        self._filling, self._share = filling, filling.share(shards)
        self._hot = self._rest = self._arrived = 0.0
        # Seconds of which some wait, each with all that had come by its end.
        self._turns: deque[tuple[int, float]] = deque()

    @property
    def events(self) -> float:
        return self._hot + self._rest

    @property
    def oldest(self) -> int:
        """The second of what has waited longest, at the hottest shard; the last one where nothing waits."""
        return self._turns[0][0]

    def taken(self, second: int, rate: float, shards: int) -> float:
        """Let the events of a second come, and so many shards take what waits and then them. Returns how many."""
        share, room = self._filling.share(shards), self._filling.events_a_shard
        stays = self._hot * share / self._share  # of a shard that was split: the part of its busiest child
        hot, rest = stays + rate * share, self._rest + self._hot - stays + rate * (1.0 - share)
        from_hot, from_rest = min(hot, room), min(rest, room * (shards - 1))
        self._hot, self._rest, self._share = hot - from_hot, rest - from_rest, share
        self._arrived += rate
        self._turns.append((second, self._arrived))
        served = self._arrived - self._hot / share + _NOTHING * rate
        while len(self._turns) > 1 and self._turns[0][1] <= served:
            self._turns.popleft()
        return from_hot + from_rest


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
    growth, end = Growth(filling, shards), math.ceil(step.step_s)
    for first in range(0, end + 1, 60):
        shards = growth.at(first)
        last = min(first + 59, end)
        rate = step.peak if last >= step.step_s else step.rate(last)
        if rate > filling.capacity(shards):
            return True
        growth.store((step.rate(first) + rate) / 2 * 60)
    return False
