"""The store in memory keeps the promises of every store of history."""

import pytest

from consumers.keeper.testing import HistoryBench, HistoryConformance, MemoryHistoryBench

pytestmark = pytest.mark.unit


class TestMemoryHistory(HistoryConformance):
    @pytest.fixture
    def bench(self) -> HistoryBench:
        return MemoryHistoryBench()
