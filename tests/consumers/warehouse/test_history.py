"""The warehouse passes the suite of every store of history."""

import dataclasses
from collections import Counter

import pytest

from consumers.keeper.store import HistoryStore
from consumers.keeper.testing import HistoryBench, HistoryConformance
from consumers.warehouse.connection import connect
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner
from runtime.objects.s3 import S3Objects
from runtime.settings import Warehouse
from runtime.testing import ManualClock

pytestmark = pytest.mark.integration


class _Bench:
    def __init__(self, settings: Warehouse, corner: Corner, lake: S3Objects) -> None:
        self.objects = lake
        self._settings = settings
        self._corner = corner
        self._lake = lake

    def store(self) -> HistoryStore:
        store = WarehouseStore(
            self._settings, bucket=self._lake.bucket, objects=self._lake, clock=ManualClock(), connect=self._corner
        )
        store.prepare()
        return store

    def unreachable(self) -> HistoryStore:
        away = dataclasses.replace(self._settings, port=9, timeout_s=2.0)  # nothing listens there
        return WarehouseStore(away, bucket=self._lake.bucket, objects=self._lake, clock=ManualClock(), connect=connect)

    def orders(self) -> Counter[str]:
        with self._corner(self._settings) as session:
            rows = session.query("read", "SELECT event_id FROM orders")
        return Counter(str(row["event_id"]) for row in rows)


class TestWarehouseStore(HistoryConformance):
    @pytest.fixture
    def bench(self, stack, corner, lake) -> HistoryBench:
        return _Bench(stack.warehouse, corner, lake)
