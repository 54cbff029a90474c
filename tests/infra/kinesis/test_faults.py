"""Faults on request, as boto3 meets them."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from infra.local.kinesis.faults import Faults
from infra.local.kinesis.process import ServerProcess

pytestmark = pytest.mark.integration

Rules = Callable[..., None]


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with ServerProcess(tmp_path, "--no-limits") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess, client_of: Callable[[str], Any]) -> Any:
    made = client_of(server.url)
    made.create_stream(StreamName="s", ShardCount=1)
    return made


@pytest.fixture
def rules(server: ServerProcess) -> Rules:
    def put(*rules: dict[str, Any]) -> None:
        request = urllib.request.Request(f"{server.url}/faults", json.dumps(rules).encode(), method="PUT")
        urllib.request.urlopen(request).close()

    return put


def _put(client: Any, count: int = 1) -> dict[str, Any]:
    answer: dict[str, Any] = client.put_records(StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}] * count)
    return answer


def _stored(client: Any) -> int:
    place = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**place)["ShardIterator"]
    return len(client.get_records(ShardIterator=iterator)["Records"])


def test_single_entries_are_throttled(client: Any, rules: Rules) -> None:
    rules({"operation": "PutRecords", "fault": "throttle", "share": 0.5})
    answer = _put(client, 200)
    assert 60 < answer["FailedRecordCount"] < 140
    assert _stored(client) == 200 - answer["FailedRecordCount"]


def test_a_whole_read_is_throttled_so_often(client: Any, rules: Rules) -> None:
    rules({"operation": "ListShards", "fault": "throttle", "times": 1})
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        client.list_shards(StreamName="s")
    client.list_shards(StreamName="s")


def test_an_internal_failure_stores_nothing(client: Any, rules: Rules) -> None:
    rules({"operation": "PutRecords", "fault": "internal", "times": 1})
    with pytest.raises(ClientError, match="InternalFailure"):
        _put(client)
    assert _stored(client) == 0


def test_a_reset_stores_nothing_a_dropped_answer_does(client: Any, rules: Rules) -> None:
    for fault, stored in (("reset", 0), ("drop_answer", 1)):
        rules({"operation": "PutRecords", "fault": fault, "times": 1})
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            _put(client)
        assert _stored(client) == stored


def test_a_delayed_answer_comes_later_and_holds_nobody_else_up(
    client: Any, server: ServerProcess, rules: Rules
) -> None:
    rules({"operation": "PutRecords", "fault": "delay", "delay_s": 0.5, "times": 1})
    began = time.monotonic()
    _put(client)
    assert time.monotonic() - began >= 0.5
    assert _stored(client) == 1


def test_rules_are_shown_and_ended(client: Any, server: ServerProcess, rules: Rules) -> None:
    rules({"operation": "*", "fault": "internal"})
    with urllib.request.urlopen(f"{server.url}/faults") as answer:
        (shown,) = json.load(answer)
    assert (shown["operation"], shown["fault"]) == ("*", "internal")
    rules()
    _put(client)


def test_the_same_seed_strikes_the_same_requests() -> None:
    def struck() -> list[bool]:
        faults = Faults()
        faults.replace(b'[{"operation":"*","fault":"internal","share":0.3,"seed":5}]')
        return [faults.met_by("GetRecords") is not None for _ in range(100)]

    assert struck() == struck()
    assert 10 < sum(struck()) < 60
