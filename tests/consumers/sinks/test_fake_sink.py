from typing import Any

import msgspec
import pytest

from consumers.delivery import Row
from consumers.sinks.testing import FakeSink, SinkConformance, order_row

pytestmark = pytest.mark.unit


class _FakeStore:
    name = "fake"

    def __init__(self) -> None:
        self.sink = FakeSink(is_poison=lambda row: row.row_id == "fake-poison")
        self.unreachable = FakeSink(trouble=1)

    def document(self, index: str, row_id: str) -> Any:
        row = self.sink.rows.get((index, row_id))
        return None if row is None else msgspec.json.decode(row.document)

    def poison(self) -> Row:
        return order_row(self, "poison", offset=1)


class TestFakeSink(SinkConformance):
    @pytest.fixture
    def store(self) -> _FakeStore:
        return _FakeStore()
