"""Kinesis and DynamoDB for the tests of sources and of the fleet."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from consumers.sources.kinesis.table import DynamoDbLeaseTable
from infra.local.testing import local_stack
from runtime.aws import client
from runtime.settings import Aws


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """How to reach the two local parts that the Kinesis source stands on; without the others they start in a second."""
    with local_stack(tmp_path_factory.mktemp("kinesis-and-dynamodb"), parts=("kinesis", "ministack")) as endpoints:
        yield endpoints.aws


@pytest.fixture(scope="session")
def new_stream(aws: Aws) -> Callable[[int], str]:
    """Makes a stream of so many shards and returns its name once it takes records."""
    kinesis = client("kinesis", aws, attempts=10)  # CreateStream takes five a second

    def make(shards: int) -> str:
        name = f"stream-{uuid.uuid4().hex[:8]}"
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return name

    return make


@pytest.fixture(scope="session")
def dynamodb(aws: Aws) -> Any:
    return client("dynamodb", aws)


@pytest.fixture
def name() -> str:
    """Of a lease table that is not there yet."""
    return f"leases-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ready(dynamodb: Any, name: str) -> DynamoDbLeaseTable:
    """The table of that name."""
    table = DynamoDbLeaseTable(dynamodb, name)
    table.ensure()
    return table
