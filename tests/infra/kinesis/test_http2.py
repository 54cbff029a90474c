"""HTTP/2 with prior knowledge on the port of HTTP/1.1: every call, many streams, windows, and what breaks them."""

import json
import signal
import socket
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from h2.errors import ErrorCodes

from infra.local.kinesis import fan_out_cases, scaling_cases, testing
from infra.local.kinesis.http2_client import Http2Client
from infra.local.kinesis.process import ServerProcess
from infra.local.kinesis.testing import CASES, Subject

pytestmark = pytest.mark.integration

_TARGET = "Kinesis_20131202."
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server without rates, with a stream of one shard."""
    with ServerProcess(tmp_path, "--no-limits") as process, Http2Client(process.port) as wire:
        assert _call(wire, "CreateStream", StreamName="s", ShardCount=1) == {}
        yield process


@pytest.fixture
def wire(plain: ServerProcess) -> Iterator[Http2Client]:
    with Http2Client(plain.port) as client:
        yield client


def _ask(wire: Http2Client, operation: str, **members: Any) -> int:
    return wire.ask(_TARGET + operation, json.dumps(members).encode())


def _call(wire: Http2Client, operation: str, **members: Any) -> Any:
    return json.loads(wire.body(_ask(wire, operation, **members)))


def _put(wire: Http2Client, data: bytes, count: int) -> None:
    entry = {"Data": b64encode(data).decode(), "PartitionKey": "k"}
    assert _call(wire, "PutRecords", StreamName="s", Records=[entry] * count)["FailedRecordCount"] == 0


def _first(wire: Http2Client) -> str:
    place = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    return str(_call(wire, "GetShardIterator", **place)["ShardIterator"])


def _faults(server: ServerProcess, *rules: dict[str, Any]) -> None:
    request = urllib.request.Request(f"{server.url}/faults", json.dumps(rules).encode(), method="PUT")
    urllib.request.urlopen(request).close()


# Every call is made by one of these; the rest, which is about rates and sizes, is for long runs.
_SHORT = {
    testing.a_provisioned_stream_has_the_shards_it_asked_for,
    testing.a_deleted_stream_is_gone,
    testing.records_come_back_in_order_with_what_was_put,
    testing.a_request_holds_at_most_500_records,
    testing.merged_shards_have_one_child,
    testing.a_closed_shard_is_read_to_its_end_and_names_its_children,
    testing.streams_are_listed_in_pages,
    fan_out_cases.a_deregistered_consumer_is_gone,
    fan_out_cases.consumers_are_listed_in_pages,
    fan_out_cases.a_subscription_tells_records_as_they_come_and_where_to_go_on,
    fan_out_cases.a_closed_shard_ends_its_subscription_with_its_children,
    scaling_cases.a_halved_shard_count_merges_neighbours,
    scaling_cases.a_stream_keeps_its_shards_when_its_mode_is_switched,
}


@pytest.mark.parametrize(
    "case",
    [case if case in _SHORT else pytest.param(case, marks=pytest.mark.soak) for case in CASES],
    ids=lambda case: case.__name__,
)
def test_it_behaves_like_kinesis(server: ServerProcess, client: Any, case: Callable[[Subject], None]) -> None:
    with Http2Client(server.port) as wire:
        wire.carry(client)
        with Subject(client) as subject:
            case(subject)


def test_a_hundred_requests_at_once_are_each_answered(wire: Http2Client) -> None:
    asked = {_ask(wire, "PutRecord", StreamName="s", Data="aGk=", PartitionKey=str(n)): n for n in range(100)}
    numbers = [json.loads(wire.body(stream))["SequenceNumber"] for stream in asked]
    assert numbers == sorted(set(numbers))
    assert len(_call(wire, "GetRecords", ShardIterator=_first(wire))["Records"]) == 100


def test_an_answer_that_is_not_taken_holds_up_no_other(wire: Http2Client) -> None:
    _put(wire, b"x" * 100_000, 30)
    slow = _ask(wire, "GetRecords", ShardIterator=_first(wire))
    assert wire.begun(slow).status == 200
    for _ in range(20):
        assert _call(wire, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["OpenShardCount"] == 1
    held = sum(len(data) for data, _ in wire.begun(slow).waiting)
    assert held <= 65_535, "more than the stream's window"
    assert len(json.loads(wire.body(slow))["Records"]) == 30


def test_answers_wait_for_the_window_of_the_connection(plain: ServerProcess) -> None:
    with Http2Client(plain.port, connection_window=1) as wire:
        _put(wire, b"x" * 50_000, 20)
        iterator = _first(wire)
        streams = [_ask(wire, "GetRecords", ShardIterator=iterator) for _ in range(5)]
        assert all(len(json.loads(wire.body(stream))["Records"]) == 20 for stream in streams)


def test_large_bodies_take_turns_for_room(wire: Http2Client) -> None:
    first, second = (wire.begin(_TARGET + "PutRecords", 20 << 20) for _ in range(2))  # 32 MiB fit together
    wire.push(first, b"x" * (1 << 20))
    wire.push(second, b"x" * (256 << 10))
    _call(wire, "DescribeStreamSummary", StreamName="s")
    assert (wire.room(first) > 0, wire.room(second)) == (True, 0)
    wire.cancel(first)
    while not wire.room(second):
        wire.take_in()


def test_what_a_cancelled_body_held_back_is_given_to_others(wire: Http2Client) -> None:
    whole = wire.begin(_TARGET + "PutRecords", 20 << 20)
    wire.push(whole, b"x")
    for _ in range(140):  # 35 MiB for which there is no room; the connection has a window of 32
        waiting = wire.begin(_TARGET + "PutRecords", 20 << 20)
        wire.push(waiting, b"x" * (256 << 10))
        wire.cancel(waiting)
    _call(wire, "DescribeStreamSummary", StreamName="s")


def test_a_body_over_the_limit_is_refused_and_the_connection_lives(wire: Http2Client) -> None:
    stream = wire.ask(_TARGET + "PutRecords", b"x" * (21 << 20))
    assert wire.begun(stream).status == 413
    assert _call(wire, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["OpenShardCount"] == 1


def test_a_request_given_up_is_forgotten(wire: Http2Client) -> None:
    _put(wire, b"x" * 100_000, 20)
    iterator = _first(wire)
    for _ in range(300):  # more than a connection may have open
        wire.cancel(_ask(wire, "GetRecords", ShardIterator=iterator))
    assert len(_call(wire, "GetRecords", ShardIterator=iterator)["Records"]) == 20


def test_health_and_errors_have_their_status(wire: Http2Client) -> None:
    health = wire.ask("", method="GET", path="/health")
    assert (wire.begun(health).status, wire.body(health)) == (200, b'{"status":"ok"}')
    assert wire.begun(wire.ask("", method="GET", path="/x")).status == 404
    refused = _ask(wire, "DescribeStreamSummary", StreamName="none")
    assert wire.begun(refused).status == 400
    assert json.loads(wire.body(refused))["__type"] == "ResourceNotFoundException"


def test_a_delay_holds_up_its_stream_alone(plain: ServerProcess, wire: Http2Client) -> None:
    _faults(plain, {"operation": "ListShards", "fault": "delay", "delay_s": 0.4})
    started = time.monotonic()
    late = _ask(wire, "ListShards", StreamName="s")
    _call(wire, "DescribeStreamSummary", StreamName="s")
    assert time.monotonic() - started < 0.3
    assert len(json.loads(wire.body(late))["Shards"]) == 1
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(("fault", "stored"), [("reset", 0), ("drop_answer", 1)])
def test_a_connection_breaks_before_or_after_the_effect(plain: ServerProcess, fault: str, stored: int) -> None:
    _faults(plain, {"operation": "PutRecord", "fault": fault, "times": 1})
    with Http2Client(plain.port) as wire, pytest.raises(ConnectionError):
        _call(wire, "PutRecord", StreamName="s", Data="aGk=", PartitionKey="k")
    with Http2Client(plain.port) as wire:
        assert len(_call(wire, "GetRecords", ShardIterator=_first(wire))["Records"]) == stored


def test_the_preface_may_come_in_pieces_and_what_follows_must_be_http2(plain: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", plain.port), timeout=10) as raw:
        for byte in _PREFACE:
            raw.sendall(bytes([byte]))
            time.sleep(0.002)
        raw.sendall(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x")  # data of no stream
        said = b""
        while part := raw.recv(1 << 16):
            said += part
    assert said[3] == 4, "settings come first"
    goaway = said[-17:]
    assert goaway[3] == 7
    assert int.from_bytes(goaway[-4:], "big") != ErrorCodes.NO_ERROR


def test_a_signal_ends_it_with_clients_connected(plain: ServerProcess, wire: Http2Client) -> None:
    _call(wire, "DescribeStreamSummary", StreamName="s")
    started = time.monotonic()
    assert plain.stop(signal.SIGTERM) == 0
    assert time.monotonic() - started < 1.5
    with pytest.raises(ConnectionError):
        while True:
            wire.take_in()
