"""The agent as a process, against a Kinesis as a process; both may be killed."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from contract.heartbeat import Heartbeat
from contract.kpl.aggregate import opened
from producers.agent.state import Kind, read_ledger
from producers.agent.testing import is_heartbeat
from runtime.aws import client
from runtime.settings import Aws

ORDERS, ACCESS = "orders", "access"  # streams
WAIT_S = 30.0


class Kinesis:
    """A local Kinesis that can be killed and started again on the same port and data."""

    def __init__(self, folder: Path, *, shards: int = 2) -> None:
        self._folder = folder
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()
        self.client = client("kinesis", self.aws)
        for stream in (ORDERS, ACCESS):
            self.make(stream, shards)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def aws(self) -> Aws:
        return Aws(kinesis_endpoint=self.endpoint, access_key_id="local", secret_access_key="local")

    def make(self, stream: str, shards: int) -> None:
        """A stream, ready."""
        self.client.create_stream(StreamName=stream, ShardCount=shards)
        self.client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 20})

    def start(self) -> None:
        command = [sys.executable, "-m", "infra.local.kinesis", "--no-limits"]
        command += ["--port", str(self._port), "--data", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        address = self._process.stdout.readline().split(",")[0]
        self._port = int(address.rsplit(":", 1)[1])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def lines(self, stream: str = ORDERS) -> list[bytes]:
        """The agent's records that carry a line."""
        return [data for data in self.records(stream) if not is_heartbeat(data)]

    def heartbeats(self, stream: str = ORDERS) -> list[Heartbeat]:
        return [msgspec.json.decode(data, type=Heartbeat) for data in self.records(stream) if is_heartbeat(data)]

    def records(self, stream: str = ORDERS) -> list[bytes]:
        """What the agent sent, shard by shard, out of its aggregates."""
        return [data for shard in self.shards(stream) for data in shard]

    def shards(self, stream: str) -> list[list[bytes]]:
        """By shard, in order."""
        return [self._of_shard(stream, shard["ShardId"]) for shard in self._list(stream)]

    def _list(self, stream: str) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.client.list_shards(StreamName=stream)["Shards"]
        return shards

    def _of_shard(self, stream: str, shard_id: str) -> list[bytes]:
        found: list[bytes] = []
        place = {"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.client.get_shard_iterator(**place)["ShardIterator"]
        while True:
            answer: dict[str, Any] = self.client.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                users = opened(record["Data"])
                found += [record["Data"]] if users is None else [user.data for user in users]
            if not answer["Records"] and not answer["MillisBehindLatest"]:
                return found
            iterator = answer["NextShardIterator"]


def settings_file(folder: Path, endpoint: str, stream: str = ORDERS, *, more: str = "") -> Path:
    """Of an agent on `folder`/spool and `folder`/state. `more`: lines of its section `agent`."""
    file = folder / "settings.toml"
    file.write_text(
        f'[aws]\nkinesis_endpoint = "{endpoint}"\naccess_key_id = "local"\nsecret_access_key = "local"\n'
        f'[streams]\ntransactions = "{stream}"\naccess = "{ACCESS}"\n'
        f'[agent]\nspool = "{folder / "spool"}"\nstate = "{folder / "state"}"\n{more}'
    )
    return file


def start(settings: Path, verb: str, *options: str) -> subprocess.Popen[str]:
    """`python -m producers VERB`."""
    command = [sys.executable, "-m", "producers", verb, "--settings", str(settings), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(settings: Path, verb: str, *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `python -m producers VERB`."""
    with start(settings, verb, *options) as process:
        output, errors = process.communicate(timeout=WAIT_S)
        return process.returncode, output, errors


@contextlib.contextmanager
def running_agent(settings: Path) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end."""
    process = start(settings, "agent")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], *, within_s: float = WAIT_S) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def acknowledged(folder: Path, kind: Kind = "order") -> int:
    """Lines, by the agent's state."""
    return read_ledger(folder / "state", kind).acknowledged_lines
