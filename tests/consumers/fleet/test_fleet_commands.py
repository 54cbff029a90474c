"""The commands as operators meet them, against workers on the real lease table and stream."""

import datetime as dt
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumers.__main__ import consumers
from consumers.delivery import Batch, Position
from consumers.fleet.metrics import FLEET_METRICS
from consumers.fleet.standby import StandbySource
from consumers.fleet.testing import owners
from consumers.fleet.wishes import DynamoDbWishes
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import kinesis_source
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.metrics import CloudWatchSink, Sample
from runtime.settings import Aws

pytestmark = pytest.mark.integration

FLEET = KinesisSourceSettings(failover_s=2.4, scan_s=0.2, poll_s=0.25, checkpoint_s=0.3)
LOOK_S = 0.3
PATIENCE_S = 20.0


class CountingPath:
    """Durable at once; counts what it was given, by payload."""

    def __init__(self, seen: "Counter[bytes]") -> None:
        self._seen = seen
        self._end: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        self._seen.update(record.data for record in batch.records)
        self._end = batch.end
        return self._end

    def tick(self) -> Position | None:
        return self._end

    def settle(self) -> Position | None:
        return self._end


class Fleet:
    """One application with workers in threads, and the commands as processes."""

    def __init__(self, aws: Aws, stream: str, folder: Path) -> None:
        self.aws, self.stream = aws, stream
        self.name = f"fleet-{uuid.uuid4().hex[:8]}"
        self.seen: Counter[bytes] = Counter()
        self.kinesis: Any = client("kinesis", aws)
        self.table = DynamoDbLeaseTable(client("dynamodb", aws), self.name)
        self.table.ensure()
        self._file = folder / "settings.toml"
        self._file.write_text(self._settings())
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def work(self) -> StandbySource:
        source = StandbySource(
            lambda: kinesis_source(aws=self.aws, stream=self.stream, application=self.name, settings=FLEET),
            DynamoDbWishes(client("dynamodb", self.aws), self.name),
            SystemClock(),
            name=self.name,
            look_s=LOOK_S,
        )
        thread = threading.Thread(target=source.run, args=(lambda shard: CountingPath(self.seen), self._stop))
        thread.start()
        self._threads.append(thread)
        return source

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def put(self, *payloads: bytes) -> None:
        for payload in payloads:
            self.kinesis.put_record(StreamName=self.stream, Data=payload, PartitionKey=payload.decode())

    def run(self, *arguments: str) -> Result:
        verb, *options = arguments
        return CliRunner().invoke(consumers, [verb, "--settings", str(self._file), *options])

    def status(self, *options: str) -> tuple[int, dict[str, Any]]:
        done = self.run("status", "--application", self.name, "--json", *options)
        return done.exit_code, json.loads(done.stdout)["applications"][0]

    def _settings(self) -> str:
        return f"""
[aws]
kinesis_endpoint = "{self.aws.kinesis_endpoint}"
endpoint = "{self.aws.endpoint}"
access_key_id = "{self.aws.access_key_id}"
secret_access_key = "{self.aws.secret_access_key}"
[streams]
transactions = "{self.stream}"
access = ""
[live]
application = "{self.name}"
[fleet]
failover_s = {FLEET.failover_s}
scan_s = {FLEET.scan_s}
[operations]
look_s = {LOOK_S}
"""


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The commands hear signals; tests go on without."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def fleet(aws: Aws, new_stream: Callable[[int], str], tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(aws, new_stream(2), tmp_path)
    try:
        yield fleet
    finally:
        fleet.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s, "it did not happen in time"
        time.sleep(0.05)


def test_from_a_first_look_to_a_rewind_and_back(fleet: Fleet) -> None:
    code, found = fleet.status("--quick")
    assert (code, found["wrong"]) == (1, ["no worker has ever read the stream: there are no leases"])

    workers = [fleet.work(), fleet.work()]
    fleet.put(*(b"early-%d" % number for number in range(20)))
    wait_for(lambda: len(fleet.seen) == 20)
    time.sleep(0.05)  # arrivals are told by the millisecond
    since = dt.datetime.now(dt.UTC)
    fleet.put(*(b"late-%d" % number for number in range(20)))
    wait_for(lambda: len(fleet.seen) == 40)
    wait_for(lambda: set(owners(fleet.table).values()) == {worker.worker_id for worker in workers})
    time.sleep(2 * FLEET.checkpoint_s)

    code, found = fleet.status()
    assert (code, found["wrong"], found["notes"]) == (0, [], [])
    assert {worker["worker"]: worker["shards"] for worker in found["workers"]} == {
        worker.worker_id: 1 for worker in workers
    }
    assert [(shard["state"], shard["lag_ms"], shard["lag_records"]) for shard in found["shards"]] == [
        ("owned", 0, 0)
    ] * 2
    assert all(0 < shard["checkpoint_age_s"] < 60 for shard in found["shards"])

    to = ["--application", fleet.name, "--to", since.isoformat()]
    refused = fleet.run("rewind", *to, "--write")
    assert refused.exit_code == 1, refused.stderr
    assert "workers that live" in refused.stdout

    text = fleet.run("status", "--application", fleet.name).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1] == "healthy"

    drained = fleet.run("drain", "--application", fleet.name)
    assert drained.exit_code == 0, drained.stdout + drained.stderr
    assert set(owners(fleet.table).values()) == {None}
    fleet.put(b"meanwhile")
    code, found = fleet.status()
    assert code == 1
    assert found["wrong"][0].startswith("2 shards without an owner")
    assert found["notes"] == ["its workers were told to stand by: `drain --resume` lets them read"]
    assert sum(shard["lag_records"] for shard in found["shards"]) == 1

    before = dict(fleet.seen)
    shown = fleet.run("rewind", *to, "--json")
    assert shown.exit_code == 0, shown.stderr
    plan = json.loads(shown.stdout)
    assert sum(shard["records"] for shard in plan["shards"] if shard["to"]) == 20
    assert not plan["written"]
    written = fleet.run("rewind", *to, "--write")
    assert written.exit_code == 0, written.stdout + written.stderr
    assert fleet.seen == before

    assert fleet.run("drain", "--application", fleet.name, "--resume").exit_code == 0
    late, early = ([b"%s-%d" % (name, number) for number in range(20)] for name in (b"late", b"early"))
    wait_for(lambda: b"meanwhile" in fleet.seen and all(fleet.seen[each] > before[each] for each in late))
    assert all(fleet.seen[each] == before[each] for each in early)


