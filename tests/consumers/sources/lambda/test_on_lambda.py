"""The function under a Lambda service: packed as a zip, called with events, writing to the real store."""

import base64
import dataclasses
import datetime as dt
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from consumers.sinks.opensearch.connection import connect
from consumers.sources.lambda_.metrics import NAMESPACE
from consumers.sources.lambda_.testing import delivered, event_of
from consumers.stages.testing import encoded, enveloped, order
from contract.kpl.aggregate import UserRecord, aggregated
from infra.local.endpoints import NOWHERE, Endpoints
from infra.local.home import PROJECT
from runtime.aws import client

pytestmark = pytest.mark.integration

PACKAGES = ("contract", "runtime", "consumers")
HANDLER = "consumers.lambda_process.handler"


def code() -> bytes:
    """Our own packages. What they stand on comes by PYTHONPATH here, and in a layer or the zip itself on AWS."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in PACKAGES:
            for file in sorted({*(PROJECT / package).rglob("*.py"), *(PROJECT / package).rglob("*.toml")}):
                archive.write(file, file.relative_to(PROJECT))
    return content.getvalue()


class _Deployed:
    """A function of our own on the local Lambda, and its place in the store."""

    def __init__(self, stack: Endpoints, folder: Path, *, opensearch_url: str = "") -> None:
        self.name = f"live-{uuid.uuid4().hex[:8]}"
        self._lambda = client("lambda", stack.aws, read_timeout_s=90.0)
        self._store = connect(stack.opensearch)
        key = folder / "identity.key"
        key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
        variables = {
            "PYTHONPATH": str(next((PROJECT / ".venv" / "lib").glob("python3*/site-packages"))),
            "STOREPULSE_IDENTITY_KEY": str(key),
            "STOREPULSE_OPENSEARCH_URL": opensearch_url or stack.opensearch.url,
            "STOREPULSE_STREAMS_TRANSACTIONS": f"{self.name}-orders",
            "STOREPULSE_STREAMS_ACCESS": f"{self.name}-access",
            "STOREPULSE_FUNCTION_PATIENCE_S": "1",
        }
        self._lambda.create_function(
            FunctionName=self.name,
            Runtime="python3.11",
            Handler=HANDLER,
            Role="arn:aws:iam::123456789012:role/function",
            Code={"ZipFile": code()},
            Timeout=60,
            MemorySize=512,
            Environment={"Variables": variables},
        )
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=self.name)

    def read(self, stream_arn: str) -> None:
        """Have the service read a stream of its own for the function."""
        self._lambda.create_event_source_mapping(
            EventSourceArn=stream_arn,
            FunctionName=self.name,
            StartingPosition="TRIM_HORIZON",
            BatchSize=100,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )

    def invoke(self, event: object) -> tuple[Any, dict[str, Any]]:
        """The answer, and the metrics in the log."""
        answer = self._lambda.invoke(FunctionName=self.name, Payload=json.dumps(event), LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        (metrics,) = (json.loads(line) for line in log.splitlines() if line.startswith('{"_aws"'))
        payload = json.loads(answer["Payload"].read())
        return (payload if "FunctionError" not in answer else {"error": payload["errorMessage"]}), metrics

    def orders(self, *contents: bytes) -> Any:
        """An event of the transactions stream."""
        return event_of(contents, stream=f"{self.name}-orders")

    def hits(self, *contents: bytes) -> Any:
        """An event of the access stream."""
        return event_of(contents, stream=f"{self.name}-access")

    def found(self, index: str, field: str, *, begins: str = "") -> int:
        """Documents of this function's lines: those whose `field` begins with its name, or so."""
        params = {"ignore_unavailable": "true"}
        self._store.indices.refresh(index=index, params=params)
        query = {"query": {"prefix": {field: begins or self.name}}}
        count: int = self._store.count(index=index, body=query, params=params)["count"]
        return count

    def remove(self) -> None:
        for mapping in self._lambda.list_event_source_mappings(FunctionName=self.name)["EventSourceMappings"]:
            self._lambda.delete_event_source_mapping(UUID=mapping["UUID"])
        self._lambda.delete_function(FunctionName=self.name)


@pytest.fixture
def deployed(stack: Endpoints, tmp_path: Path) -> Iterator[_Deployed]:
    made = _Deployed(stack, tmp_path)
    yield made
    made.remove()


