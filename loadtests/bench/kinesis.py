"""Server CPU (user and system) of the local Kinesis per record.

The load is prebuilt bodies over a plain socket, so that the client is not what is measured. The baseline is what the
same call costs a boto3 client: the share that the server adds to it is the ratio.
"""

import json
import re
import shutil
import socket
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import boto3
import psutil
from botocore.config import Config

from infra.local.kinesis.process import ServerProcess
from loadtests.bench.report import Figure

RUNS = 3
_STREAM = "bench"
_SHARDS = 4
_SMALL, _LARGE = 300, 25 << 10  # bytes of a record
_SMALL_TOGETHER, _LARGE_TOGETHER = 500, _SHARDS  # records a request; an agent sends one aggregate a shard
_SMALL_REQUESTS, _LARGE_REQUESTS, _READ_ROUNDS = 300, 2000, 8  # so that a run is far longer than a tick of CPU time
_BOTO3_REQUESTS = 30
_CLIENT = "CPU of a boto3 client for the same call"


class Wire:
    """One keep-alive connection that sends prebuilt bodies."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._buffer = bytearray(1 << 20)

    def request(self, operation: str, body: bytes) -> bytes:
        """The answer's whole text, head included, if it is short; else its first MiB at least."""
        head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.{operation}\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        first = bytes(self._buffer[: self._socket.recv_into(self._buffer)])
        if not first.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{operation} failed: {first[:300]!r}")
        length = re.search(rb"Content-Length: (\d+)", first)
        assert length
        left = int(length[1]) + first.index(b"\r\n\r\n") + 4 - len(first)
        while left > 0:
            received = self._socket.recv_into(self._buffer)
            if not received:
                raise RuntimeError(f"{operation}: the server closed the connection")
            left -= received
        return first


def run() -> Sequence[Figure]:
    """Server CPU a record, in microseconds, for small puts, large puts and reads."""
    rng = Random(1)
    small, large = _entries(rng, _SMALL, _SMALL_TOGETHER), _entries(rng, _LARGE, _LARGE_TOGETHER)
    server: dict[str, list[float]] = {"put_300B": [], "read_300B": [], "put_25KiB": []}
    client: dict[str, list[float]] = {name: [] for name in server}
    for _ in range(RUNS):
        with _server() as (process, port):
            wire, boto = Wire(port), _boto3(port)
            boto.create_stream(StreamName=_STREAM, ShardCount=_SHARDS)
            server["put_300B"].append(_puts(process, wire, small, _SMALL_REQUESTS))
            client["put_300B"].append(_boto3_puts(boto, small))
            server["read_300B"].append(_reads(process, wire))
            client["read_300B"].append(_boto3_reads(boto))
            server["put_25KiB"].append(_puts(process, wire, large, _LARGE_REQUESTS))
            client["put_25KiB"].append(_boto3_puts(boto, large))
    targets = {"put_300B": 6.0, "read_300B": 3.0, "put_25KiB": 60.0}
    return [
        Figure(
            name=name,
            unit="us/record",
            better="lower",
            target=targets[name],
            values=server[name],
            baseline=_CLIENT,
            baseline_values=client[name],
        )
        for name in server
    ]


def _entries(rng: Random, size: int, count: int) -> list[dict[str, Any]]:
    """Records with incompressible data, spread evenly over the shards."""
    step = (1 << 128) // count
    return [
        {"Data": rng.randbytes(size), "PartitionKey": f"{rng.getrandbits(64):016x}", "ExplicitHashKey": str(i * step)}
        if count == _SHARDS
        else {"Data": rng.randbytes(size), "PartitionKey": f"{rng.getrandbits(64):016x}"}
        for i in range(count)
    ]


def _puts(process: psutil.Process, wire: Wire, entries: list[dict[str, Any]], requests: int) -> float:
    records = [{**entry, "Data": b64encode(entry["Data"]).decode()} for entry in entries]
    body = json.dumps({"StreamName": _STREAM, "Records": records}).encode()

    def load() -> int:
        for _ in range(requests):
            if b'"FailedRecordCount":0' not in wire.request("PutRecords", body):
                raise RuntimeError("records were refused")
        return requests * len(entries)

    return _server_us(process, load)


def _reads(process: psutil.Process, wire: Wire) -> float:
    def load() -> int:
        return sum(_drain(wire, shard) for _ in range(_READ_ROUNDS) for shard in range(_SHARDS))

    return _server_us(process, load)


def _drain(wire: Wire, shard: int) -> int:
    """Read a shard to its end. Returns how many records full answers held: the last one is not counted."""
    start = {"StreamName": _STREAM, "ShardId": f"shardId-{shard:012d}", "ShardIteratorType": "TRIM_HORIZON"}
    answer = wire.request("GetShardIterator", json.dumps(start).encode())
    records = 0
    while True:
        iterator = re.search(rb'ShardIterator":"([^"]+)"', answer)
        assert iterator
        answer = wire.request("GetRecords", b'{"ShardIterator":"%b","Limit":10000}' % iterator[1])
        if b'"MillisBehindLatest":0,' in answer:
            return records
        records += 10_000


def _boto3_puts(boto: Any, entries: list[dict[str, Any]]) -> float:
    started_s = time.process_time()
    for _ in range(_BOTO3_REQUESTS):
        boto.put_records(StreamName=_STREAM, Records=entries)
    return (time.process_time() - started_s) * 1e6 / (_BOTO3_REQUESTS * len(entries))


def _boto3_reads(boto: Any) -> float:
    kind = "TRIM_HORIZON"
    first = boto.get_shard_iterator(StreamName=_STREAM, ShardId="shardId-000000000000", ShardIteratorType=kind)
    iterator, records, started_s = first["ShardIterator"], 0, time.process_time()
    for _ in range(3):
        answer = boto.get_records(ShardIterator=iterator, Limit=10_000)
        iterator, records = answer["NextShardIterator"], records + len(answer["Records"])
    return (time.process_time() - started_s) * 1e6 / records


def _server_us(process: psutil.Process, load: Callable[[], int]) -> float:
    """Microseconds of the server's CPU for each of the records that `load` moves."""
    before = process.cpu_times()
    records = load()
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1e6 / records


def _boto3(port: int) -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-2",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=Config(retries={"total_max_attempts": 1}),
    )


@contextmanager
def _server() -> Iterator[tuple[psutil.Process, int]]:
    """The server as a process of its own, without limits, over a folder that goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-kinesis-"))
    try:
        with ServerProcess(folder, "--no-limits") as server:
            yield psutil.Process(server.pid), server.port
    finally:
        shutil.rmtree(folder, ignore_errors=True)
