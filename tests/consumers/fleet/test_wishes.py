"""Wishes in memory and on the real lease table."""

from typing import Any

import pytest

from consumers.fleet.testing import InMemoryWishes, WishesConformance
from consumers.fleet.wishes import EVERYONE, DynamoDbWishes, Wishes
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON
from consumers.sources.kinesis.leases import Lease, encode
from consumers.sources.kinesis.table import DynamoDbLeaseTable, LeaseTable, TableGone
from consumers.sources.kinesis.testing import InMemoryLeaseTable


@pytest.mark.unit
class TestInMemoryWishes(WishesConformance):
    @pytest.fixture
    def table(self) -> LeaseTable:
        return InMemoryLeaseTable()

    @pytest.fixture
    def wishes(self) -> Wishes:
        return InMemoryWishes()


@pytest.mark.integration
class TestDynamoDbWishes(WishesConformance):
    @pytest.fixture
    def table(self, ready: DynamoDbLeaseTable) -> LeaseTable:
        return ready

    @pytest.fixture
    def wishes(self, dynamodb: Any, name: str, ready: DynamoDbLeaseTable) -> Wishes:
        return DynamoDbWishes(dynamodb, name)

    def test_rows_that_are_made_later_are_asked_too_and_foreign_ones_never(
        self, wishes: Wishes, table: LeaseTable, dynamodb: Any, name: str
    ) -> None:
        dynamodb.put_item(TableName=name, Item={"leaseKey": {"S": "Migration3.0"}, "cv": {"S": "x"}})
        wishes.add(EVERYONE)
        table.create(Lease(shard_id="s-2", checkpoint=TRIM_HORIZON))
        wishes.add(EVERYONE)
        rows = {row["leaseKey"]["S"]: row for row in dynamodb.scan(TableName=name)["Items"]}
        asked = {key for key, row in rows.items() if "storepulseDrain" in row}
        assert asked == {"s-0", "s-1", "s-2"}

    def test_afterwards_the_rows_are_as_they_were(self, wishes: Wishes, dynamodb: Any, name: str) -> None:
        wishes.add("a")
        wishes.add(EVERYONE)
        wishes.withdraw("a")
        wishes.withdraw(EVERYONE)
        row = dynamodb.get_item(TableName=name, Key={"leaseKey": {"S": "s-0"}})["Item"]
        assert row == encode(Lease(shard_id="s-0", checkpoint=TRIM_HORIZON))


@pytest.mark.integration
def test_without_a_table_there_is_nobody_to_ask(dynamodb: Any, name: str) -> None:
    wishes = DynamoDbWishes(dynamodb, name)
    for call in (wishes.read, wishes.withdraw, lambda: wishes.add("a")):
        with pytest.raises(TableGone, match=name):
            call()
