"""Real places that the account looks at, each test's its own."""

import uuid

import pytest

from consumers.warehouse.migrations import migrate
from consumers.warehouse.testing import Corner
from infra.local.endpoints import Endpoints
from runtime.aws import client
from runtime.objects.s3 import S3Objects
from runtime.testing import ManualClock


@pytest.fixture
def prefix() -> str:
    """Of a test's ids."""
    return f"host-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def corner(stack: Endpoints) -> Corner:
    """A warehouse of the test's own."""
    corner = Corner(f"test_{uuid.uuid4().hex[:12]}")
    corner.make(stack.warehouse)
    with corner(stack.warehouse) as session:
        migrate(session, ManualClock(), lambda done: None)
    return corner


@pytest.fixture
def bucket(stack: Endpoints) -> S3Objects:
    """A bucket of the test's own."""
    s3 = client("s3", stack.aws)
    name = f"account-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": stack.aws.region})
    return S3Objects(s3, name)
