"""A real server process for the tests of this folder, and boto3 clients for it."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from infra.local.kinesis.process import ServerProcess


def _client(url: str) -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name="eu-west-2",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="session")
def client_of() -> Callable[[str], Any]:
    """Makes a boto3 client that never retries, for a server's URL."""
    return _client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with limits, for all tests of the session."""
    with ServerProcess(tmp_path_factory.mktemp("kinesis")) as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Any:
    return _client(server.url)
