"""Orders at a steady pace: due by the clock, whether or not earlier ones have arrived."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from contract.catalogue import Product
from producers.emit import Spool
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


class Shop:
    """Orders with one to three lines of the catalogue's products."""

    def __init__(self, spool: Path, products: list[Product], clock: Clock) -> None:
        self._spool = Spool(spool)
        self._products = products
        self._clock = clock

    def sell(self, number: int) -> str:
        """Append order `number`. Returns its event id."""
        picked = [self._products[(number * step) % len(self._products)] for step in range(1, 2 + number % 3)]
        quantity = 1 + number % 3
        event_id = f"hold-{number}"
        self._spool.append(
            {
                "type": "order",
                "schema_version": 1,
                "event_id": event_id,
                "event_time": self._clock.now().isoformat(timespec="milliseconds"),
                "order_id": f"O-{number}",
                "session_id": f"s-{number}",
                "kind": "sale",
                "customer_id": f"C-{number % 5000}",
                "channel": "web",
                "region": "GB",
                "currency": "GBP",
                "lines": [
                    {"sku": product.sku, "quantity": quantity, "unit_price": product.price} for product in picked
                ],
                "total": sum(quantity * product.price for product in picked),
            }
        )
        return event_id
