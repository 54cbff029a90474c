"""The lease table on DynamoDB: the same suite as in memory, and what only rows have."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease, encode
from consumers.sources.kinesis.table import DynamoDbLeaseTable, LeaseTable, TableGone
from consumers.sources.kinesis.testing import LeaseTableConformance
from runtime.aws import client
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.integration


@pytest.fixture
def dynamodb(aws: Aws) -> Any:
    return client("dynamodb", aws)


@pytest.fixture
def name() -> str:
    return f"leases-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ready(dynamodb: Any, name: str) -> DynamoDbLeaseTable:
    table = DynamoDbLeaseTable(dynamodb, name)
    table.ensure()
    return table


class TestDynamoDbLeaseTable(LeaseTableConformance):
    @pytest.fixture
    def table(self, ready: DynamoDbLeaseTable) -> LeaseTable:
        return ready


def test_the_table_is_created_with_the_layout_of_the_client_library(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str
) -> None:
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_a_foreign_row_is_skipped_with_one_warning(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    dynamodb.put_item(TableName=name, Item={"leaseKey": {"S": "Migration3.0"}, "cv": {"S": "CLIENT_VERSION_3X"}})
    ready.create(Lease(shard_id="s-0", checkpoint=TRIM_HORIZON))
    with caplog.at_level(logging.WARNING):
        assert [lease.shard_id for lease in ready.read_all()] == ["s-0"]
        ready.read_all()
    assert [record.getMessage().count("Migration3.0") for record in caplog.records] == [1]


def test_a_checkpoint_removes_the_pending_one_and_leaves_other_attributes_alone(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str
) -> None:
    lease = Lease(shard_id="s-0", owner="me", counter=4, checkpoint=TRIM_HORIZON)
    peers = {
        "pendingCheckpoint": {"S": "5"},
        "pendingCheckpointSubSequenceNumber": {"N": "0"},
        "pendingCheckpointState": {"B": b"state"},
        "throughputKBps": {"N": "12.5"},
    }
    dynamodb.put_item(TableName=name, Item={**encode(lease), **peers})
    ready.checkpoint(lease, Checkpoint.at(Position(7, 2)))
    row = dynamodb.get_item(TableName=name, Key={"leaseKey": {"S": "s-0"}})["Item"]
    assert row == {
        "leaseKey": {"S": "s-0"},
        "leaseOwner": {"S": "me"},
        "leaseCounter": {"N": "5"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "7"},
        "checkpointSubSequenceNumber": {"N": "2"},
        "throughputKBps": {"N": "12.5"},
    }


def test_a_table_of_many_pages_is_read_whole(ready: DynamoDbLeaseTable, dynamodb: Any, name: str) -> None:
    page = "x" * 100_000  # DynamoDB scans 1 MB a page
    for number in range(15):
        lease = Lease(shard_id=f"s-{number}", checkpoint=TRIM_HORIZON)
        dynamodb.put_item(TableName=name, Item={**encode(lease), "note": {"S": page}})
    assert len(ready.read_all()) == 15


def test_a_table_that_somebody_deletes_is_named_by_every_call_and_can_be_made_again(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str
) -> None:
    lease = Lease(shard_id="s-0", checkpoint=TRIM_HORIZON)
    ready.create(lease)
    dynamodb.delete_table(TableName=name)
    calls: list[Callable[[], object]] = [
        ready.read_all,
        lambda: ready.create(lease),
        lambda: ready.renew(lease),
        lambda: ready.take(lease, "me"),
        lambda: ready.checkpoint(lease, Checkpoint.at(Position(1))),
        lambda: ready.evict(lease),
        lambda: ready.link("s-0", ["s-1"]),
    ]
    for call in calls:
        with pytest.raises(TableGone, match=name):
            call()
    ready.ensure()
    assert ready.read_all() == []


def test_a_database_that_does_not_answer_is_an_outage() -> None:
    nowhere = Aws(endpoint="http://127.0.0.1:9", access_key_id="123456789012", secret_access_key="local")
    table = DynamoDbLeaseTable(client("dynamodb", nowhere, attempts=1), "leases")
    with pytest.raises(Outage):
        table.read_all()
