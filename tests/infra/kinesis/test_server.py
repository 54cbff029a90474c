"""The server as a process: what HTTP clients, crashes, full disks and other servers do to it."""

import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.kinesis.process import ServerProcess

pytestmark = pytest.mark.integration

ClientOf = Callable[[str], Any]
_ROOT = Path(__file__).resolve().parents[3]


def _read_all(client: Any, stream: str) -> dict[str, list[dict[str, Any]]]:
    """Every record of every shard, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        records = found[shard["ShardId"]] = []
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator, behind = client.get_shard_iterator(**place)["ShardIterator"], 1
        while behind:
            answer = client.get_records(ShardIterator=iterator)
            records += answer["Records"]
            iterator, behind = answer["NextShardIterator"], answer["MillisBehindLatest"]
    return found


@contextmanager
def _connection(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        yield wire


def _request(operation: str, body: bytes, *headers: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"X-Amz-Target: Kinesis_20131202.{operation}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _until_closed(wire: socket.socket) -> bytes:
    parts = []
    while part := wire.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def test_nothing_acknowledged_is_lost_when_killed_in_the_middle_of_puts(tmp_path: Path, client_of: ClientOf) -> None:
    acknowledged: dict[str, list[tuple[str, bytes]]] = {}
    for round_number in range(3):
        with ServerProcess(tmp_path, "--no-limits") as server:
            client = client_of(server.url)
            if not round_number:
                client.create_stream(StreamName="s", ShardCount=2)
            killer = threading.Timer(0.7, server.kill)
            killer.start()
            _put_until_it_dies(client, round_number, acknowledged)
            killer.join()
    with ServerProcess(tmp_path, "--no-limits") as server:
        stored = _read_all(client_of(server.url), "s")
    assert sum(map(len, acknowledged.values())) > 1000
    for shard, records in stored.items():
        numbers = [record["SequenceNumber"] for record in records]
        assert numbers == sorted(set(numbers))
        held = {record["SequenceNumber"]: record["Data"] for record in records}
        assert all(held.get(number) == data for number, data in acknowledged[shard])


def _put_until_it_dies(client: Any, round_number: int, acknowledged: dict[str, list[tuple[str, bytes]]]) -> None:
    for request in range(100_000):
        data = [f"{round_number}-{request}-{n}".encode() + b"x" * 2000 for n in range(50)]
        records = [{"Data": each, "PartitionKey": str(n)} for n, each in enumerate(data)]
        try:
            answer = client.put_records(StreamName="s", Records=records)
        except BotoCoreError:
            return
        for entry, each in zip(answer["Records"], data, strict=True):
            acknowledged.setdefault(entry["ShardId"], []).append((entry["SequenceNumber"], each))


def _produce(url: str, client_of: ClientOf, producer: int) -> None:
    client = client_of(url)
    for request in range(20):
        records = [
            {"Data": f"{producer}:{request * 100 + n}".encode(), "PartitionKey": str(producer)} for n in range(100)
        ]
        assert client.put_records(StreamName="s", Records=records)["FailedRecordCount"] == 0


def test_four_producers_at_once_lose_nothing_and_keep_their_order(tmp_path: Path, client_of: ClientOf) -> None:
    with ServerProcess(tmp_path, "--no-limits") as server:
        client = client_of(server.url)
        client.create_stream(StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
        context = multiprocessing.get_context("fork")
        producers = [context.Process(target=_produce, args=(server.url, client_of, n)) for n in range(4)]
        for producer in producers:
            producer.start()
        for producer in producers:
            producer.join(60)
        assert [producer.exitcode for producer in producers] == [0, 0, 0, 0]
        seen: dict[str, list[int]] = {}
        for records in _read_all(client, "s").values():
            for record in records:
                producer, _, number = record["Data"].decode().partition(":")
                seen.setdefault(producer, []).append(int(number))
    assert seen == {str(n): list(range(2000)) for n in range(4)}


def test_memory_does_not_grow_with_the_log_or_its_readers(tmp_path: Path, client_of: ClientOf) -> None:
    text = b64encode(os.urandom(100_000)).decode()
    body = json.dumps({"StreamName": "s", "Records": [{"Data": text, "PartitionKey": str(n)} for n in range(100)]})
    with ServerProcess(tmp_path, "--no-limits") as server:
        client = client_of(server.url)
        client.create_stream(StreamName="s", ShardCount=2)
        with _connection(server) as wire:
            for _ in range(24):
                wire.sendall(_request("PutRecords", body.encode()))
                assert wire.recv(1 << 16).startswith(b"HTTP/1.1 200")
        size = sum(log.stat().st_size for log in tmp_path.glob("streams/*/*.log"))
        assert size > 300 << 20
        with _slow_readers(server, client, 12):
            read = sum(_drain(client, f"shardId-{n:012d}") for n in range(2))
        assert read == 2400
        assert _peak_bytes(server.pid) < 150 << 20
    started_s = time.monotonic()
    with ServerProcess(tmp_path, "--no-limits"):
        assert time.monotonic() - started_s < 5


def _drain(client: Any, shard: str) -> int:
    place = {"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator, behind, records = client.get_shard_iterator(**place)["ShardIterator"], 1, 0
    while behind:
        answer = client.get_records(ShardIterator=iterator)
        records += len(answer["Records"])
        iterator, behind = answer["NextShardIterator"], answer["MillisBehindLatest"]
    return records


@contextmanager
def _slow_readers(server: ServerProcess, client: Any, count: int) -> Iterator[None]:
    """Clients that ask for 10 MiB and do not take the answer."""
    place = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    body = json.dumps({"ShardIterator": client.get_shard_iterator(**place)["ShardIterator"]}).encode()
    wires = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    try:
        for wire in wires:
            wire.sendall(_request("GetRecords", body))
        yield
    finally:
        for wire in wires:
            wire.close()


def _peak_bytes(pid: int) -> int:
    """The most memory that a process has ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_full_disk_fails_requests_by_name_and_the_server_goes_on(tmp_path: Path, client_of: ClientOf) -> None:
    most = 200_000  # bytes a file, standing in for the disk

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    with ServerProcess(tmp_path, "--no-limits", before_start=small_files) as server:
        client = client_of(server.url)
        client.create_stream(StreamName="s", ShardCount=1)
        stored = 0
        with pytest.raises(ClientError, match=r"InternalFailure.*cannot store the records"):
            while True:
                records = [{"Data": b"x" * 5000, "PartitionKey": "k"}] * 7
                stored += len(client.put_records(StreamName="s", Records=records)["Records"])
        assert 0 < stored == len(_read_all(client, "s")["shardId-000000000000"])
        psutil.Process(server.pid).rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        client.put_record(StreamName="s", Data=b"room again", PartitionKey="k")
        assert _read_all(client, "s")["shardId-000000000000"][-1]["Data"] == b"room again"


