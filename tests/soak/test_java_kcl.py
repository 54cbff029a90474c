"""Live and cold under the real MultiLangDaemon, from the file that we generate; then as a fleet on the same tables."""

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from consumers.sinks.opensearch.connection import connect
from consumers.spans.chain import shards_of
from consumers.spans.testing import Chained
from consumers.stages.testing import encoded, order
from contract.kpl.aggregate import LARGEST_HASH_KEY, UserRecord, aggregated
from infra.local.endpoints import Endpoints
from loadtests.bench.fleet_kcl import stop
from loadtests.kcl.java import RELEASES, JavaKcl, java_kcl
from runtime.aws import client
from runtime.objects.s3 import S3Objects

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parents[2]
APPLICATIONS = ("live", "cold")
_PLACES = 4


class _Pipeline:
    """What was sent, and what the stores hold of it."""

    def __init__(self, stack: Endpoints, name: str, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self._name = name
        key = folder / "identity.key"
        secret = base64.b64encode(b"s" * 32).decode()
        key.write_text(f'{{"key_id": "k1", "secret": "{secret}"}}')
        self._kinesis = client("kinesis", stack.aws)
        self._kinesis.create_stream(StreamName=name, ShardCount=2)
        self._kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        self.environ = {
            **os.environ,
            "STOREPULSE_SETTINGS": str(stack.home.settings_file),
            "STOREPULSE_STREAMS_TRANSACTIONS": name,
            "STOREPULSE_STREAMS_ACCESS": "",
            "STOREPULSE_IDENTITY_KEY": str(key),
            "STOREPULSE_REFERENCE_BUCKET": "",
            "STOREPULSE_LIVE_APPLICATION": f"{name}-live",
            "STOREPULSE_COLD_APPLICATION": f"{name}-cold",
            "STOREPULSE_COLD_SPAN_S": "1",
            "STOREPULSE_FLEET_FAILOVER_S": "4",
            "STOREPULSE_COLD_FLEET_FAILOVER_S": "4",
        }

    def emit(self, first: int, count: int) -> None:
        """Orders in aggregates, by themselves at the end."""
        numbers = range(first, first + count)
        now = datetime.now(UTC).isoformat()
        events = [
            encoded(order(event_id=f"{self._name}-{n}", event_time=now), file=self._name, offset=n) for n in numbers
        ]
        for place in range(_PLACES):
            hash_key = place * (LARGEST_HASH_KEY // _PLACES)
            mine = events[place:-1:_PLACES]
            data = aggregated([UserRecord(f"{n}", event, hash_key) for n, event in enumerate(mine)])
            self._put(data, hash_key)
        self._put(events[-1], 0)

    def _put(self, data: bytes, hash_key: int) -> None:
        self._kinesis.put_record(StreamName=self._name, Data=data, PartitionKey="a", ExplicitHashKey=str(hash_key))

    def in_opensearch(self, index: str = "orders-*") -> int:
        store = connect(self.stack.opensearch)
        params = {"ignore_unavailable": "true"}
        store.indices.refresh(index=index, params=params)
        query = {"query": {"prefix": {"event_id": self._name}}}
        return int(store.count(index=index, body=query, params=params)["count"])

    def in_lake(self) -> int:
        return sum(manifest.rows("orders") for chain in self.chains() for manifest in chain.manifests)

    def chains(self) -> list[Chained]:
        s3, lake = client("s3", self.stack.aws), self.stack.lake
        buckets = S3Objects(s3, lake.bucket), S3Objects(s3, lake.restricted_bucket)
        application = f"{self._name}-cold"
        return [Chained(*buckets, application, shard_id) for shard_id in shards_of(buckets[0], application)]


def until(holds: Callable[[], bool], within_s: float = 120.0) -> bool:
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if holds():
            return True
        time.sleep(0.5)
    return False


@contextlib.contextmanager
def daemons(pipeline: _Pipeline, kcl: JavaKcl) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """One of live, one of cold."""
    running = []
    try:
        for application in APPLICATIONS:
            command = [sys.executable, "-m", "consumers", "kcl-properties", application]
            environ = {**pipeline.environ, "STOREPULSE_KCL_RELEASE": kcl.settings.release}
            text = subprocess.run(command, cwd=PROJECT, env=environ, stdout=subprocess.PIPE, check=True, text=True)
            log = pipeline.folder / f"{application}.log"
            running.append(
                kcl.start(pipeline.folder, text.stdout, aws=pipeline.stack.aws, log=log, environ=pipeline.environ)
            )
        yield running
    finally:
        for daemon in running:
            if daemon.poll() is None:
                stop(daemon)


@pytest.mark.parametrize("release", RELEASES)
def test_live_and_cold_change_hosts_and_lose_nothing(stack: Endpoints, tmp_path: Path, release: str) -> None:
    pipeline = _Pipeline(stack, f"kcl-{release.replace('.', '')}", tmp_path)

    def are_stored(count: int) -> Callable[[], bool]:
        return lambda: pipeline.in_opensearch() == pipeline.in_lake() == count

    pipeline.emit(0, 400)
    with daemons(pipeline, java_kcl(release, Console(stderr=True))) as (live, cold):
        assert until(are_stored(400)), (pipeline.in_opensearch(), pipeline.in_lake())
        pipeline.emit(400, 100)
        live.kill()  # its processes end with it
        cold.send_signal(signal.SIGTERM)
        assert live.wait(60) == -signal.SIGKILL
        assert cold.wait(60) == 128 + signal.SIGTERM, "Java's own code for that"

    fleet = [
        subprocess.Popen([sys.executable, "-m", "consumers", application], cwd=PROJECT, env=pipeline.environ)
        for application in APPLICATIONS
    ]
    try:
        pipeline.emit(500, 100)
        assert until(are_stored(600)), (pipeline.in_opensearch(), pipeline.in_lake())
    finally:
        for process in fleet:
            process.terminate()
        for process in fleet:
            process.wait(60)
    assert pipeline.in_opensearch("duplicates") == 0
    for chain in pipeline.chains():
        chain.check()
