"""A real front for the tests of this folder, with an S3 beside it."""

from collections.abc import Iterator

import boto3
import pytest

from infra.local.redshift.process import FrontProcess
from infra.local.redshift.subject import Storage, Subject
from infra.local.testing import local_stack
from runtime.settings import Aws

_BUCKET = "redshift-cases"


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A real S3 server."""
    with local_stack(tmp_path_factory.mktemp("s3"), parts=("ministack",)) as endpoints:
        yield endpoints.aws


@pytest.fixture(scope="session")
def storage(aws: Aws) -> Storage:
    """A bucket that the front reaches."""
    client = boto3.client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
    )
    client.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return Storage(client=client, bucket=_BUCKET, iam_role=f"arn:aws:iam::{aws.access_key_id}:role/redshift")


@pytest.fixture(scope="session")
def front(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontProcess]:
    """A front for all tests of the session."""
    with FrontProcess(
        tmp_path_factory.mktemp("redshift"),
        s3_endpoint=aws.endpoint,
        region=aws.region,
        access_key_id=aws.access_key_id,
        secret_access_key=aws.secret_access_key,
    ) as process:
        yield process


@pytest.fixture
def subject(front: FrontProcess, storage: Storage) -> Iterator[Subject]:
    found = Subject(connect=front.connect, storage=storage)
    yield found
    found.close()
