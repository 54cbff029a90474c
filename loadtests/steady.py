"""Orders at a steady pace: due by the clock, whether or not earlier ones have arrived."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from runtime.clock import Clock

TICK_S = 0.01  # orders due within one tick are written together


class Due(NamedTuple):
    """One order of the schedule."""

    number: int
    at: float  # monotonic seconds


def paced(rate: float, seconds: float, clock: Clock, wait: Callable[[float], bool]) -> Iterator[Due]:
    """Orders as they become due, `rate` a second for `seconds`; no more once `wait` (of seconds) has returned True.

    The schedule is set when the first is asked for: an order that comes late keeps the time at which it was due.
    """
    start = clock.monotonic()
    done = 0
    for tick in range(1, math.ceil(seconds / TICK_S) + 1):
        if wait(max(0.0, start + tick * TICK_S - clock.monotonic())):
            return
        until = math.ceil(rate * min(tick * TICK_S, seconds))
        for number in range(done, until):
            yield Due(number, start + number / rate)
        done = until
