"""The lease table on DynamoDB: the same suite as in memory, and what only rows have."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease, encode
from consumers.sources.kinesis.table import DynamoDbLeaseTable, LeaseTable, TableGone
from consumers.sources.kinesis.testing import LeaseTableConformance
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.integration


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


VERSIONS = [("CLIENT_VERSION_2X", True), ("CLIENT_VERSION_3X_WITH_ROLLBACK", False), ("CLIENT_VERSION_3X", False)]


@pytest.mark.parametrize(("version", "is_ours"), VERSIONS)
@pytest.mark.parametrize("is_single", [True, False])
def test_an_application_whose_leases_kcl_3_assigns_is_refused(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str, version: str, is_ours: bool, is_single: bool
) -> None:
    table, key = (name, "leaseKey") if is_single else (f"{name}-CoordinatorState", "key")
    if not is_single:
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    ready.vet()
    dynamodb.put_item(TableName=table, Item={key: {"S": "Migration3.0"}, "cv": {"S": version}})
    if is_ours:
        ready.vet()
    else:
        with pytest.raises(ConfigError, match=f"{name}.*{version}.*COMPATIBLE_WITH_2X"):
            ready.vet()
    assert ready.read_all() == []


def test_who_may_not_read_the_coordinators_table_is_not_stopped(aws: Aws, name: str) -> None:
    denied = client("dynamodb", aws)
    with Stubber(denied) as stub:
        stub.add_client_error("get_item", "AccessDeniedException")
        stub.add_client_error("get_item", "ResourceNotFoundException")
        DynamoDbLeaseTable(denied, name).vet()
        stub.add_client_error("get_item", "ProvisionedThroughputExceededException")
        with pytest.raises(Outage):
            DynamoDbLeaseTable(denied, name).vet()


def test_a_row_as_the_client_library_creates_it_is_taken_renewed_and_checkpointed(
    ready: DynamoDbLeaseTable, dynamodb: Any, name: str
) -> None:
    row = {
        "leaseKey": {"S": "shardId-000000000000"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": str(2**128 - 1)},
    }
    dynamodb.put_item(TableName=name, Item=row)
    (lease,) = ready.read_all()
    ready.checkpoint(ready.renew(ready.take(lease, "me")), Checkpoint.at(Position(7, 2)))
    changed = {"leaseOwner": {"S": "me"}, "leaseCounter": {"N": "3"}, "checkpoint": {"S": "7"}}
    after = dynamodb.get_item(TableName=name, Key={"leaseKey": row["leaseKey"]})["Item"]
    assert after == {**row, **changed, "checkpointSubSequenceNumber": {"N": "2"}}


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
        lambda: ready.remove(lease),
        lambda: ready.ring("s-0"),
        lambda: ready.rings("s-0"),
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
