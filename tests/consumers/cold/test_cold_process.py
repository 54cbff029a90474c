"""`run_cold` on real parts: a stream, a lease table, two buckets."""

import base64
import dataclasses
import json
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from consumers.cold import Buckets, ColdPath, Limits
from consumers.cold_process import await_buckets, run_cold
from consumers.cold_testing import APPLICATION, access_line
from consumers.settings import Cold, ColdFleet, ColdSettings, Identity
from consumers.spans.budget import Budget
from consumers.spans.chain import shards_of
from consumers.spans.span import Author
from consumers.spans.testing import Chained
from consumers.stages.testing import SHARD, encoded, heartbeat, judge, order
from consumers.tally import Tally
from consumers.testing import PathConformance
from infra.local.prepare import make_stream
from infra.local.testing import local_stack
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.objects.s3 import S3Objects
from runtime.outage import Outage
from runtime.settings import Aws, Lake, Streams
from runtime.testing import ManualClock, StopAfter

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The two parts that cold stands on; without the others they start in a second."""
    with local_stack(tmp_path_factory.mktemp("cold"), parts=("kinesis", "ministack")) as endpoints:
        yield endpoints.aws


def make_buckets(aws: Aws, name: str) -> Lake:
    lake = Lake(bucket=f"{name}-lake", restricted_bucket=f"{name}-restricted")
    s3 = client("s3", aws)
    for bucket in (lake.bucket, lake.restricted_bucket):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    return lake


def settings_of(aws: Aws, name: str, lake: Lake, folder: Path) -> ColdSettings:
    key = folder / "identity.key"
    key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
    return ColdSettings(
        aws=aws,
        streams=Streams(transactions=name, access=""),
        lake=lake,
        identity=Identity(key=str(key)),
        cold_fleet=ColdFleet(poll_s=0.25, scan_s=0.2, failover_s=2.0),
        cold=Cold(application=name, span_s=0.5, start_patience_s=1.0),
    )


class _Shop:
    """A stream with orders in it, one record each, and what cold has made of them."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.name = f"cold-{uuid.uuid4().hex[:8]}"
        self.lake = make_buckets(aws, self.name)
        self.settings = settings_of(aws, self.name, self.lake, folder)
        self._kinesis = client("kinesis", aws)
        self._s3 = client("s3", aws)
        make_stream(self._kinesis, self.name)

    def emit(self, first: int, count: int) -> None:
        """Orders with their numbers as offsets; every tenth has the wrong total. And one heartbeat."""
        numbers = range(first, first + count)
        now = datetime.now(UTC).isoformat()
        events = [
            encoded(order(event_id=f"e-{n}", event_time=now, total=2025 if n % 10 else 1), offset=n) for n in numbers
        ]
        events.append(msgspec.json.encode(heartbeat(lines=first + count)))
        self.put(self.name, events)

    def put(self, stream: str, contents: Sequence[bytes]) -> None:
        """Each a record of its own."""
        records = [{"Data": data, "PartitionKey": f"{n % 7}"} for n, data in enumerate(contents)]
        assert self._kinesis.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0

    @property
    def chains(self) -> list[Chained]:
        return self.chains_of(self.name)

    def chains_of(self, application: str) -> list[Chained]:
        lake, restricted = (S3Objects(self._s3, bucket) for bucket in (self.lake.bucket, self.lake.restricted_bucket))
        return [Chained(lake, restricted, application, shard_id) for shard_id in shards_of(lake, application)]

    def found(self) -> tuple[int, int, int]:
        """Orders, letters and heartbeats that manifests name."""
        orders, _, letters, heartbeats = self.rows_of(self.name)
        return orders, letters, heartbeats

    def rows_of(self, application: str) -> tuple[int, ...]:
        """Orders, hits, letters and heartbeats."""
        manifests = [manifest for chain in self.chains_of(application) for manifest in chain.manifests]
        tables = ("orders", "hits", "letters", "account")
        return tuple(sum(manifest.rows(table) for manifest in manifests) for table in tables)


@pytest.fixture
def shop(aws: Aws, tmp_path: Path) -> _Shop:
    return _Shop(aws, tmp_path)