def test_one_worker_is_drained_and_the_other_takes_its_shards(fleet: Fleet) -> None:
    workers = [fleet.work(), fleet.work()]
    names = [worker.worker_id for worker in workers]
    wait_for(lambda: sorted(map(str, owners(fleet.table).values())) == sorted(names))
    done = fleet.run("drain", "--worker", names[0], "--json")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["drained"]
    wait_for(lambda: set(owners(fleet.table).values()) == {names[1]})
    unknown = fleet.run("drain", "--worker", "nobody-1")
    assert isinstance(unknown.exception, ConfigError)
    assert names[1] in str(unknown.exception)


def test_a_split_is_shown_as_a_tree_and_a_dead_worker_as_silent(fleet: Fleet) -> None:
    fleet.put(b"a")
    description = fleet.kinesis.list_shards(StreamName=fleet.stream)["Shards"]
    first = int(description[0]["HashKeyRange"]["EndingHashKey"])
    worker = fleet.work()
    wait_for(lambda: set(owners(fleet.table).values()) == {worker.worker_id})
    fleet.stop()
    dead = [fleet.table.take(lease, "dead-1") for lease in fleet.table.read_all()]
    fleet.kinesis.split_shard(
        StreamName=fleet.stream, ShardToSplit=description[0]["ShardId"], NewStartingHashKey=str(first // 2)
    )
    code, found = fleet.status()
    assert code == 1
    assert found["wrong"][0].startswith(f"{len(dead)} shards whose owner no longer renews")
    assert [(shard["state"], shard["depth"]) for shard in found["shards"]] == [
        ("silent", 0),
        ("waits", 1),
        ("waits", 1),
        ("silent", 0),
    ]


@pytest.mark.parametrize("verb", ["status", "drain", "rewind"])
def test_what_cannot_be_reached_is_said_with_exit_code_3(tmp_path: Path, verb: str) -> None:
    nowhere = "http://127.0.0.1:9"
    (tmp_path / "dead.toml").write_text(
        f'[aws]\nkinesis_endpoint = "{nowhere}"\nendpoint = "{nowhere}"\naccess_key_id = "1"\nsecret_access_key = "x"\n'
    )
    options = ["--application", "storepulse-live-transactions", "--to", "2026-01-01"] if verb == "rewind" else []
    done = CliRunner().invoke(consumers, [verb, "--settings", str(tmp_path / "dead.toml"), *options])
    assert done.exit_code == 3, done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["status", "--application", "nope"], "no application 'nope'"),
        (["rewind", "--application", "storepulse-cold-transactions", "--to", "2026-01-01"], "chains of manifests"),
        (["rewind", "--application", "storepulse-live-transactions", "--to", "2999-01-01"], "in the future"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_what_to_change(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "empty.toml").write_text("")
    verb, *options = arguments
    done = CliRunner().invoke(consumers, [verb, "--settings", str(tmp_path / "empty.toml"), *options])
    assert isinstance(done.exception, ConfigError)
    assert says in str(done.exception)


def test_as_a_process_it_exits_with_2_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    command = [sys.executable, "-m", "consumers", "status", "--settings", str(tmp_path / "empty.toml")]
    done = subprocess.run([*command, "--application", "nope"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_cloudwatch_takes_what_is_published(aws: Aws) -> None:
    namespace = f"Fleet/{uuid.uuid4().hex[:8]}"
    sample = Sample({"Application": "app", "Shard": "s-0"}, {"Records": [12], "AcceptTime": [1.5, 2.5], "Lag": []})
    cloudwatch = client("cloudwatch", aws)
    CloudWatchSink(cloudwatch, namespace, FLEET_METRICS).put([sample], dt.datetime.now(dt.UTC))
    found = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert {metric["MetricName"] for metric in found} == {"Records", "AcceptTime"}
    assert {dimension["Value"] for metric in found for dimension in metric["Dimensions"]} == {"app", "s-0"}


def test_drain_can_wait_until_the_streams_end_of_now_is_durable(fleet: Fleet) -> None:
    fleet.put(b"a", b"b")
    behind = fleet.run("drain", "--application", fleet.name, "--caught-up", "--timeout", "0.1")
    assert behind.exit_code == 1
    assert "nobody was told to stop" in behind.stderr
    fleet.work()
    wait_for(lambda: len(owners(fleet.table)) == 2)
    done = fleet.run("drain", "--application", fleet.name, "--caught-up")
    assert done.exit_code == 0, done.output
    assert set(fleet.seen) == {b"a", b"b"}
    assert set(owners(fleet.table).values()) == {None}
