"""Both ways of reading on the real part: faults on the way, a split, a mute subscription, a server that is killed."""

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.delivery import Path as DeliveryPath
from consumers.delivery import Shard
from consumers.sources.kinesis.allowance import Allowance
from consumers.sources.kinesis.fan_out import FanOuts
from consumers.sources.kinesis.intake import Intakes
from consumers.sources.kinesis.polling import Polls
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.source import KinesisSource
from consumers.sources.kinesis.stream import KinesisStream
from consumers.sources.kinesis.subscriptions import KinesisConsumer
from consumers.sources.kinesis.testing import InMemoryLeaseTable, fixed_random
from consumers.sources.testing import ScriptedPath
from infra.local.kinesis.process import ServerProcess
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.settings import Aws

pytestmark = pytest.mark.integration

STREAM = "orders"
MUTE_S = 2.0  # less than the server's own beat: only streams that somebody writes to are not mute
POLL_S = 0.25


class Local:
    """A server of its own, and a source that reads one stream of it until the end of the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ServerProcess(folder)
        self.port = self._server.port
        self.aws = Aws(kinesis_endpoint=self._server.url, access_key_id="123456789012", secret_access_key="local")
        self.kinesis: Any = client("kinesis", self.aws, attempts=5)
        self.paths: list[ScriptedPath] = []
        self.allowance = Allowance(64 << 20)
        self.table = InMemoryLeaseTable()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._sent = 0
        self._sending = threading.Lock()

    def create(self, shards: int) -> None:
        self.kinesis.create_stream(StreamName=STREAM, ShardCount=shards)

    def faults(self, *rules: dict[str, Any]) -> None:
        request = urllib.request.Request(f"{self._server.url}/faults", msgspec.json.encode(rules), method="PUT")
        with urllib.request.urlopen(request):
            pass

    def kill(self) -> None:
        self._server.kill()

    def start_again(self) -> None:
        self._server = ServerProcess(self._folder, port=self.port)

    def put(self, count: int) -> None:
        with self._sending:
            numbers = range(self._sent, self._sent + count)
            entries = [{"Data": b"r-%d" % number, "PartitionKey": str(number)} for number in numbers]
            assert self.kinesis.put_records(StreamName=STREAM, Records=entries)["FailedRecordCount"] == 0
            self._sent += count

    def read(self, intakes: Intakes, poll_s: float = POLL_S) -> KinesisSource:
        settings = KinesisSourceSettings(poll_s=poll_s, scan_s=0.2, checkpoint_s=0.5)
        source = KinesisSource(
            stream=KinesisStream(client("kinesis", self.aws, attempts=1), STREAM),
            table=self.table,
            settings=settings,
            clock=SystemClock(),
            rng=fixed_random(),
            intakes=intakes,
        )
        self._thread = threading.Thread(target=source.run, args=(self._open, self._stop))
        self._thread.start()
        return source

    def polls(self) -> Intakes:
        polled = KinesisStream(client("kinesis", self.aws, attempts=1), STREAM)
        return Polls(polled, self.allowance, poll_s=POLL_S, clock=SystemClock(), rng=fixed_random())

    def fan_outs(self, mute_s: float = 35.0) -> Intakes:
        heard = client("kinesis", self.aws, attempts=1, read_timeout_s=mute_s + 5)
        consumer = KinesisConsumer(heard, STREAM, "live")
        clock, rng = SystemClock(), fixed_random()
        return FanOuts(consumer, self.allowance, mute_s=mute_s, look_s=POLL_S, clock=clock, rng=rng)

    def _open(self, shard: Shard) -> DeliveryPath:
        self.paths.append(ScriptedPath())
        return self.paths[-1]

    @property
    def payloads(self) -> list[bytes]:
        return [payload for path in self.paths for payload in path.payloads]

    def await_all(self, patience_s: float = 30.0) -> None:
        """Until every record was delivered; none was twice."""
        wanted = {b"r-%d" % number for number in range(self._sent)}
        wait_for(lambda: wanted <= set(self.payloads), patience_s)
        assert len(self.payloads) == len(wanted)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)
            assert not self._thread.is_alive()
        self._server.__exit__()
        assert self.allowance.held_bytes == 0
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("listen ", "ahead "))]
        assert left == []


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "kinesis")
    try:
        yield local
    finally:
        local.close()


def wait_for(condition: Callable[[], bool], patience_s: float = 30.0) -> None:
    end_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)


def test_polls_meet_throttles_resets_and_errors_and_lose_nothing(local: Local) -> None:
    local.create(2)
    local.faults(
        {"operation": "GetRecords", "fault": "throttle", "share": 0.3},
        {"operation": "GetRecords", "fault": "reset", "share": 0.3, "seed": 1},
        {"operation": "GetRecords", "fault": "drop_answer", "share": 0.3, "seed": 2},
        {"operation": "GetShardIterator", "fault": "internal", "times": 1},
    )
    source = local.read(local.polls())
    for _ in range(5):
        local.put(100)
        time.sleep(0.2)
    local.await_all()
    local.faults()
    wait_for(lambda: all(status.millis_behind == 0 for status in source.status()))


def test_news_come_by_subscription_at_once_also_to_a_reader_that_seldom_looks(local: Local) -> None:
    local.create(1)
    intakes = FanOuts(
        KinesisConsumer(client("kinesis", local.aws, attempts=1), STREAM, "live"),
        local.allowance,
        mute_s=35,
        look_s=10,
        clock=SystemClock(),
        rng=fixed_random(),
    )
    local.put(1)
    local.read(intakes)
    local.await_all()
    for _ in range(5):
        local.put(1)
        wait_for(lambda: len(local.payloads) == local._sent, 1.0)


def test_a_split_under_fan_out_delivers_everything_once_and_the_parent_ends(local: Local) -> None:
    local.create(1)
    local.put(200)
    local.read(local.fan_outs())
    wait_for(lambda: len(local.payloads) == 200)
    parent = "shardId-000000000000"
    local.kinesis.split_shard(StreamName=STREAM, ShardToSplit=parent, NewStartingHashKey=str(2**127))
    local.put(200)
    local.await_all()
    assert len(local.paths) == 3
    leases = {lease.shard_id: lease for lease in local.table.read_all()}
    assert leases[parent].checkpoint.text == "SHARD_END"
    assert leases[parent].children == set(leases) - {parent}


def test_a_subscription_that_goes_mute_or_breaks_off_is_replaced_and_nothing_is_lost(
    local: Local, caplog: pytest.LogCaptureFixture
) -> None:
    local.create(1)
    local.faults(
        {"operation": "SubscribeToShard", "fault": "mute", "times": 1, "delay_s": 0.3},
        {"operation": "SubscribeToShard", "fault": "break", "times": 1, "delay_s": 0.3},
    )
    local.read(local.fan_outs(mute_s=MUTE_S))
    began_s = time.monotonic()
    while time.monotonic() < began_s + 2 * MUTE_S:
        local.put(5)
        time.sleep(0.1)
    local.await_all()
    assert "no event for 2 s; subscribing again" in caplog.text
    assert "the subscription broke off" in caplog.text


@pytest.mark.parametrize("mode", ["polls", "fan_outs"])
def test_a_server_that_is_killed_is_waited_for_and_read_on(
    local: Local, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    local.create(1)
    local.put(100)
    local.read(getattr(local, mode)())
    wait_for(lambda: len(local.payloads) == 100)
    local.kill()
    wait_for(lambda: "waiting, nothing is lost" in caplog.text)
    local.start_again()
    local.put(100)
    local.await_all()
    assert "well again" in caplog.text


def test_a_stop_ends_a_quiet_subscription_at_once(local: Local) -> None:
    local.create(2)
    local.put(50)
    local.read(local.fan_outs())
    wait_for(lambda: len(local.payloads) == 50)
    began_s = time.monotonic()
    local._stop.set()
    assert local._thread is not None
    local._thread.join(5)
    assert time.monotonic() - began_s < 1.0
    assert [lease.owner for lease in local.table.read_all()] == [None, None]
