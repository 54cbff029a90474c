"""Worker processes that share one stream: even shares, a quick hand-over, and nothing lost when one is killed."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.table import DynamoDbLeaseTable
from infra.local.home import PROJECT
from runtime.aws import client
from runtime.settings import Aws

pytestmark = pytest.mark.integration

WORKER = Path(__file__).with_name("reading_worker.py")
SHARDS = 4
FAILOVER_S = 3.0
SCAN_S = 0.5
POLL_S = 0.25
SETTINGS = {"failover_s": FAILOVER_S, "scan_s": SCAN_S, "poll_s": POLL_S, "checkpoint_s": 1.0}
SLACK_S = 1.5  # two busy cores


class Fleet:
    """One application with a stream of four shards; its workers are processes."""

    def __init__(self, aws: Aws, stream: str, folder: Path) -> None:
        self._aws = aws
        self._folder = folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._sent = 0
        self.name = stream
        self._kinesis: Any = client("kinesis", aws)
        self.table = DynamoDbLeaseTable(client("dynamodb", aws), self.name)
        self.table.ensure()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        arguments = [self._aws.kinesis_endpoint, self._aws.endpoint, self.name, self.name, str(self._out(name))]
        settings = json.dumps({**SETTINGS, "worker": name})
        with (self._folder / f"{name}.log").open("ab") as log:
            self._workers[name] = subprocess.Popen(
                [sys.executable, str(WORKER), *arguments, settings], cwd=PROJECT, env={"PYTHONPATH": "."}, stderr=log
            )
        return self._workers[name]

    def put(self, count: int) -> None:
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        entries = [{"Data": b"r-%d" % number, "PartitionKey": str(number)} for number in numbers]
        answer = self._kinesis.put_records(StreamName=self.name, Records=entries)
        assert answer["FailedRecordCount"] == 0

    def accepted(self, *names: str) -> list[tuple[str, str, float]]:
        """(shard, payload, when) of all whole lines."""
        lines = [line for name in names if self._out(name).exists() for line in self._out(name).open()]
        fields = [line.split() for line in lines if line.endswith("\n")]
        return [(shard, payload, float(when)) for shard, payload, when in fields]

    def missing(self, *names: str) -> set[str]:
        return {f"r-{number}" for number in range(self._sent)} - {payload for _, payload, _ in self.accepted(*names)}

    def shares(self) -> dict[str, int]:
        """Shards by worker name."""
        return Counter(lease.owner.rpartition("-")[0] for lease in self.table.read_all() if lease.owner)

    def stop(self) -> None:
        for worker in self._workers.values():
            if worker.poll() is None:
                worker.kill()
                worker.wait()

    def _out(self, name: str) -> Path:
        return self._folder / f"{name}.out"


@pytest.fixture
def fleet(aws: Aws, new_stream: Callable[[int], str], tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(aws, new_stream(SHARDS), tmp_path)
    try:
        yield fleet
    finally:
        fleet.stop()


def wait_for(condition: Callable[[], bool], patience_s: float = 30.0) -> float:
    """Seconds until `condition` held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < patience_s, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - started


def sequences(leases: list[Lease]) -> int:
    return sum(1 for lease in leases if lease.checkpoint.position)


def test_two_workers_end_with_two_shards_each_and_read_everything_once(fleet: Fleet) -> None:
    fleet.start("a")
    fleet.start("b")
    wait_for(lambda: fleet.shares() == {"a": 2, "b": 2})
    time.sleep(2 * SCAN_S)  # time for a worker that was robbed to see it
    fleet.put(400)
    wait_for(lambda: not fleet.missing("a", "b"))
    time.sleep(4 * POLL_S)  # time to deliver something twice
    assert len(fleet.accepted("a", "b")) == 400
    assert len({shard for shard, _, _ in fleet.accepted("a")}) == 2


def test_a_killed_workers_shards_are_read_on_within_the_failover_and_one_look(fleet: Fleet) -> None:
    victim = fleet.start("a")
    fleet.start("b")
    wait_for(lambda: fleet.shares() == {"a": 2, "b": 2})
    for _ in range(20):
        fleet.put(50)
        time.sleep(0.05)
    victim.kill()
    victim.wait()
    for _ in range(10):
        fleet.put(50)
    took_s = wait_for(lambda: not fleet.missing("a", "b"))
    assert took_s < FAILOVER_S + 2 * SCAN_S + POLL_S + SLACK_S
    assert fleet.shares() == {"b": 4}
    repeated = len(fleet.accepted("a", "b")) - 1500
    assert 0 <= repeated <= 1000  # what was not checkpointed yet, never more than was sent before the kill


def test_a_worker_stopped_in_good_order_is_succeeded_within_two_seconds(fleet: Fleet) -> None:
    first = fleet.start("a")
    fleet.put(100)
    wait_for(lambda: not fleet.missing("a"))
    fleet.start("b")
    wait_for(lambda: fleet.shares() == {"a": 2, "b": 2})
    first.terminate()
    fleet.put(100)
    assert first.wait(10) == 0
    assert wait_for(lambda: not fleet.missing("a", "b")) < 2.0
    assert fleet.shares() == {"b": 4}


def test_a_lone_worker_that_is_killed_goes_on_where_its_checkpoints_are(fleet: Fleet) -> None:
    first = fleet.start("a")
    fleet.put(200)
    wait_for(lambda: not fleet.missing("a"))
    wait_for(lambda: sequences(fleet.table.read_all()) == SHARDS)
    time.sleep(2 * SETTINGS["checkpoint_s"])
    first.kill()
    first.wait()
    fleet.put(200)
    fleet.start("b")
    wait_for(lambda: not fleet.missing("a", "b"))
    assert len(fleet.accepted("b")) == 200  # all before was checkpointed, nothing comes again
