"""The lease table in memory is one."""

import pytest

from consumers.sources.kinesis.table import LeaseTable
from consumers.sources.kinesis.testing import InMemoryLeaseTable, LeaseTableConformance

pytestmark = pytest.mark.unit


class TestInMemoryLeaseTable(LeaseTableConformance):
    @pytest.fixture
    def table(self) -> LeaseTable:
        return InMemoryLeaseTable()
