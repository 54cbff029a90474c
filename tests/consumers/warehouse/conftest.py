"""A warehouse and a lake's bucket that are real."""

import uuid

import pytest

from consumers.warehouse.migrations import migrate
from consumers.warehouse.store import WarehouseStore
from consumers.warehouse.testing import Corner
from runtime.aws import client
from runtime.objects.s3 import S3Objects
from runtime.testing import ManualClock


@pytest.fixture(scope="session")
def lake(stack):
    s3 = client("s3", stack.aws)
    name = f"warehouse-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": stack.aws.region})
    return S3Objects(s3, name)


@pytest.fixture
def new_corner(stack):
    """Makes corners of the warehouse, each with tables of its own."""

    def make(**with_migrations):
        corner = Corner(f"test_{uuid.uuid4().hex[:12]}")
        corner.make(stack.warehouse)
        with corner(stack.warehouse) as session:
            migrate(session, ManualClock(), lambda done: None, **with_migrations)
        return corner

    return make


@pytest.fixture
def corner(new_corner):
    return new_corner()


@pytest.fixture
def new_store(stack, lake):
    """Makes stores, each as another keeper would have it."""

    def make(corner, **more):
        return WarehouseStore(
            more.pop("settings", stack.warehouse),
            bucket=lake.bucket,
            objects=more.pop("objects", lake),
            clock=ManualClock(),
            connect=corner,
            **more,
        )

    return make


@pytest.fixture
def read(stack):
    """Rows of a corner's table, in no order, as tuples of the columns asked for."""

    def rows(corner, columns, table):
        with corner(stack.warehouse) as session:
            found = session.query("read", f"SELECT {columns} FROM {table}")
        return sorted((tuple(row.values()) for row in found), key=repr)

    return rows
