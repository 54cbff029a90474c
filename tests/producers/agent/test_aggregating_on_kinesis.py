"""The agent on a Kinesis with its limits on, that throttles, fails, and reshards under its hands."""

import contextlib
import dataclasses
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.local.kinesis.process import ServerProcess
from producers.agent.running import opened
from producers.agent.settings import AgentSettings, Spooling
from producers.agent.state import read_ledger
from producers.agent.testing import is_heartbeat, original_of
from producers.agent.testing_kinesis import shards_of
from runtime.aws import client
from runtime.settings import Aws, Streams

pytestmark = pytest.mark.integration

STREAM = "orders"
WAIT_S = 60.0
CUSTOMERS = 40


class Kinesis:
    """One stream, and what is in it."""

    def __init__(self, server: ServerProcess, folder: Path, shards: int) -> None:
        """`folder` of the server's data."""
        self._server = server
        self._folder = folder
        self.url = server.url
        self.aws = Aws(kinesis_endpoint=server.url, access_key_id="local", secret_access_key="local")
        self.client = client("kinesis", self.aws)
        self.client.create_stream(StreamName=STREAM, ShardCount=shards)
        self.client.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def faults(self, *rules: dict[str, Any]) -> None:
        body = json.dumps([{"operation": "PutRecords", **rule} for rule in rules]).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/faults", data=body, method="PUT"), timeout=10
        ).close()

    def open_shards(self) -> list[Any]:
        shards = self.client.list_shards(StreamName=STREAM)["Shards"]
        found = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
        return sorted(found, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    def split(self) -> None:
        shard = self.open_shards()[0]
        first, last = (int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
        middle = str((first + last) // 2)
        self.client.split_shard(StreamName=STREAM, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)

    def merge(self) -> None:
        *_, one, other = self.open_shards()
        self.client.merge_shards(StreamName=STREAM, ShardToMerge=one["ShardId"], AdjacentShardToMerge=other["ShardId"])

    def stored(self) -> dict[str, list[tuple[str, bytes]]]:
        """By shard, in order: partition key and data of every line. The end of the stream's life."""
        assert self._server.stop() == 0
        with ServerProcess(self._folder, "--no-limits") as server:  # a reader would have to wait for the limits
            shards = shards_of(client("kinesis", dataclasses.replace(self.aws, kinesis_endpoint=server.url)), STREAM)
        return {
            shard_id: [(line.key, line.data) for line in lines if not is_heartbeat(line.data)]
            for shard_id, lines in shards.items()
        }


@pytest.fixture
def kinesis(tmp_path: Path) -> Iterator[Kinesis]:
    with ServerProcess(tmp_path / "kinesis") as server:
        yield Kinesis(server, tmp_path / "kinesis", shards=4)


@contextlib.contextmanager
def running(tmp_path: Path, kinesis: Kinesis, *, aggregate: bool) -> Iterator[None]:
    """The agent on the folder, as its command runs it, until the block ends."""
    settings = AgentSettings(
        aws=kinesis.aws,
        streams=Streams(transactions=STREAM),
        agent=Spooling(spool=str(tmp_path / "spool"), state=str(tmp_path / "state"), aggregate=aggregate),
    )
    stop = threading.Event()
    with opened(settings) as agent:
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def append(tmp_path: Path, first: int, last: int) -> None:
    (tmp_path / "spool").mkdir(exist_ok=True)
    with (tmp_path / "spool" / "a.ndjson").open("ab") as file:
        for number in range(first, last):
            file.write(b'{"customer_id":"C-%d","n":%d,"x":"%b"}\n' % (number % CUSTOMERS, number, b"x" * 300))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def acknowledged(tmp_path: Path) -> int:
    return read_ledger(tmp_path / "state").acknowledged_lines


def assert_delivered(tmp_path: Path, kinesis: Kinesis) -> dict[str, list[tuple[str, bytes]]]:
    """Every line that counts as acknowledged is there, byte for byte, and nothing else is."""
    content = (tmp_path / "spool" / "a.ndjson").read_bytes()
    (record,) = read_ledger(tmp_path / "state").files
    assert record.offset == len(content)
    expected, offset = {}, 0
    for line in content.split(b"\n")[:-1]:
        expected[record.file_id, offset] = line
        offset += len(line) + 1
    stored = kinesis.stored()
    arrived = {}
    for lines in stored.values():
        for _, data in lines:
            stamp, original = original_of(data)
            arrived[stamp.f, stamp.o] = original
    assert arrived == expected
    return stored


def assert_in_order(lines: list[tuple[str, bytes]]) -> None:
    newest: dict[str, int] = {}
    seen: set[int] = set()
    for key, data in lines:
        offset = original_of(data)[0].o
        if offset not in seen:
            assert newest.get(key, -1) < offset
            newest[key] = offset
            seen.add(offset)


FAULTS = [
    {"fault": "throttle", "share": 0.3, "seed": 1, "times": 40},
    {"fault": "internal", "share": 0.2, "seed": 2, "times": 4},
    {"fault": "reset", "share": 0.2, "seed": 3, "times": 4},
    {"fault": "drop_answer", "share": 0.2, "seed": 4, "times": 4},
    {"fault": "delay", "delay_s": 0.3, "share": 0.2, "seed": 5, "times": 4},
]


@pytest.mark.parametrize("aggregate", [True, False])
def test_every_line_arrives_through_faults(tmp_path: Path, kinesis: Kinesis, aggregate: bool) -> None:
    kinesis.faults(*FAULTS)
    with running(tmp_path, kinesis, aggregate=aggregate):
        for number in range(20):
            append(tmp_path, number * 200, (number + 1) * 200)
            time.sleep(0.1)
        until(lambda: acknowledged(tmp_path) == 4_000)
    stored = assert_delivered(tmp_path, kinesis)
    if aggregate:
        for lines in stored.values():
            assert_in_order(lines)


def test_every_line_arrives_while_shards_are_split_and_merged(tmp_path: Path, kinesis: Kinesis) -> None:
    kinesis.faults(*FAULTS)
    with running(tmp_path, kinesis, aggregate=True):
        for number, change in enumerate(
            [kinesis.split, kinesis.merge, kinesis.split, kinesis.split, kinesis.merge] * 2
        ):
            append(tmp_path, number * 400, (number + 1) * 400)
            time.sleep(0.05)
            change()
            time.sleep(0.2)
        until(lambda: acknowledged(tmp_path) == 4_000)
        time.sleep(1.1)
        append(tmp_path, 4_000, 8_000)
        until(lambda: acknowledged(tmp_path) == 8_000)
    shards = {shard["ShardId"] for shard in kinesis.open_shards()}
    stored = assert_delivered(tmp_path, kinesis)
    for shard_id, lines in stored.items():  # what came after the last reshard
        late = [line for line in lines if msgspec.json.decode(line[1])["n"] >= 4_000]
        assert not late or shard_id in shards
        assert_in_order(late)


def test_a_backlog_goes_at_the_shards_pace_and_hardly_one_is_refused(tmp_path: Path, kinesis: Kinesis) -> None:
    append(tmp_path, 0, 24_000)  # 11 MB: 2.7 s of four shards
    began = time.monotonic()
    with running(tmp_path, kinesis, aggregate=True):
        until(lambda: acknowledged(tmp_path) == 24_000)
    assert 2.0 < time.monotonic() - began < 10.0
    assert_delivered(tmp_path, kinesis)
