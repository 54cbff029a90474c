"""How often one worker looks at the lease table, so that all looks together stay within a budget."""

import math
import random

# Strongly consistent reads cost a unit a 4 KiB, and a row with its hash range has about 400 bytes.
_UNITS_PER_ROW = 0.1


class Pace:
    """Every look where the table is small; else so that all workers together read at most `units_s` units a second.

    A look costs a unit for ten rows, and one at least: two workers with 4 shards that look every second read 2 units a
    second, 64 workers with 512 shards would read 3,300. Those look every 16 s instead, and whoever leaves something to
    be taken rings, which costs each worker one small read a `scan_s`: 230 units a second in all. A worker that still
    takes leases looks every time. No look is later than two failover times, which is what KCL does too.
    """

    def __init__(self, *, scan_s: float, failover_s: float, units_s: float, rng: random.Random) -> None:
        self._scan_s = scan_s
        self._longest_s = 2 * failover_s
        self._units_s = units_s
        self._rng = rng
        self._next_look_s = -math.inf  # monotonic
        self._rings: int | None = None  # as last heard
        self.is_slow = False  # what others leave may wait for long: they have to ring

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for a look."""
        return now_s >= self._next_look_s

    def hears(self, rings: int) -> bool:
        """Whether somebody rang since the last time; `rings` is the row's count."""
        before, self._rings = self._rings, rings
        return rings != before

    def looked(self, now_s: float, *, rows: int, workers: int, is_settled: bool, expiry_s: float) -> None:
        """The table was just read. `expiry_s`: when a lease runs out whose owner is silent (monotonic)."""
        wait_s = max(1.0, rows * _UNITS_PER_ROW) * workers / self._units_s
        self.is_slow = wait_s > self._scan_s
        if not self.is_slow or not is_settled:
            self._next_look_s = -math.inf
            return
        # Spread, so that of many workers one looks soon after anything happened.
        wait_s = min(self._longest_s, wait_s * self._rng.uniform(1.0, 1.25))
        self._next_look_s = max(now_s, min(now_s + wait_s, expiry_s))
