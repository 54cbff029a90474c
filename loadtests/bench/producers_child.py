"""What `bench producers` measures, each in a process of its own.

Reads one JSON object on stdin, writes one on stdout.
"""

import hashlib
import resource
import sys
import threading
import time
from pathlib import Path

import boto3
import msgspec

from producers.agent.running import opened, spare_the_collector
from producers.agent.settings import AgentSettings, Spooling
from runtime.settings import Aws, Streams

_TOGETHER = 500


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run: a file of lines, to be sent to a stream."""

    what: str  # `aggregated` and `plain`: the agent; `boto3`: a bare loop
    endpoint: str
    stream: str
    file: str  # the only one in its folder
    state: str  # folder


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, from the file to the last acknowledgement."""

    lines: int
    cpu_s: float  # user and system, of this process
    wall_s: float
    peak_mib: float  # resident, Python and libraries included


def agent(job: Job) -> int:
    """As `python -m producers agent --once` does. Returns the lines acknowledged."""
    settings = AgentSettings(
        aws=Aws(kinesis_endpoint=job.endpoint, access_key_id="bench", secret_access_key="bench"),
        streams=Streams(transactions=job.stream),
        agent=Spooling(spool=str(Path(job.file).parent), state=job.state, aggregate=job.what == "aggregated"),
    )
    with opened(settings) as running:
        spare_the_collector()
        if not running.run(threading.Event(), once=True):
            raise RuntimeError("not all is acknowledged")
    return Path(job.file).read_bytes().count(b"\n")


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
    records: list[dict[str, object]] = []
    with Path(job.file).open("rb") as file:
        for line in file:
            records.append({"Data": line[:-1], "PartitionKey": hashlib.md5(line).hexdigest()})
            if len(records) == _TOGETHER:
                _put(kinesis, job.stream, records)
                lines += len(records)
                records = []
    if records:
        _put(kinesis, job.stream, records)
    return lines + len(records)


def _put(kinesis: object, stream: str, records: list[dict[str, object]]) -> None:
    answer = kinesis.put_records(StreamName=stream, Records=records)  # type: ignore[attr-defined]
    if answer["FailedRecordCount"]:
        raise RuntimeError("records were refused")


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    started_s, cpu_s = time.monotonic(), time.process_time()
    sent = loop(asked) if asked.what == "boto3" else agent(asked)
    used = Measured(
        lines=sent,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.monotonic() - started_s,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    sys.stdout.buffer.write(msgspec.json.encode(used))