def test_requests_sent_at_once_are_answered_in_turn(server: ServerProcess) -> None:
    with _connection(server) as wire:
        calls = [_request("Nothing", b"{}"), b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", _request("ListNothing", b"{}")]
        wire.sendall(b"".join(calls) + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = _until_closed(wire)
    assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"400", b"200", b"400", b"404"]
    assert said.index(b"202.Nothing'") < said.index(b"ok") < said.index(b"202.ListNothing'")


def test_a_request_may_come_byte_by_byte_and_wait_for_100_continue(server: ServerProcess) -> None:
    with _connection(server) as wire:
        head, _, body = _request("Nothing", b"{}", "Expect: 100-continue", "Connection: close").partition(b"\r\n\r\n")
        for byte in head + b"\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(body)
        assert b"UnknownOperationException" in _until_closed(wire)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
    ],
)
def test_what_is_too_much_or_no_http_is_refused_and_the_connection_closed(
    server: ServerProcess, sent: bytes, status: bytes
) -> None:
    with _connection(server) as wire:
        wire.sendall(sent)
        assert _until_closed(wire)[9:12] == status


def test_a_body_whose_client_goes_away_leaves_room_for_the_next(server: ServerProcess, client: Any) -> None:
    for _ in range(5):
        with _connection(server) as wire:
            wire.sendall(b"POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\nhalf")
    records = [{"Data": b"x" * 1_000_000, "PartitionKey": str(n)} for n in range(10)]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_records(StreamName="absent", Records=records)


def test_a_large_answer_outlives_its_stream(tmp_path: Path, client_of: ClientOf) -> None:
    with ServerProcess(tmp_path, "--no-limits") as server:
        client = client_of(server.url)
        client.create_stream(StreamName="s", ShardCount=1)
        for _ in range(8):
            client.put_record(StreamName="s", Data=b"x" * 1_000_000, PartitionKey="k")
        place = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        body = json.dumps({"ShardIterator": client.get_shard_iterator(**place)["ShardIterator"]}).encode()
        with _connection(server) as wire:
            wire.sendall(_request("GetRecords", body, "Connection: close"))
            wire.recv(1000)
            client.delete_stream(StreamName="s")
            assert Counter(_until_closed(wire))[ord("\n")] >= 7


def _start(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local.kinesis", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, timeout=20)


def test_a_port_in_use_is_one_line_and_exit_code_2(server: ServerProcess, tmp_path: Path) -> None:
    ended = _start("--port", str(server.port), "--data", str(tmp_path / "other"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"error: cannot listen on 127.0.0.1:{server.port}" in ended.stderr


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    with ServerProcess(tmp_path):
        ended = _start("--port", "0", "--data", str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "in use by another server" in ended.stderr
    with ServerProcess(tmp_path):
        pass


def test_a_data_folder_that_is_a_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = _start("--port", "0", "--data", str(tmp_path / "file" / "folder"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order_with_clients_connected(
    tmp_path: Path, client_of: ClientOf, number: signal.Signals
) -> None:
    with ServerProcess(tmp_path) as server:
        client_of(server.url).list_streams()
        assert server.stop(number) == 0


def test_it_speaks_tls_on_request(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--tls") as server:
        assert server.url.startswith("https://")
        client = boto3.client(
            "kinesis",
            endpoint_url=server.url,
            region_name="eu-west-2",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            verify=False,
        )
        client.create_stream(StreamName="s", ShardCount=1)
        assert client.put_record(StreamName="s", Data=b"x", PartitionKey="k")["ShardId"] == "shardId-000000000000"
