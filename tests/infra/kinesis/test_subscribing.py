"""Subscriptions of real clients to a real server, over both HTTPs."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.kinesis.http2_client import Http2Client
from infra.local.kinesis.process import ServerProcess

pytestmark = pytest.mark.integration

_FIRST = "shardId-000000000000"


class Reader:
    """A server without rates, with a stream and one active consumer of it, and boto3."""

    def __init__(self, server: ServerProcess, client: Any, subscriber: Any, shards: int = 1) -> None:
        self.server, self.client, self._subscriber = server, client, subscriber
        client.create_stream(StreamName="s", ShardCount=shards)
        arn = client.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
        self.arn = client.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
        self.put("/clock", {"advance_s": 5})

    def put(self, path: str, body: Any) -> None:
        request = urllib.request.Request(self.server.url + path, json.dumps(body).encode(), method="PUT")
        urllib.request.urlopen(request).close()

    def subscribe(self) -> Iterator[dict[str, Any]]:
        place = {"Type": "TRIM_HORIZON"}
        made = self._subscriber.subscribe_to_shard(ConsumerARN=self.arn, ShardId=_FIRST, StartingPosition=place)
        return iter(made["EventStream"])

    def store(self, count: int, size: int = 10) -> None:
        records = [{"Data": b"x" * size, "PartitionKey": "k"}] * count
        assert self.client.put_records(StreamName="s", Records=records)["FailedRecordCount"] == 0


@pytest.fixture(params=["http1", "http2"])
def reader(request: Any, tmp_path: Path, client_of: Callable[[str], Any]) -> Iterator[Reader]:
    with ServerProcess(tmp_path, "--no-limits") as server:
        client, subscriber = client_of(server.url), client_of(server.url)
        if request.param == "http1":
            yield Reader(server, client, subscriber)
        else:
            with Http2Client(server.port) as wire:
                wire.carry(subscriber)
                yield Reader(server, client, subscriber)


def test_it_ends_after_five_minutes(reader: Reader) -> None:
    events = reader.subscribe()
    next(events)
    reader.put("/clock", {"advance_s": 299})
    assert next(events)["SubscribeToShardEvent"]["Records"] == []
    reader.put("/clock", {"advance_s": 2})
    assert list(events) == []


def test_a_backlog_comes_whole_and_in_order(reader: Reader) -> None:
    for _ in range(10):
        reader.store(500, 400)
    numbers: list[str] = []
    events = reader.subscribe()
    while len(numbers) < 5_000:
        numbers += [record["SequenceNumber"] for record in next(events)["SubscribeToShardEvent"]["Records"]]
    assert numbers == sorted(set(numbers))


def test_many_subscriptions_share_a_connection(tmp_path: Path, client_of: Callable[[str], Any]) -> None:
    with ServerProcess(tmp_path, "--no-limits") as server, Http2Client(server.port) as wire:
        reader = Reader(server, client_of(server.url), None, shards=64)
        place = {"ConsumerARN": reader.arn, "StartingPosition": {"Type": "TRIM_HORIZON"}}
        targets = [json.dumps({**place, "ShardId": f"shardId-{n:012d}"}).encode() for n in range(64)]
        streams = [wire.ask("Kinesis_20131202.SubscribeToShard", target) for target in targets]
        for _ in range(4):  # records for every shard, sixteen shards a request
            for number in range(0, 64, 16):
                keys = [str((number + each) << 122) for each in range(16)]
                records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": key} for key in keys]
                reader.client.put_records(StreamName="s", Records=records)
        for stream in streams:
            said = b""
            for piece in wire.pieces(stream):
                said += piece
                if said.count(b'"PartitionKey"') == 4:
                    break


def test_a_server_that_is_stopped_ends_its_subscriptions(reader: Reader) -> None:
    events = reader.subscribe()
    next(events)
    began = time.monotonic()
    assert reader.server.stop() == 0
    assert time.monotonic() - began < 1.5
    assert list(events) == []


def test_a_connection_breaks_off_in_the_middle(reader: Reader) -> None:
    reader.put("/faults", [{"operation": "SubscribeToShard", "fault": "break", "delay_s": 0.3}])
    events = reader.subscribe()
    next(events)
    with pytest.raises(Exception, match=r"(?i)reset|broken|closed"):
        next(events)


def test_who_does_not_take_what_is_sent_fills_no_memory(reader: Reader) -> None:
    for _ in range(2):
        reader.store(8, 1_000_000)
    process = psutil.Process(reader.server.pid)
    before = process.memory_info().rss
    held = []
    for _ in range(4):  # 64 MB together
        reader.put("/clock", {"advance_s": 6})
        held.append(reader.subscribe())
        next(held[-1])
    time.sleep(0.3)
    assert process.memory_info().rss - before < 30 << 20
