"""How long a shard stands still when its worker ends: two workers, a trickle of records, and a signal."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import msgspec

from infra.local.home import PROJECT
from loadtests.bench.fleet_child import Job
from runtime.aws import client
from runtime.settings import Aws

_SHARDS = 4
_TRICKLE_S = 0.05  # between two records of each shard
_PATIENCE_S = 60.0
_LOOK_S = 0.02


class Gaps(NamedTuple):
    """From a worker's end to the other's first record of the last of its shards (s)."""

    stopped_s: float
    killed_s: float


class _Serving:
    """A worker in a process of its own, and when it was given the last record of each shard."""

    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.bench.fleet_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )
        assert self._process.stdin
        with self._process.stdin as asked:
            asked.write(msgspec.json.encode(job))
        self._first_s: dict[str, float] = {}
        self._last_s: dict[str, float] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def shards(self) -> set[str]:
        """Those that it was given records of within the last second."""
        return {shard for shard, at_s in list(self._last_s.items()) if at_s > time.time() - 1.0}

    def forget(self) -> None:
        self._first_s.clear()

    def first_s(self, shards: set[str]) -> float | None:
        """When it was given a first record of the last of these, since `forget`; None: not of all yet."""
        found = [self._first_s.get(shard) for shard in shards]
        times = [at_s for at_s in found if at_s is not None]
        return max(times) if len(times) == len(found) else None

    def end(self, *, kill: bool) -> None:
        if kill:
            self._process.kill()
        else:
            self._process.terminate()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            shard, at_s = line.decode().split()
            self._last_s[shard] = float(at_s)
            self._first_s.setdefault(shard, float(at_s))


def handed_over(aws: Aws, name: str) -> Gaps:
    """On a stream and with leases of that name."""
    kinesis = client("kinesis", aws)
    kinesis.create_stream(StreamName=name, ShardCount=_SHARDS)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    job = Job(aws=aws, stream=name, application=name, records=0)
    enough = threading.Event()
    trickle = threading.Thread(target=_trickle, args=(kinesis, name, enough))
    with ExitStack() as running:
        running.callback(trickle.join)
        running.callback(enough.set)
        trickle.start()

        def worker() -> _Serving:
            serving = _Serving(job)
            running.callback(serving.close)
            return serving

        stays = worker()
        _await(lambda: len(stays.shards()) == _SHARDS)
        stopped_s = _gap_s(stays, worker(), kill=False)
        killed_s = _gap_s(stays, worker(), kill=True)
    return Gaps(stopped_s, killed_s)


def _gap_s(stays: _Serving, goes: _Serving, *, kill: bool) -> float:
    _await(lambda: len(goes.shards()) == len(stays.shards()) == _SHARDS // 2)
    shards = goes.shards()
    stays.forget()
    ended_s = time.time()
    goes.end(kill=kill)
    _await(lambda: stays.first_s(shards) is not None)
    first_s = stays.first_s(shards)
    assert first_s is not None
    _await(lambda: len(stays.shards()) == _SHARDS)
    return first_s - ended_s


def _trickle(kinesis: Any, stream: str, enough: threading.Event) -> None:
    keys = [str(2**128 // _SHARDS * shard) for shard in range(_SHARDS)]
    while not enough.wait(_TRICKLE_S):
        records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": key} for key in keys]
        kinesis.put_records(StreamName=stream, Records=records)


def _await(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            raise RuntimeError("the workers did not share the shards in time")
        time.sleep(_LOOK_S)
