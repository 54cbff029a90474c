"""How much a shard lets through, by one-second windows.

Sources: Amazon Kinesis Data Streams Developer Guide, "Quotas and limits"; API reference of GetRecords and
GetShardIterator. AWS does not publish how it counts; a window opens with the first use after the last one closed.
"""

import math

RECORDS_IN = 1000  # records/s a shard
BYTES_IN = 1 << 20  # bytes/s a shard, partition keys counted
READS = 5  # GetRecords/s a shard
BYTES_OUT = 2 << 20  # bytes/s a shard; an answer of 10 MiB therefore closes the shard for 5 s
ITERATORS = 5  # GetShardIterator/s a shard


class Window:
    """A rate: `limit` units in each window of a second. What was taken beyond it keeps the window open longer."""

    __slots__ = ("_closes_s", "_limit", "_opened_s", "_used")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._used = 0.0
        self._opened_s = self._closes_s = -math.inf

    def fits(self, amount: float, now_s: float) -> bool:
        """Whether `amount` may be taken now. A new window takes anything, or what is over the limit never passed."""
        return now_s >= self._closes_s or self._used + amount <= self._limit

    def opens_s(self, amount: float) -> float:
        """When `amount` may be taken if nothing else is: seconds on the same clock, perhaps in the past."""
        return -math.inf if self._used + amount <= self._limit else self._closes_s

    def take(self, amount: float, now_s: float) -> None:
        """Count `amount`, whether or not it fitted."""
        if now_s >= self._closes_s:
            self._used, self._opened_s = 0.0, now_s
        self._used += amount
        self._closes_s = self._opened_s + max(1.0, self._used / self._limit)


class ShardLimits:
    """The five rates of one shard; `enforced=False` lets everything through."""

    __slots__ = ("bytes_in", "bytes_out", "iterators", "reads", "records_in")

    def __init__(self, *, enforced: bool = True) -> None:
        def window(limit: float) -> Window:
            return Window(limit if enforced else math.inf)

        self.records_in = window(RECORDS_IN)
        self.bytes_in = window(BYTES_IN)
        self.reads = window(READS)
        self.bytes_out = window(BYTES_OUT)
        self.iterators = window(ITERATORS)

    def admit(self, size: int, now_s: float) -> bool:
        """Count one record of `size` bytes in, if there is room for it."""
        if self.records_in.fits(1, now_s) and self.bytes_in.fits(size, now_s):
            self.records_in.take(1, now_s)
            self.bytes_in.take(size, now_s)
            return True
        return False
