"""Java daemons and workers of ours that share one lease table, and what can be seen of them."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import psutil

from consumers.sources.kcl.properties import properties
from consumers.sources.kinesis.checkpoints import Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.reading import KinesisReadingSettings
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.table import DynamoDbLeaseTable, TableGone
from loadtests.kcl.java import JavaKcl
from loadtests.kcl.recording import Entry, Job, Recorded, Took
from runtime.aws import client
from runtime.outage import Stop
from runtime.settings import Aws

FAILOVER_S = 5.0
FLEET = KinesisSourceSettings(failover_s=FAILOVER_S, scan_s=1.0, discover_s=2.0, poll_s=0.25, checkpoint_s=1.0)
_PROJECT = Path(__file__).parents[2]
_LOOK_S = 0.5
_STOPS_WITHIN_S = 60.0


class Peers:
    """Processes on one stream and one table. A context manager: none outlives it, and the table is gone."""

    def __init__(self, kcl: JavaKcl, aws: Aws, stream: str, stop: Stop) -> None:
        self._kcl = kcl
        self._stop = stop
        self._aws = aws
        self._stream = stream
        self._folder = Path(tempfile.mkdtemp(prefix="kcl-peers-"))
        self._records = self._folder / "records"
        self._records.mkdir()
        self._recorded = Recorded(self._records)
        self._dynamodb: Any = client("dynamodb", aws)
        self.table = DynamoDbLeaseTable(self._dynamodb, stream)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._is_failed = False

    def __enter__(self) -> "Peers":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.kill(name)
        if not self._is_failed:
            shutil.rmtree(self._folder)

    def keep_logs(self) -> Path:
        """Where they are, for somebody to read after a failure."""
        self._is_failed = True
        return self._folder

    def start_java(self, name: str) -> None:
        """A daemon, with a process of ours for each of its shards."""
        text = properties(
            command=[sys.executable, "-m", "loadtests.kcl.recording", "child", str(self._records), name],
            stream=self._stream,
            application=self._stream,
            aws=self._aws,
            fleet=FLEET,
            reading=KinesisReadingSettings(),
            kcl=self._kcl.settings,
        )
        text += f"workerId = {name}\n"  # to be known in the table
        log = self._folder / f"{name}.log"
        self._running[name] = self._kcl.start(self._folder, text, aws=self._aws, log=log)

    def start_python(self, name: str) -> None:
        """A worker of our fleet."""
        fleet = dataclasses.replace(FLEET, worker=name)
        job = Job(aws=self._aws, stream=self._stream, application=self._stream, fleet=fleet)
        command = [sys.executable, "-m", "loadtests.kcl.recording", "worker", str(self._records), name]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*command, msgspec.json.encode(job).decode()], cwd=_PROJECT, stdin=subprocess.DEVNULL, stderr=log
            )

    def stop(self, name: str) -> int:
        """In good order; the exit code."""
        process = self._running.pop(name)
        process.terminate()
        return process.wait(_STOPS_WITHIN_S)

    def kill(self, name: str) -> None:
        """kill -9 of the process; returns once its children have found out, 10 s at most."""
        process = self._running.pop(name)
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10.0)
        for child in alive:
            os.kill(child.pid, signal.SIGKILL)
            raise RuntimeError(f"a child of {name} outlived it")

    def seen_within(self, limit_s: float, holds: Callable[[], bool]) -> float | None:
        """After how many seconds `holds` did; None if it never did in that time. Raises click.Abort at a stop."""
        started_s = time.monotonic()
        while (passed_s := time.monotonic() - started_s) < limit_s:
            if holds():
                return passed_s
            self._stop.wait(_LOOK_S)
            if self._stop.is_set():
                raise click.Abort
        return None

    def are_read(self, by: str, *, since_s: float) -> bool:
        """Whether something of every lease of peer `by` was taken by it since then (monotonic)."""
        own = {lease.shard_id for lease in self.leases() if self._name_of(lease.owner) == by}
        takes = (entry for entry in self.entries() if isinstance(entry, Took))
        return own <= {took.shard for took in takes if took.worker == by and took.at_s > since_s}

    def leases(self) -> list[Lease]:
        """Those whose shard is not finished; none where there is no table yet."""
        try:
            return [lease for lease in self.table.read_all() if lease.checkpoint.rank is not Rank.SHARD_END]
        except TableGone:
            return []

    def loads(self) -> Counter[str]:
        """Leases by peer; those of nobody under the empty name."""
        return Counter(self._name_of(lease.owner) for lease in self.leases())

    def rows(self) -> list[dict[str, Any]]:
        """The table as it is on the wire."""
        rows: list[dict[str, Any]] = self._dynamodb.scan(TableName=self._stream, ConsistentRead=True)["Items"]
        return rows

    def entries(self) -> list[Entry]:
        return self._recorded.entries()

    def _name_of(self, owner: str | None) -> str:
        # A worker of ours adds a random part to its name.
        return next((name for name in self._names() if owner and owner.startswith(name)), owner or "")

    def _names(self) -> list[str]:
        return [file.stem for file in self._folder.glob("*.log")]
