"""Four real workers on eight shards: kill -9 every few seconds, splits and merges in between, answers lost.

200,000 orders in aggregates, as the agent sends them. Afterwards the account is at zero: every order that was sent is
in the lake or among the letters. Kills add nothing to that, because the chain of manifests is the checkpoint: whoever
repeats a span finds its manifest taken. So the only duplicates are those that are on the stream twice, the orders of
a request that the sender repeated because its answer was lost, and they are counted.
"""

import base64
import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import BotoCoreError

from consumers.settings import Cold, ColdFleet, ColdSettings, Identity
from consumers.sources.kinesis.checkpoints import SHARD_END
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from consumers.spans.chain import shards_of
from consumers.spans.testing import Chained
from contract.kpl.aggregate import OUTER_KEY, hash_key_of
from contract.kpl.writing import packed_together
from contract.stamp import Stamp
from infra.local.home import PROJECT
from infra.local.prepare import make_bucket
from infra.local.testing import local_stack
from loadtests.bench.orders import orders
from producers.agent.aggregating import AGGREGATE_BYTES
from producers.agent.pack import partition_key
from producers.agent.shard_map import ShardMap, shard_map
from runtime.aws import client
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Lake, Streams

pytestmark = pytest.mark.soak

NAME = "fleet"
ORDERS, WRONG_TOTALS = 200_000, 1_000
SHARDS, FEWEST, MOST = 8, 6, 14
WORKERS = 4
SEED = 20261127
TICK_S, ORDERS_A_TICK = 0.5, 1_200  # 83 s and more
AT_ONCE = 10  # aggregates a request
KILL_EVERY_S = (2.0, 6.0)
SPARED_S = 10.0  # a worker lives so long at least: to be killed in the middle of something, it has to begin it
RESHARD_EVERY_S = (6.0, 12.0)
TICKS_OF_A_MAP = 4  # the sender's map of the shards is up to two seconds old: aggregates with strays
LOST_ANSWERS = {"operation": "PutRecords", "fault": "drop_answer", "share": 0.03, "seed": 7}
SETTLED_WITHIN_S = 240.0

Entry = dict[str, Any]


class _Stamped(msgspec.Struct):
    sp: Stamp = msgspec.field(name="_sp")