def sold(event_id: str) -> Any:
    """A good order of now: its arrival is the stream's own."""
    return order(event_id=event_id, event_time=dt.datetime.now(dt.UTC).isoformat())


def packed(contents: Sequence[bytes]) -> bytes:
    return aggregated([UserRecord("a", content) for content in contents])


def test_orders_letters_and_hits_of_real_events_are_in_the_store_once(deployed: _Deployed) -> None:
    name = deployed.name
    good = [encoded(order(event_id=f"{name}-{n}"), file=name, offset=n) for n in range(5)]
    bad = encoded(order(event_id=f"{name}-bad", total=1), file=name, offset=100)
    event = deployed.orders(good[0], packed([*good[1:4], bad]), good[4])
    for _ in range(2):
        answer, metrics = deployed.invoke(event)
        assert answer == {"batchItemFailures": []}
        assert (metrics["Accepted"], metrics["Refused"], metrics["Duplicates"]) == (5, 1, 0)
        assert metrics["Stream"] == f"{name}-orders"
        assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == NAMESPACE
    assert deployed.found("orders-*", "event_id") == 5
    assert deployed.found("letters-*", "letter_id") == 1
    assert deployed.found("duplicates", "event_id") == 0


def test_access_lines_are_hits(deployed: _Deployed) -> None:
    lines = [f'192.0.2.7 - - [27/Nov/2026:08:00:00 +0000] "GET /{deployed.name} HTTP/1.1" 200 5', "no access line"]
    event = deployed.hits(packed([enveloped(line.encode(), kind="access", offset=n) for n, line in enumerate(lines)]))
    answer, metrics = deployed.invoke(event)
    assert answer == {"batchItemFailures": []}
    assert (metrics["Accepted"], metrics["Refused"]) == (1, 1)
    assert deployed.found("hits-*", "path", begins=f"/{deployed.name}") == 1


def test_records_of_a_real_stream_are_an_event(deployed: _Deployed, stack: Endpoints) -> None:
    kinesis, stream, name = client("kinesis", stack.aws), f"{deployed.name}-orders", deployed.name
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    contents = [encoded(sold(f"{name}-{n}"), file=name, offset=n) for n in range(4)]
    for data in (contents[0], packed(contents[1:])):
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="a")
    (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = [
        delivered(
            int(record["SequenceNumber"]),
            record["Data"],
            stream=stream,
            shard_id=shard["ShardId"],
            arrived_at=record["ApproximateArrivalTimestamp"],
        )
        for record in kinesis.get_records(ShardIterator=iterator)["Records"]
    ]
    assert len(records) == 2
    answer, metrics = deployed.invoke({"Records": records})
    assert answer == {"batchItemFailures": []}
    assert metrics["Accepted"] == deployed.found("orders-*", "event_id") == 4


def test_a_mapping_brings_the_records_of_a_stream(deployed: _Deployed, stack: Endpoints) -> None:
    """An event that is none of our making: that of the local Lambda, which reads a Kinesis of its own."""
    kinesis = client("kinesis", dataclasses.replace(stack.aws, kinesis_endpoint=stack.aws.endpoint))
    stream, name = f"{deployed.name}-orders", deployed.name
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    contents = [encoded(sold(f"{name}-{n}"), file=name, offset=n) for n in range(4)]
    for data in (contents[0], packed(contents[1:])):
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="a")
    deployed.read(kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"])
    assert until(lambda: deployed.found("orders-*", "event_id") == 4)


def until(holds: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.2)
    return False


def test_a_wrong_event_is_an_error_of_the_function(deployed: _Deployed) -> None:
    answer, metrics = deployed.invoke({"Records": [{"body": "x", "eventSource": "aws:sqs"}]})
    assert "no event of a Kinesis stream" in answer["error"]
    assert (metrics["CriticalErrors"], metrics["error"]) == (1, "BadEvent")


def test_a_store_that_is_away_fails_the_first_sequence(stack: Endpoints, tmp_path: Path) -> None:
    away = _Deployed(stack, tmp_path, opensearch_url=NOWHERE)
    try:
        answer, metrics = away.invoke(away.orders(*[encoded(order(event_id=f"{away.name}-{n}")) for n in range(3)]))
    finally:
        away.remove()
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert (metrics["Unfinished"], metrics["CriticalErrors"]) == (3, 0)
    assert metrics["why"].startswith("OpenSearch")
