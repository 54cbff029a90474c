"""The readers that `bench fleet` sets beside ours: async-kinesis, and the Java KCL with AWS's MultiLangDaemon."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console

from loadtests.bench import fleet_kcl
from loadtests.bench.fleet_child import Drained, Job
from loadtests.bench.producers import python_of_peers
from loadtests.kcl.java import java_kcl
from runtime.errors import ConfigError

KCL = "3.5.1"
_DRAINS_WITHIN_S = 300.0

Drain = Callable[[Job], Drained]


def async_kinesis(console: Console) -> Drain | None:
    """Ready to read; None, and why, where it cannot be installed."""
    python = python_of_peers(console)
    if python is None:
        return None

    def drain(job: Job) -> Drained:
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
    """The same; its CPU and time are those from its first child on."""
    try:
        java = java_kcl(KCL, console)
    except (ConfigError, OSError) as error:
        console.print(f"the MultiLangDaemon is left out, not installed: {error}")
        return None

    def drain(job: Job) -> Drained:
        began_s = time.time()
        done = fleet_kcl.drain(java, aws=job.aws, stream=job.stream, events=job.records)
        return Drained(
            records=done.events,
            cpu_s=done.cpu_s,
            wall_s=done.seconds,
            peak_mib=done.peak_mib,
            first_at_s=began_s + done.start_s,
        )

    return drain