class Sender:
    """Puts orders as the agent does: an aggregate a shard, each request again until it is answered."""

    def __init__(self, aws: Aws, rng: random.Random) -> None:
        self._kinesis: Any = client("kinesis", aws, attempts=1)
        self._rng = rng
        self._left = orders(ORDERS, wrong_totals=WRONG_TOTALS, unknown_skus=0)
        self._ticks = 0
        self._map: ShardMap | None = None
        self.sent = 0
        self.repeated = 0  # orders of requests whose answer was lost
        self.reshards = 0

    def tick(self) -> bool:
        """Send some more. False: there are none."""
        some = list(islice(self._left, ORDERS_A_TICK))
        if self._ticks % TICKS_OF_A_MAP == 0:
            self._map = shard_map(self._shards())
        self._ticks += 1
        assert self._map is not None
        keyed = [(partition_key(str(self.sent + n)), data) for n, data in enumerate(some)]
        parts: dict[int, list[tuple[str, bytes]]] = {}
        for record, shard in zip(keyed, self._map.shards_of([key for key, _ in keyed]), strict=True):
            parts.setdefault(shard, []).append(record)
        self._put([together for part in parts.values() for together in _aggregates(part)])
        self.sent += len(some)
        return bool(some)

    def _put(self, left: list[list[tuple[str, bytes]]]) -> None:
        while left:
            now = left[:AT_ONCE]
            try:
                answer = self._kinesis.put_records(StreamName=NAME, Records=[_entry(together) for together in now])
            except BotoCoreError:  # the answer is lost, the request had its effect
                self.repeated += sum(map(len, now))
                continue
            refused = [together for together, each in zip(now, answer["Records"], strict=True) if "ErrorCode" in each]
            left = refused + left[AT_ONCE:]
            if refused:
                time.sleep(0.1)

    def reshard(self) -> str:
        """One split, or one merge of neighbours."""
        shards = sorted(self._shards(), key=_first_hash_key)
        grow = len(shards) <= FEWEST or (len(shards) < MOST and self._rng.random() < 0.55)
        self.reshards += 1
        if grow:
            shard = self._rng.choice(shards)
            middle = (_first_hash_key(shard) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
            self._kinesis.split_shard(StreamName=NAME, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
            return f"split {shard['ShardId'][-3:]}"
        at = self._rng.randrange(len(shards) - 1)
        one, other = (shard["ShardId"] for shard in shards[at : at + 2])
        self._kinesis.merge_shards(StreamName=NAME, ShardToMerge=one, AdjacentShardToMerge=other)
        return f"merged {one[-3:]} and {other[-3:]}"

    def closed(self) -> set[str]:
        return {shard["ShardId"] for shard in self._listed()} - {shard["ShardId"] for shard in self._shards()}

    def _shards(self) -> list[dict[str, Any]]:
        """The open ones."""
        return [shard for shard in self._listed() if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]

    def _listed(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self._kinesis.list_shards(StreamName=NAME)["Shards"]
        return shards


def _entry(together: list[tuple[str, bytes]]) -> Entry:
    keys, data = zip(*together, strict=True)
    hash_key = str(hash_key_of(keys[0]))
    return {"Data": packed_together(keys, data), "PartitionKey": OUTER_KEY, "ExplicitHashKey": hash_key}


def _first_hash_key(shard: dict[str, Any]) -> int:
    return int(shard["HashKeyRange"]["StartingHashKey"])


def _aggregates(records: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    together: list[tuple[str, bytes]] = []
    size = 0
    for record in records:
        if size + len(record[1]) > AGGREGATE_BYTES:
            yield together
            together, size = [], 0
        together.append(record)
        size += len(record[1])
    yield together


class Workers:
    """`python -m consumers cold`, four times; who is killed has a successor at once."""

    def __init__(self, settings: ColdSettings, folder: Path, rng: random.Random) -> None:
        self._folder = folder
        self._rng = rng
        self._running: list[tuple[float, subprocess.Popen[bytes]]] = []  # since when; oldest first
        self.killed = 0
        self._file = folder / "cold.toml"
        tables = dataclasses.asdict(settings).items()
        self._file.write_text(
            "\n".join(f"[{name}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in of.items()) for name, of in tables)
        )
        for _ in range(WORKERS):
            self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "consumers", "cold", "--settings", str(self._file)]
        with (self._folder / "cold.log").open("ab") as log:
            self._running.append((time.monotonic(), subprocess.Popen(command, cwd=PROJECT, stderr=log)))

    def strike(self) -> None:
        """Kill one that may be killed, if there is one."""
        ripe = [each for each in self._running if time.monotonic() - each[0] >= SPARED_S]
        if not ripe:
            return
        chosen = self._rng.choice(ripe)
        self._running.remove(chosen)
        victim = chosen[1]
        assert victim.poll() is None, "a worker has ended by itself: see cold.log"
        victim.kill()
        victim.wait()
        self.killed += 1
        self._start()

    def stop(self) -> list[int]:
        """In good order. Their exit codes."""
        for _, worker in self._running:
            worker.send_signal(signal.SIGTERM)
        return [worker.wait(30) for _, worker in self._running]

    def kill(self) -> None:
        for _, worker in self._running:
            worker.kill()
            worker.wait()


class Stored:
    """What the chains of manifests make count."""

    def __init__(self, aws: Aws, lake: Lake) -> None:
        s3 = client("s3", aws)
        self._lake, self._restricted = S3Objects(s3, lake.bucket), S3Objects(s3, lake.restricted_bucket)

    def chains(self) -> list[Chained]:
        return [Chained(self._lake, self._restricted, NAME, shard) for shard in shards_of(self._lake, NAME)]

    def records(self) -> int:
        return sum(manifest.records for chain in self.chains() for manifest in chain.manifests)


@pytest.mark.timeout(600)
def test_the_account_is_at_zero_whoever_is_killed_and_however_the_stream_is_cut(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    with local_stack(tmp_path / "parts", parts=("kinesis", "ministack")) as endpoints:
        aws = endpoints.aws
        settings = settings_of(aws, tmp_path)
        kinesis = client("kinesis", aws)
        kinesis.create_stream(StreamName=NAME, ShardCount=SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
        set_faults(aws, [LOST_ANSWERS])
        sender, stored = Sender(aws, rng), Stored(aws, settings.lake)
        workers = Workers(settings, tmp_path, rng)
        try:
            send_all(sender, workers, rng)
            set_faults(aws, [])
            table = DynamoDbLeaseTable(client("dynamodb", aws), NAME)
            ended, wanted = sender.closed(), ORDERS + sender.repeated  # a finished lease is removed in the end
            took_s = wait_until(
                lambda: (
                    not any(row.shard_id in ended and row.checkpoint != SHARD_END for row in table.read_all())
                    and stored.records() >= wanted
                ),
                SETTLED_WITHIN_S,
            )
            assert workers.stop() == [0] * WORKERS
        finally:
            workers.kill()
        print(f"{workers.killed} kills, {sender.reshards} reshards, {len(ended)} shards ended, all in {took_s:.0f} s")
        chains = stored.chains()
        for chain in chains:
            chain.check()
        lines = Counter(_place(record.data) for chain in chains for record in chain.originals())
        manifests = [manifest for chain in chains for manifest in chain.manifests]
        rows, letters = (sum(manifest.rows(table) for manifest in manifests) for table in ("orders", "letters"))
    emitted = Counter(_place(data) for data in orders(ORDERS, wrong_totals=WRONG_TOTALS, unknown_skus=0))
    duplicates = lines.total() - len(lines)
    print(f"emitted {ORDERS}; rows {rows}, letters {letters}, of these {duplicates} duplicates")
    assert lines.keys() == emitted.keys()
    assert duplicates == sender.repeated
    assert rows + letters == ORDERS + duplicates
    assert WRONG_TOTALS <= letters <= WRONG_TOTALS + duplicates
    assert workers.killed > 10
    assert sender.reshards > 5


def settings_of(aws: Aws, folder: Path) -> ColdSettings:
    lake = Lake(bucket=f"{NAME}-lake", restricted_bucket=f"{NAME}-restricted")
    s3 = client("s3", aws)
    for bucket in (lake.bucket, lake.restricted_bucket):
        make_bucket(s3, bucket)
    key = folder / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    return ColdSettings(
        aws=aws,
        streams=Streams(transactions=NAME, access=""),
        lake=lake,
        identity=Identity(key=str(key)),
        cold_fleet=ColdFleet(failover_s=4.0, scan_s=0.5, poll_s=0.5, discover_s=10.0),
        cold=Cold(application=NAME, span_s=1.5),
    )


def set_faults(aws: Aws, rules: list[dict[str, Any]]) -> None:
    body = json.dumps(rules).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{aws.kinesis_endpoint}/faults", data=body, method="PUT"), timeout=10
    ) as answer:
        assert answer.status == 200


def send_all(sender: Sender, workers: Workers, rng: random.Random) -> None:
    """Until the last order is on the stream; meanwhile workers are killed, and shards split and merged."""
    began_s = time.monotonic()
    strike_s, reshard_s = began_s + 8.0, began_s + 5.0  # the first ones have started by then
    while sender.tick():
        now_s = time.monotonic()
        if now_s >= strike_s:
            workers.strike()
            strike_s = now_s + rng.uniform(*KILL_EVERY_S)
        if now_s >= reshard_s:
            print(
                f"{now_s - began_s:4.0f} s  {sender.reshard()}; {sender.sent} sent, {workers.killed} killed", flush=True
            )
            reshard_s = now_s + rng.uniform(*RESHARD_EVERY_S)
        time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))


def wait_until(holds: Any, within_s: float) -> float:
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < within_s, "it did not happen in time"
        time.sleep(2.0)
    return time.monotonic() - began_s


def _place(data: bytes) -> tuple[str, int]:
    stamp = msgspec.json.decode(data, type=_Stamped).sp
    return stamp.f, stamp.o
