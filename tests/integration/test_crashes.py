"""kill -9 of every process in the middle of a run: afterwards the account still balances, to the line."""

import itertools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.state import read_state
from infra.local.testing import Pipeline
from producers.emit import Spool

pytestmark = pytest.mark.integration

VICTIMS = ("agent", "live", "kinesis", "opensearch")
PRICE = 1250
ORDERS_A_SECOND = 150
FIRST_S, BETWEEN_S = 4.0, 3.0  # of selling: before the first crash, and after each restart


class Shop(threading.Thread):
    """Sells until told to stop. Every 50th order is for a SKU that nobody has, every 70th is emitted twice."""

    def __init__(self, spool: Path) -> None:
        super().__init__(name="shop")
        self.stop = threading.Event()
        self.sold = self.unknown = self.twice = 0
        self._spool = Spool(spool)

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.wait(1 / ORDERS_A_SECOND):
                break
            unknown = number % 50 == 49
            order = an_order(number, sku="NO-SUCH-THING" if unknown else "KT-101")
            self._spool.append(order)
            self.unknown += unknown
            self.sold += not unknown
            if not unknown and number % 70 == 69:
                self._spool.append(order)
                self.twice += 1
        self._spool.close()


def an_order(number: int, *, sku: str) -> dict[str, Any]:
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"crash-{number}",
        "event_time": "2026-11-27T08:00:00.123Z",
        "order_id": f"O-{number}",
        "kind": "sale",
        "customer_id": f"C-{number % 97}",
        "channel": "web",
        "region": "GB",
        "currency": "GBP",
        "lines": [{"sku": sku, "quantity": 2, "unit_price": PRICE}],
        "total": 2 * PRICE,
    }


def kill(pipeline: Pipeline, name: str) -> int:
    """kill -9 the part and return its restarts so far."""
    state = read_state(pipeline.home)
    assert state is not None
    part = next(part for part in state.parts if part.name == name)
    assert part.process is not None
    os.kill(part.process.pid, signal.SIGKILL)
    return part.restarts


def is_back(pipeline: Pipeline, name: str, restarts: int) -> bool:
    state = read_state(pipeline.home)
    part = next(part for part in state.parts if part.name == name) if state else None
    return part is not None and part.restarts > restarts and part.condition == "ready"


def revenue_of(pipeline: Pipeline) -> int:
    answer = pipeline.store.search(
        index="orders-*", body={"size": 0, "aggs": {"revenue": {"sum": {"field": "revenue"}}}}
    )
    return round(answer["aggregations"]["revenue"]["value"])


@pytest.mark.timeout(400)
def test_kill_9_of_every_process_loses_and_doubles_nothing(start_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = start_pipeline()
    shop = Shop(pipeline.spool)
    shop.start()
    try:
        pipeline.stack.wait(FIRST_S)
        for name in VICTIMS:
            restarts = kill(pipeline, name)
            pipeline.until(lambda name=name, restarts=restarts: is_back(pipeline, name, restarts), within_s=90)
            pipeline.stack.wait(BETWEEN_S)
    finally:
        shop.stop.set()
        shop.join()

    account = pipeline.settled(within_s=120)

    assert account.unmatched == []
    assert account.balances
    assert account.indexed == shop.sold > 1000
    assert account.refused == {"unknown_sku": shop.unknown}
    assert account.duplicates == shop.twice > 0
    assert revenue_of(pipeline) == shop.sold * 2 * PRICE
