"""What `bench producers` measures, each in a process of its own.

Reads one JSON object on stdin, writes one on stdout.
"""

import hashlib
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import msgspec

from producers.agent.running import opened, spare_the_collector
from producers.agent.settings import AgentSettings, Spooling
from producers.agent.state import read_ledger
from runtime.settings import Aws, Streams

_TOGETHER = 500
_LOOK_EVERY_S = 0.03  # as often as the agent


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run: a file of lines, to be sent to a stream."""

    what: str  # `aggregated` and `plain`: the agent; `boto3`: a bare loop
    endpoint: str
    stream: str
    file: str  # the only one in its folder
    state: str  # folder
    follow_s: float = 0.0  # for so long as the file grows; 0.0: what there is


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, from the file to the last acknowledgement."""

    lines: int
    cpu_s: float  # user and system, of this process
    peak_mib: float  # resident, Python and libraries included


def agent(job: Job) -> int:
    """As `python -m producers agent` does, with `--once` where it does not follow. Returns the lines acknowledged."""
    settings = AgentSettings(
        aws=Aws(kinesis_endpoint=job.endpoint, access_key_id="bench", secret_access_key="bench"),
        streams=Streams(transactions=job.stream),
        agent=Spooling(spool=str(Path(job.file).parent), state=job.state, aggregate=job.what == "aggregated"),
    )
    stop = threading.Event()
    if job.follow_s:
        threading.Timer(job.follow_s, stop.set).start()
    with opened(settings) as running:
        spare_the_collector()
        if not running.run(stop, once=not job.follow_s) and not job.follow_s:
            raise RuntimeError("not all is acknowledged")
    return read_ledger(Path(job.state)).acknowledged_lines


def loop(job: Job) -> int:
    """The loop that one would write: five hundred lines a request, a hash of each as its key."""
    kinesis = boto3.client(
        "kinesis",
        endpoint_url=job.endpoint,
        region_name="eu-west-2",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
    )
    lines = 0
    end_s = time.monotonic() + job.follow_s
    records: list[dict[str, object]] = []
    with Path(job.file).open("rb") as file:
        while True:
            for line in file:
                records.append({"Data": line[:-1], "PartitionKey": hashlib.md5(line).hexdigest()})
                if len(records) == _TOGETHER:
                    lines += _put(kinesis, job.stream, records)
                    records = []
            if records:
                lines += _put(kinesis, job.stream, records)
                records = []
            if time.monotonic() >= end_s:
                return lines
            time.sleep(_LOOK_EVERY_S)


def _put(kinesis: Any, stream: str, records: list[dict[str, object]]) -> int:
    answer = kinesis.put_records(StreamName=stream, Records=records)
    if answer["FailedRecordCount"]:
        raise RuntimeError("records were refused")
    return len(records)


def peak_mib() -> float:
    """Of this program; what getrusage says begins with what its parent had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    before_s = time.process_time()
    sent = loop(asked) if asked.what == "boto3" else agent(asked)
    used = Measured(lines=sent, cpu_s=time.process_time() - before_s, peak_mib=peak_mib())
    sys.stdout.buffer.write(msgspec.json.encode(used))
