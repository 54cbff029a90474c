import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.sinks.opensearch.connection import connect
from infra.local.endpoints import Endpoints

pytestmark = pytest.mark.integration

SHARDS = 8


def test_every_shards_thread_keeps_a_connection(stack: Endpoints, caplog: pytest.LogCaptureFixture) -> None:
    client = connect(stack.opensearch, connections=SHARDS)
    with caplog.at_level(logging.WARNING, logger="urllib3"), ThreadPoolExecutor(SHARDS) as threads:
        assert all(threads.map(lambda _: client.ping(), range(20 * SHARDS)))
    assert caplog.records == []  # urllib3 warns of each connection that it has to throw away
