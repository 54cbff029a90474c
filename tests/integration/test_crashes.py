"""kill -9 of every process in the middle of a run: afterwards the account still balances in all stores, to the line."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearchException

from infra.local.testing import Pipeline
from producers.emit import Spool
from runtime.settings import Transport

pytestmark = pytest.mark.integration

VICTIMS = ("agent", "live", "cold", "keeper", "opensearch", "redshift")  # and what carries the streams
PRICE = 1250
SOLD_AT = datetime.now(UTC).isoformat()
REQUEST = (
    b'203.0.113.7 - - [27/Nov/2026:08:00:00 +0000] "POST /checkout?n=%d HTTP/1.1" 303 0 "-" "Mozilla/5.0 (C-%d)"\n'
)
ORDERS_A_SECOND = 150
BETWEEN_S = 3.0  # of selling after each restart
RESTART_S = 120.0  # longer than a part may take to start


class Shop(threading.Thread):
    """Sells until told to stop, with a request for each order in the access log.

    Every 50th order is for a SKU that nobody has, every 70th is emitted twice.
    """

    def __init__(self, spool: Path, access_log: Path) -> None:
        super().__init__(name="shop")
        self.stop = threading.Event()
        self.sold = self.unknown = self.twice = self.requests = 0
        self._spool = Spool(spool)
        access_log.parent.mkdir(exist_ok=True)
        self._access_log = access_log.open("ab", buffering=0)

    def run(self) -> None:
        for number in itertools.count():
            if self.stop.wait(1 / ORDERS_A_SECOND):
                break
            self._access_log.write(REQUEST % (number, number % 97))
            self.requests += 1
            unknown = number % 50 == 49
            order = an_order(number, sku="NO-SUCH-THING" if unknown else "KT-101")
            self._spool.append(order)
            self.unknown += unknown
            self.sold += not unknown
            if not unknown and number % 70 == 69:
                self._spool.append(order)
                self.twice += 1
        self._spool.close()
        self._access_log.close()


def an_order(number: int, *, sku: str) -> dict[str, Any]:
    return {
        "type": "order",
        "schema_version": 1,
        "event_id": f"crash-{number}",
        "event_time": SOLD_AT,
        "order_id": f"O-{number}",
        "kind": "sale",
        "customer_id": f"C-{number % 97}",
        "channel": "web",
        "region": "GB",
        "currency": "GBP",
        "lines": [{"sku": sku, "quantity": 2, "unit_price": PRICE}],
        "total": 2 * PRICE,
    }


def kill(pipeline: Pipeline, name: str) -> None:
    """kill -9 the part; it is back on return."""
    before = pipeline.part(name)
    pipeline.kill(name)

    def is_back() -> bool:
        part = pipeline.part(name)
        return part.restarts > before.restarts and part.condition == "ready"

    assert pipeline.until(is_back, within_s=RESTART_S), pipeline.part(name)


def has_indexed(pipeline: Pipeline, orders: int) -> bool:
    try:
        answer = pipeline.store.count(index="orders-*", params={"ignore_unavailable": "true"})
    except OpenSearchException:  # the day's index is just being made
        return False
    return int(answer["count"]) >= orders


@pytest.mark.timeout(900)  # five times what it takes on busy cores
@pytest.mark.soak
@pytest.mark.parametrize("transport", ["kinesis", "kafka"])
def test_kill_9_of_every_process_loses_and_doubles_nothing(
    start_pipeline: Callable[..., Pipeline], transport: Transport
) -> None:
    pipeline = start_pipeline(transport=transport)
    shop = Shop(pipeline.spool, pipeline.home.access_log)
    shop.start()
    try:
        assert pipeline.until(lambda: has_indexed(pipeline, 300), within_s=60)
        for name in (transport, *VICTIMS):
            kill(pipeline, name)
            pipeline.stack.wait(BETWEEN_S)
    finally:
        shop.stop.set()
        shop.join()
    pipeline.drain()

    account = pipeline.settled(within_s=180)

    assert account.settled, account
    assert account.emitted.lines == shop.sold + shop.unknown + shop.twice + shop.requests
    for store in account.stores:
        assert (store.orders, store.hits) == (shop.sold, shop.requests), store
        assert shop.sold > 1000
        assert store.refused == {"unknown_sku": shop.unknown}, store
        assert (store.duplicates, store.conflicts) == (shop.twice, 0), store
        assert store.revenue == {"GBP": shop.sold * 2 * PRICE}, store
    assert shop.twice > 0
