"""The readers that `bench fleet` sets beside ours: async-kinesis, and the Java KCL with AWS's MultiLangDaemon."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
from rich.console import Console

from loadtests.bench.fleet_child import Drained, Job
from loadtests.bench.producers import _peer as python_of_peers
from runtime.errors import ConfigError

KCL = "2.5.4"  # the daemon that 24,000 records/s were measured with
_LOOK_S = 0.02
_DRAINS_WITHIN_S = 300.0

Drain = Callable[[Job, Path], Drained]  # in a folder of its own


def async_kinesis(console: Console) -> Drain | None:
    """Ready to read; None, and why, where it cannot be installed."""
    python = python_of_peers(console)
    if python is None:
        return None

    def drain(job: Job, folder: Path) -> Drained:
        script = Path(__file__).with_name("async_kinesis_drain.py")
        arguments = [job.aws.kinesis_endpoint, job.stream, job.stream, str(job.records)]
        done = subprocess.run(
            [str(python), "-P", str(script), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_DRAINS_WITHIN_S,
            check=True,
        )
        return msgspec.json.decode(done.stdout, type=Drained)

    return drain


def multilang(console: Console) -> Drain | None:
    """Ready to read; None, and why, where it cannot be installed."""
    try:
        java = importlib.import_module("loadtests.kcl.java").java_kcl(KCL, console)
    except (ImportError, ConfigError, OSError) as error:
        console.print(f"the Java KCL is left out, not installed: {error}")
        return None

    def drain(job: Job, folder: Path) -> Drained:
        return _watched(java, job, folder)

    return drain


def _watched(java: Any, job: Job, folder: Path) -> Drained:
    """Runs the daemon until its processors have counted enough. Its CPU, and theirs, from the first record on."""
    counts = folder / "counts"
    daemon = java.start(
        folder,
        _properties(job, folder),
        aws=job.aws,
        log=folder / "daemon.log",
        environ={"MULTILANG_COUNTS": str(counts), "AWS_ENDPOINT_URL_CLOUDWATCH": job.aws.endpoint},
    )
    try:
        process = psutil.Process(daemon.pid)
        records, first_s, before_s = 0, 0.0, 0.0
        end_s = time.monotonic() + _DRAINS_WITHIN_S
        while records < job.records:
            if time.monotonic() > end_s or daemon.poll() is not None:
                raise RuntimeError(f"the MultiLangDaemon counted {records} of {job.records}; see {folder}")
            time.sleep(_LOOK_S)
            idle_s = _cpu_s(process) if not records else 0.0
            batches = [line.split() for line in counts.read_text().splitlines()] if counts.exists() else []
            records = sum(int(batch[0]) for batch in batches)
            if records and not first_s:
                first_s, before_s = float(batches[0][1]), idle_s
        return Drained(
            records=records,
            cpu_s=_cpu_s(process) - before_s,
            wall_s=time.time() - first_s,
            peak_mib=sum(each.memory_info().rss for each in _family(process)) / (1 << 20),
            first_at_s=first_s,
        )
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in _family(process)]
    return sum(each.user + each.system for each in times)


def _properties(job: Job, folder: Path) -> str:
    """As `KinesisClientLibConfiguration` spells them; polled as often as ours."""
    script = folder / "count"
    source = Path(__file__).with_name("multilang_count.py")
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}"\n')
    script.chmod(0o755)
    values = {
        "executableName": script,
        "streamName": job.stream,
        "applicationName": job.application,
        "AWSCredentialsProvider": "DefaultAWSCredentialsProviderChain",
        "processingLanguage": "python",
        "initialPositionInStream": "TRIM_HORIZON",
        "regionName": job.aws.region,
        "kinesisEndpoint": job.aws.kinesis_endpoint,
        "dynamoDBEndpoint": job.aws.endpoint,
        "retrievalMode": "POLLING",
        "maxRecords": 10_000,
        "idleTimeBetweenReadsInMillis": 200,
        "shutdownGraceMillis": 1_000,
        "skipShardSyncAtWorkerInitializationIfLeasesExist": "true",
    }
    return "".join(f"{name} = {value}\n" for name, value in values.items())