def until(holds: Callable[[], bool], within_s: float = 30.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def start(shop: _Shop, tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts the command; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []
    file = tmp_path / "settings.toml"
    tables = dataclasses.asdict(shop.settings).items()
    file.write_text(
        "\n".join(f"[{name}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in of.items()) for name, of in tables)
    )

    def begin() -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "consumers", "cold", "--settings", str(file)]
        running.append(subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def run_until(shop: _Shop, found: tuple[int, int, int]) -> None:
    stop = threading.Event()
    cold = threading.Thread(target=run_cold, args=(shop.settings, stop))
    cold.start()
    try:
        assert until(lambda: shop.found() == found), shop.found()
    finally:
        stop.set()
        cold.join()


@pytest.mark.integration
def test_every_record_is_in_the_lake_and_a_successor_goes_on(shop: _Shop) -> None:
    shop.emit(0, 100)
    run_until(shop, (90, 10, 1))
    shop.emit(100, 100)
    run_until(shop, (180, 20, 2))
    for chain in shop.chains:
        chain.check()
    ids = [row["event_id"] for chain in shop.chains for row in chain.rows("orders")]
    assert sorted(ids) == sorted(f"e-{n}" for n in range(200) if n % 10)


@pytest.mark.integration
def test_both_streams_end_in_chains_of_their_own(shop: _Shop) -> None:
    site = f"{shop.name}-access"
    make_stream(client("kinesis", shop.settings.aws), site)
    shop.settings = dataclasses.replace(
        shop.settings,
        streams=Streams(transactions=shop.name, access=site),
        cold=dataclasses.replace(shop.settings.cold, access_application=site),
    )
    shop.emit(0, 100)
    lines = [access_line(n) for n in range(200)]
    shop.put(site, [*lines, b"no line", msgspec.json.encode(heartbeat(kind="access"))])
    stop = threading.Event()
    cold = threading.Thread(target=run_cold, args=(shop.settings, stop))
    cold.start()
    try:
        assert until(lambda: shop.found() == (90, 10, 1) and shop.rows_of(site) == (0, 200, 1, 1)), shop.rows_of(site)
    finally:
        stop.set()
        cold.join()
    for chain in (*shop.chains_of(shop.name), *shop.chains_of(site)):
        chain.check()
    found = [row["path"] for chain in shop.chains_of(site) for row in chain.rows("hits")]
    assert sorted(found) == sorted(f"/{n}" for n in range(200))


@pytest.mark.integration
def test_after_a_kill_the_next_process_goes_on_at_the_end_of_the_chain(
    shop: _Shop, start: Callable[[], "subprocess.Popen[str]"]
) -> None:
    shop.emit(0, 100)
    killed = start()
    assert until(lambda: shop.found()[0] > 0), shop.found()
    shop.emit(100, 400)
    killed.kill()
    killed.communicate()
    stopped = start()
    assert until(lambda: shop.found() == (450, 50, 2)), shop.found()
    stopped.send_signal(signal.SIGTERM)
    _, log = stopped.communicate(timeout=20)
    assert stopped.returncode == 0, log
    assert "arrival to manifest" in log
    for chain in shop.chains:
        chain.check()
    ids = [row["event_id"] for chain in shop.chains for row in chain.rows("orders")]
    assert sorted(ids) == sorted(f"e-{n}" for n in range(500) if n % 10)


@pytest.mark.integration
@pytest.mark.parametrize("setting", ["bucket", "restricted_bucket"])
def test_a_bucket_that_is_not_there_ends_the_start_with_what_to_change(shop: _Shop, setting: str) -> None:
    lake = dataclasses.replace(shop.lake, **{setting: "no-such-one"})
    with pytest.raises(ConfigError, match=rf"no-such-one.*\[lake\] {setting}$"):
        run_cold(dataclasses.replace(shop.settings, lake=lake), threading.Event())


@pytest.mark.unit
def test_s3_is_waited_for_at_the_start_and_not_for_ever() -> None:
    clock = ManualClock()
    troubles = [Outage("no connection")] * 3

    def check() -> None:
        if troubles:
            raise troubles.pop()

    assert await_buckets([check], Cold(), StopAfter(100, clock), clock, random.Random(7))
    troubles += [Outage("no connection")] * 10_000
    with pytest.raises(ConfigError, match=r"\[aws\] endpoint; \[cold\] start_patience_s"):
        await_buckets([check], Cold(), StopAfter(10_000, clock), clock, random.Random(7))


class _RealEffects:
    def __init__(self, aws: Aws, lake: Lake) -> None:
        s3 = client("s3", aws)
        away = Aws(region=aws.region, endpoint="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
        self._away = client("s3", away, attempts=1)
        self._lake, restricted = S3Objects(s3, lake.bucket), S3Objects(s3, lake.restricted_bucket)
        self._chained = Chained(self._lake, restricted, APPLICATION, SHARD.shard_id)
        self._s3 = s3
        self.path = ColdPath(
            SHARD,
            judge(),
            Buckets(lake=self._lake, restricted=restricted),
            author=Author(APPLICATION, "w-1"),
            limits=Limits(nbytes=1 << 20, records=1_000, parts=64, age_s=20.0),
            budget=Budget(1 << 30),
            tally=Tally(),
            clock=SystemClock(),
            rng=random.Random(),
        )

    def identities(self) -> Collection[str]:
        self._chained.check()
        return [row["event_id"] for row in self._chained.rows("orders")]

    def trouble_once(self) -> None:
        self.path.resume(None)
        put, objects = S3Objects.put, self._lake

        def fail_once(key: str, body: bytes) -> None:
            del objects.put
            put(S3Objects(self._away, objects.bucket), key, body)

        objects.put = fail_once  # type: ignore[method-assign]


@pytest.mark.integration
class TestColdPathOnS3(PathConformance):
    @pytest.fixture
    def effects(self, aws: Aws) -> _RealEffects:
        return _RealEffects(aws, make_buckets(aws, f"conf-{uuid.uuid4().hex[:8]}"))
