"""From the append to the stream, for `bench producers`: how long an order waits on a stream with its limits on."""

import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from contract.kpl.aggregate import opened
from infra.local.home import PROJECT
from infra.local.kinesis.process import ServerProcess
from loadtests.bench.orders import lines as order_lines
from loadtests.bench.producers_child import Job
from loadtests.steady import paced
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.settings import Aws

RATE = 2_000.0  # orders/s
_SHARDS = 4  # an on-demand stream begins with as many
_SECONDS, _WARM_S, _AFTER_S = 10.0, 2.0, 2.0
_STREAM = "bench"
_ORDER = re.compile(rb'"order_id":"O-(\d+)"')


def p99_ms(place: Path, what: str) -> float:
    """The 99th of a hundred orders, in ms, after a warm-up; `what` as of a Job. Raises RuntimeError if any is missing.

    The wait ends with the time of arrival that Kinesis gives a record.
    """
    (place / "spool").mkdir(parents=True)
    file = place / "spool" / "a.ndjson"
    file.touch()
    with ServerProcess(place / "kinesis") as server:
        _kinesis(server.url).create_stream(StreamName=_STREAM, ShardCount=_SHARDS)
        _kinesis(server.url).get_waiter("stream_exists").wait(StreamName=_STREAM, WaiterConfig={"Delay": 1})
        job = Job(
            what=what,
            endpoint=server.url,
            stream=_STREAM,
            file=str(file),
            state=str(place / "state"),
            follow_s=_SECONDS + _AFTER_S + 1.0,
        )
        with subprocess.Popen(
            [sys.executable, "-m", "loadtests.bench.producers_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=PROJECT,
        ) as child:
            assert child.stdin
            child.stdin.write(msgspec.json.encode(job))
            child.stdin.close()
            time.sleep(1.0)  # its imports
            appended = _append(file)
        if child.returncode:
            raise RuntimeError(f"{what} ended with {child.returncode}")
    with ServerProcess(place / "kinesis", "--no-limits") as server:
        arrived = _arrivals(server.url)
    if arrived.keys() != appended.keys():
        raise RuntimeError(f"{what}: {len(appended.keys() - arrived.keys())} orders are missing")
    first_s = appended[0] + _WARM_S
    waits_s = [arrived[number] - at for number, at in appended.items() if at >= first_s]
    return statistics.quantiles(waits_s, n=100)[98] * 1_000


def _append(file: Path) -> dict[int, float]:
    """Orders at RATE, a write each. By number: when (Unix s), before the write."""
    texts = [line + b"\n" for line in order_lines(int(RATE * _SECONDS))]
    wait = threading.Event().wait
    appended = {}
    with file.open("ab", buffering=0) as spool:
        for due in paced(RATE, _SECONDS, SystemClock(), wait):
            appended[due.number] = time.time()
            spool.write(texts[due.number])
    return appended


def _arrivals(endpoint: str) -> dict[int, float]:
    """By number of the order: when its record arrived first (Unix s)."""
    kinesis = _kinesis(endpoint)
    arrived: dict[int, float] = {}
    for shard in kinesis.list_shards(StreamName=_STREAM)["Shards"]:
        place = {"StreamName": _STREAM, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        is_behind = True
        while is_behind:
            answer = kinesis.get_records(ShardIterator=iterator)
            iterator, is_behind = answer["NextShardIterator"], bool(answer["Records"] or answer["MillisBehindLatest"])
            for record in answer["Records"]:
                at = record["ApproximateArrivalTimestamp"].timestamp()
                users = opened(record["Data"])
                for data in [record["Data"]] if users is None else [user.data for user in users]:
                    if found := _ORDER.search(data):  # a heartbeat has none
                        arrived.setdefault(int(found[1]), at)
    return arrived


def _kinesis(endpoint: str) -> Any:
    return client("kinesis", Aws(kinesis_endpoint=endpoint, access_key_id="b", secret_access_key="b"))
