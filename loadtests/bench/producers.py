"""The agent's CPU per million lines, from a file to the acknowledgement, beside other ways to send the same file.

Orders of 366 bytes and access lines on the local Kinesis without limits, 64 shards (so that the agent's own respect for
a shard's limits does not hold it back). Each tool runs in a process of its own; starting Python is not counted. The
agent stamps every line and keeps a checkpoint meanwhile; the others only send.

The Java KPL 1.0.7 took 66 CPU-s a million and 900 MiB for the same orders; it is not run here.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from infra.local.home import PROJECT
from infra.local.kinesis.process import ServerProcess
from loadtests.bench.orders import lines as order_lines
from loadtests.bench.producers_child import Job, Measured
from loadtests.bench.report import Figure
from runtime.aws import client
from runtime.settings import Aws

RUNS = 3
_LINES, _ACCESS_LINES = 400_000, 400_000
_SHARDS = 64
_PEERS = PROJECT / "requirements" / "peers.txt"
_PEERS_HOME = PROJECT / ".storepulse" / "peers"
_BARE = "a bare boto3 put_records loop"


def run() -> Sequence[Figure]:
    """CPU of each way, peak memory of the agent."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="bench-producers-") as folder:
        sources = {"orders": Path(folder) / "orders", "access": Path(folder) / "access"}
        _write(sources["orders"], order_lines(_LINES))
        _write(sources["access"], access_lines(_ACCESS_LINES))
        peer = _peer(console)
        runs: dict[str, list[Measured]] = {}
        for number in range(RUNS):
            for name, what, source in _WAYS:
                place = Path(folder) / f"{name}-{number}"
                runs.setdefault(name, []).append(_measure(place, what, sources[source]))
            if peer:
                place = Path(folder) / f"async-kinesis-{number}"
                runs.setdefault("async_kinesis", []).append(_measure_peer(place, peer, sources["orders"]))
    return _figures(runs)


_WAYS = (
    ("boto3", "boto3", "orders"),
    ("plain", "plain", "orders"),
    ("aggregated", "aggregated", "orders"),
    ("boto3_access", "boto3", "access"),
    ("access", "aggregated", "access"),
)


def _figures(runs: dict[str, list[Measured]]) -> list[Figure]:
    def cpu(name: str) -> list[float]:
        return [each.cpu_s * 1e6 / each.lines for each in runs[name]]

    def of_cpu(name: str, target: float, baseline: str, against: str, figure: str = "") -> Figure:
        return Figure(
            name=figure or name,
            unit="CPU-s/M lines",
            better="lower",
            target=target,
            values=cpu(name),
            baseline=baseline,
            baseline_values=cpu(against),
        )

    figures = [
        of_cpu("aggregated", 5.0, _BARE, "boto3"),
        of_cpu("plain", statistics.median(cpu("boto3")), _BARE, "boto3"),
        of_cpu("access", 6.0, _BARE, "boto3_access"),
        Figure(
            name="peak_memory",
            unit="MiB",
            better="lower",
            target=150.0,
            values=[each.peak_mib for each in runs["aggregated"]],
            baseline=_BARE,
            baseline_values=[each.peak_mib for each in runs["boto3"]],
        ),
    ]
    if "async_kinesis" in runs:
        peer = "async-kinesis 3.0.1 with its KPL aggregator"
        figures.append(of_cpu("aggregated", 5.0, peer, "async_kinesis", figure="aggregated_beside_async_kinesis"))
    return figures


def access_lines(count: int) -> Iterator[bytes]:
    """As nginx writes them in its combined format."""
    for number in range(count):
        yield (
            b'203.0.113.%d - - [27/Nov/2026:08:%02d:%02d +0000] "GET /product/%05dA?page=%d HTTP/1.1" 200 %d'
            b' "https://shop.example/category/%d" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"'
            % (number % 250, number // 60 % 60, number % 60, number % 90_000, number % 9, number % 60_000, number % 40)
        )


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)


def _measure(place: Path, what: str, source: Path) -> Measured:
    with _stream(place) as endpoint:
        (place / "spool").mkdir()
        file = place / "spool" / "a.ndjson"
        file.hardlink_to(source)
        job = Job(what=what, endpoint=endpoint, stream="bench", file=str(file), state=str(place / "state"))
        command = [sys.executable, "-m", "loadtests.bench.producers_child"]
        child = subprocess.run(command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=PROJECT, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


def _measure_peer(place: Path, python: Path, source: Path) -> Measured:
    with _stream(place) as endpoint:
        script = Path(__file__).with_name("async_kinesis_child.py")
        command = [str(python), "-P", str(script), endpoint, "bench", str(source)]
        child = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(child.stdout, type=Measured)


@contextmanager
def _stream(place: Path) -> Iterator[str]:
    place.mkdir()
    with ServerProcess(place / "kinesis", "--no-limits") as server:
        kinesis = client("kinesis", Aws(kinesis_endpoint=server.url, access_key_id="b", secret_access_key="b"))
        kinesis.create_stream(StreamName="bench", ShardCount=_SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName="bench", WaiterConfig={"Delay": 1})
        yield server.url


def _peer(console: Console) -> Path | None:
    """A Python with the peers in it, installed from their lock file; None, and why, where that cannot be done."""
    python = _PEERS_HOME / "bin" / "python"
    uv = str(PROJECT / ".venv-uv" / "bin" / "uv")
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(_PEERS_HOME)],
        [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(_PEERS)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "stderr", None) or str(error)
            console.print(f"async-kinesis is left out, it cannot be installed: {str(why).strip().splitlines()[-1]}")
            return None
    return python
