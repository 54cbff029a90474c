"""How the capacity of an on-demand stream follows its traffic.

Developer Guide, "On-demand mode": a new stream takes 4 MB/s and 4,000 records/s; it has room for twice the peak of the
last 30 days, and more than double the peak within 15 minutes may be throttled. AWS does not publish how it measures or
scales. Here a peak is the mean of a minute, and when twice the peak no longer fits, every shard is split in two, at
most once in 15 minutes; when half the shards have been enough for 30 days, neighbours are merged.
"""

import msgspec

from infra.local.kinesis.limits import BYTES_IN, RECORDS_IN

FIRST_SHARDS = 4
_MOST_SHARDS = 200  # Guide, "Quotas and limits": 200 MB/s in most regions
_MINUTE_MS = 60_000
_PAUSE_MS = 15 * _MINUTE_MS
_DAY_MS = 24 * 60 * _MINUTE_MS
_DAYS = 30


class Peak(msgspec.Struct, frozen=True, array_like=True):
    """The greatest traffic of a day, as the number of shards that it fills."""

    day: int  # since 1970
    shards: float


class OnDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What an on-demand stream remembers. `warm_shards`: never fewer than these (UpdateStreamWarmThroughput)."""

    peaks: tuple[Peak, ...]
    scaled_ms: int = 0
    warm_shards: int = 0

    def peak(self, now_ms: int) -> float:
        """The greatest of the last 30 days, in shards."""
        return max((peak.shards for peak in self.peaks if peak.day > now_ms // _DAY_MS - _DAYS), default=0.0)

    def seen(self, shards: float, now_ms: int) -> "OnDemand":
        """With the traffic of one more minute; what is older than 30 days is forgotten."""
        day = now_ms // _DAY_MS
        kept = {peak.day: peak.shards for peak in self.peaks if peak.day > day - _DAYS}
        kept[day] = max(shards, kept.get(day, 0.0))
        return msgspec.structs.replace(self, peaks=tuple(Peak(*each) for each in kept.items()))

    def wanted(self, shards: int, now_ms: int) -> int:
        """How many shards a stream that has `shards` should have now: as many, twice, or about half as many."""
        if now_ms - self.scaled_ms < _PAUSE_MS:
            return shards
        needed = max(2 * self.peak(now_ms), self.warm_shards)
        if needed > shards and shards * 2 <= _MOST_SHARDS:
            return shards * 2
        fewer = (shards + 1) // 2
        return fewer if fewer >= max(needed, FIRST_SHARDS) else shards


def begun(shards: int, now_ms: int) -> OnDemand:
    """A stream that becomes on-demand with so many shards: as if it had been filled half (Guide, "Switching")."""
    return OnDemand(peaks=(Peak(now_ms // _DAY_MS, shards / 2),))


class Meter:
    """What was stored in the minute that runs."""

    __slots__ = ("_bytes", "_minute", "_records")

    def __init__(self) -> None:
        self._minute = self._bytes = self._records = 0

    def count(self, records: int, size: int) -> None:
        self._records += records
        self._bytes += size

    def turn(self, now_ms: int) -> float | None:
        """The traffic of the last minute in which there was any, in shards, when another has begun; else None."""
        minute = now_ms // _MINUTE_MS
        if minute == self._minute:
            return None
        filled = max(self._bytes / BYTES_IN, self._records / RECORDS_IN) / 60
        self._minute, self._bytes, self._records = minute, 0, 0
        return filled
