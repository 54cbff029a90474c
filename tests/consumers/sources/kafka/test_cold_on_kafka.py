"""`python -m consumers cold` on a topic: where a chain of manifests ends, its partition goes on."""

import base64
import dataclasses
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from consumers.cold_process import run_cold
from consumers.settings import Cold, ColdSettings, Identity
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.spans.chain import shards_of
from consumers.spans.testing import Chained
from consumers.stages.testing import encoded, heartbeat, order
from infra.local.home import PROJECT
from infra.local.prepare import make_bucket
from infra.local.testing import local_stack
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.objects.s3 import S3Objects
from runtime.settings import Aws, Kafka, Lake, Streams

pytestmark = pytest.mark.integration

NewTopic = Callable[[int], str]
PARTITIONS = 3
SESSION_S = 6.0  # as short as a broker takes it


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """S3, which alone cold on Kafka stands on."""
    with local_stack(tmp_path_factory.mktemp("cold"), parts=("ministack",)) as endpoints:
        yield endpoints.aws


class Shop:
    """A topic with orders in it, and what cold has made of them."""

    def __init__(self, aws: Aws, kafka: str, topic: str, folder: Path) -> None:
        self.topic = topic
        self.application = f"cold-{uuid.uuid4().hex[:8]}"
        key = folder / "identity.key"
        key.write_text(json.dumps({"key_id": "k1", "secret": base64.b64encode(b"s" * 32).decode()}))
        self._s3 = client("s3", aws)
        self._lake = Lake(bucket=f"{self.application}-lake", restricted_bucket=f"{self.application}-restricted")
        for bucket in (self._lake.bucket, self._lake.restricted_bucket):
            make_bucket(self._s3, bucket)
        self.settings = ColdSettings(
            aws=aws,
            streams=Streams(transactions=topic, access="", transport="kafka"),
            kafka=Kafka(servers=kafka),
            kafka_group=KafkaSourceSettings(session_s=SESSION_S, checkpoint_s=0.5, cool_down_s=0.5),
            lake=self._lake,
            identity=Identity(key=str(key)),
            cold=Cold(application=self.application, span_s=0.5, start_patience_s=1.0),
        )
        self.producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
        self.sent = 0

    def put(self, count: int) -> None:
        """Orders with their numbers as offsets; every tenth has the wrong total. And one heartbeat."""
        now = datetime.now(UTC).isoformat()
        for number in range(self.sent, self.sent + count):
            event = order(event_id=f"e-{number}", event_time=now, total=2025 if number % 10 else 1)
            self.producer.send(self.topic, encoded(event, offset=number), partition=number % PARTITIONS)
        self.producer.send(self.topic, msgspec.json.encode(heartbeat(lines=self.sent)), partition=0)
        self.sent += count
        self.producer.flush()

    @property
    def chains(self) -> list[Chained]:
        lake, restricted = (S3Objects(self._s3, name) for name in (self._lake.bucket, self._lake.restricted_bucket))
        return [Chained(lake, restricted, self.application, shard_id) for shard_id in shards_of(lake, self.application)]

    def rows(self) -> int:
        """Orders and letters that manifests name."""
        manifests = [manifest for chain in self.chains for manifest in chain.manifests]
        return sum(manifest.rows("orders") + manifest.rows("letters") for manifest in manifests)

    def assert_once(self) -> None:
        """All that was sent is there, once, in chains without a gap."""
        chains = self.chains
        assert len(chains) == PARTITIONS
        for chain in chains:
            chain.check()
            manifests = chain.manifests
            assert [manifest.previous for manifest in manifests] == [0, *(each.last for each in manifests[:-1])]
            assert sum(manifest.records for manifest in manifests) == manifests[-1].last  # positions are offsets + 1
            assert [raw.position.sequence for raw in chain.originals()] == list(range(1, manifests[-1].last + 1))
        ids = [row["event_id"] for chain in chains for row in chain.rows("orders")]
        assert sorted(ids) == sorted(f"e-{n}" for n in range(self.sent) if n % 10)
        assert self.rows() == self.sent

    def commit(self, offset: int | None) -> None:
        """Make it what the group says of every partition; None: no group at all."""
        servers = self.settings.kafka.servers
        if offset is None:
            admin = KafkaAdminClient(bootstrap_servers=servers)
            admin.delete_groups([self.application])
            admin.close()
            return
        consumer = KafkaConsumer(bootstrap_servers=servers, group_id=self.application, enable_auto_commit=False)
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1) for partition in partitions})
        consumer.close()


@pytest.fixture
def shop(aws: Aws, kafka: str, new_topic: NewTopic, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(aws, kafka, new_topic(PARTITIONS), tmp_path)
    yield shop
    shop.producer.close()


@pytest.fixture
def start(shop: Shop, tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Starts the command; what still runs at the end is killed."""
    running: list[subprocess.Popen[bytes]] = []
    file = tmp_path / "settings.toml"
    tables = dataclasses.asdict(shop.settings).items()
    file.write_text(
        "\n".join(f"[{name}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in of.items()) for name, of in tables)
    )

    def begin(name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "consumers", "cold", "--settings", str(file)]
        with (tmp_path / f"{name}.log").open("wb") as log:
            running.append(subprocess.Popen(command, cwd=PROJECT, stderr=log))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def run_until_all(shop: Shop) -> None:
    stop = threading.Event()
    cold = threading.Thread(target=run_cold, args=(shop.settings, stop))
    cold.start()
    try:
        until(lambda: shop.rows() >= shop.sent)
    finally:
        stop.set()
        cold.join()


def test_everything_is_there_once_after_a_kill_and_a_rebalance(
    shop: Shop, start: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    shop.put(300)
    killed = start("a")
    until(lambda: shop.rows() > 0)
    shop.put(600)
    killed.kill()
    killed.wait()
    members = [start("b"), start("c")]
    for _ in range(20):  # flows on while they wait for the dead one, share, and one of them leaves
        shop.put(30)
        time.sleep(0.5)
    members[0].terminate()
    assert members[0].wait(20) == 0
    shop.put(300)
    until(lambda: shop.rows() >= shop.sent)
    members[1].terminate()
    assert members[1].wait(20) == 0
    shop.assert_once()


@pytest.mark.soak
def test_everything_is_there_once_after_a_member_has_slept_through_its_session(
    shop: Shop, start: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    sleeper, other = start("a"), start("b")

    def flow(seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            shop.put(30)
            time.sleep(0.2)

    flow(6.0)
    until(lambda: shop.rows() > 0)
    sleeper.send_signal(signal.SIGSTOP)
    flow(SESSION_S + 4.0)  # the other one has all of it now
    sleeper.send_signal(signal.SIGCONT)  # with a span open, and its objects half put
    flow(6.0)
    until(lambda: shop.rows() >= shop.sent)
    for process in (sleeper, other):
        process.terminate()
        assert process.wait(20) == 0
    shop.assert_once()


@pytest.mark.parametrize("commit", [None, 0, 5])
def test_the_chain_says_where_to_read_on_whatever_the_group_says(shop: Shop, commit: int | None) -> None:
    shop.put(90)
    run_until_all(shop)
    shop.commit(commit)
    shop.put(90)
    run_until_all(shop)
    shop.assert_once()


def test_a_commit_that_no_chain_reaches_ends_the_run(shop: Shop) -> None:
    shop.put(30)
    run_until_all(shop)
    shop.commit(1_000)
    with pytest.raises(ConfigError, match="is 1000, but no manifest"):
        run_cold(shop.settings, threading.Event())
