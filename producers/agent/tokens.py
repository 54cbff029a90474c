"""What one shard takes, spent before it is asked: a request that will be refused is not sent."""

import random

from runtime.backoff import full_jitter
from runtime.clock import Clock

# A shard's limits (Kinesis, quotas): 1 MiB/s with the partition keys, 1,000 records/s.
BYTES_PER_S = float(1 << 20)
RECORDS_PER_S = 1_000.0
# Of the limits, for what comes at once: the service counts in windows of a second, and a window takes what was saved
# beside what flows.
_SAVED_S = 0.25
_LONGEST_WAIT_S = 2.0  # limits renew every second


class Room:
    """One shard's room for records, by its limits and by what it has refused.

    What is larger than what was saved may go as well: the debt is waited for afterwards, so the rate holds.
    """

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._bytes = BYTES_PER_S * _SAVED_S
        self._records = RECORDS_PER_S * _SAVED_S
        self._at_s = clock.monotonic()  # when the two above were true
        self._refused = 0  # times in a row
        self._closed_until_s = self._at_s

    def opens_in_s(self) -> float:
        """How long until a record may go; 0.0: now."""
        now_s = self._clock.monotonic()
        passed_s, self._at_s = now_s - self._at_s, now_s
        self._bytes = min(self._bytes + passed_s * BYTES_PER_S, BYTES_PER_S * _SAVED_S)
        self._records = min(self._records + passed_s * RECORDS_PER_S, RECORDS_PER_S * _SAVED_S)
        return max(
            0.0,
            self._closed_until_s - now_s,
            (1.0 - self._bytes) / BYTES_PER_S,
            (1.0 - self._records) / RECORDS_PER_S,
        )

    def spend(self, size: int) -> None:
        """One record of `size` bytes, its key included, is sent."""
        self._bytes -= size
        self._records -= 1.0

    def taken(self) -> None:
        """The shard has acknowledged it."""
        self._refused = 0

    def refused(self, size: int) -> None:
        """It has not: nothing goes for a while (full jitter), and nothing was spent."""
        self._bytes += size
        self._records += 1.0
        self._closed_until_s = self._clock.monotonic() + full_jitter(self._refused, self._rng, cap_s=_LONGEST_WAIT_S)
        self._refused += 1
