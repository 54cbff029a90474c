"""The agent's CPU per million lines, from a file to the acknowledgement, beside other ways to send the same file.

Orders of 366 bytes and access lines on the local Kinesis without limits, 64 shards (so that the agent's own respect for
a shard's limits does not hold it back). Each tool runs in a process of its own; starting Python or Java is not counted.
The agent checks and stamps every line, packs it for the shard that its own key leads to, and keeps a checkpoint
meanwhile; the others only send, async-kinesis all lines of an aggregate under one random key. Then how long an order
waits on a stream of four shards with its limits on, beside the same bare loop.

What the other tools need is installed from lock files. A tool that cannot be is left out, and stderr says so.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import msgspec
import urllib3
from rich.console import Console

from infra.local.home import PROJECT
from infra.local.kinesis.process import ServerProcess
from loadtests.bench.orders import lines as order_lines
from loadtests.bench.producers_child import Job, Measured
from loadtests.bench.producers_kpl import kpl
from loadtests.bench.producers_waits import RATE, p99_ms
from loadtests.bench.report import Figure

RUNS = 3
_LINES = 400_000
_SHARDS = 64
_PEERS = PROJECT / "requirements" / "peers.txt"
_PEERS_HOME = PROJECT / ".storepulse" / "peers"
_BARE = "a bare boto3 put_records loop"
_ASYNC_KINESIS, _KPL = "async-kinesis 3.0.1 with its KPL aggregator", "the Java KPL 1.0.7"

Send = Callable[[Path, Path], Measured]  # in a folder of its own, a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to send a file."""

    name: str
    source: str
    send: Send


def run() -> Sequence[Figure]:
    """CPU of each way, peak memory of the agent, the wait of an order."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="bench-producers-") as name:
        folder = Path(name)
        sources = {"orders": folder / "orders", "access": folder / "access"}
        _write(sources["orders"], order_lines(_LINES))
        _write(sources["access"], access_lines(_LINES))
        ways = [*_OURS, *_others(folder, console)]
        used: dict[str, list[Measured]] = {way.name: [] for way in ways}
        waits: dict[str, list[float]] = {"aggregated": [], "boto3": []}
        for number in range(RUNS):
            for way in ways:
                measured = way.send(folder / f"{way.name}-{number}", sources[way.source])
                if measured.lines != _LINES:
                    raise RuntimeError(f"{way.name} sent {measured.lines} of {_LINES} lines")
                used[way.name].append(measured)
            for what, found in waits.items():
                found.append(p99_ms(folder / f"waits-{what}-{number}", what))
    return [*_figures(used), _wait_figure(waits)]


def _with(what: str) -> Send:
    def send(place: Path, source: Path) -> Measured:
        with _stream(place) as server:
            (place / "spool").mkdir()
            file = place / "spool" / "a.ndjson"
            file.hardlink_to(source)
            job = Job(what=what, endpoint=server.url, stream="bench", file=str(file), state=str(place / "state"))
            command = [sys.executable, "-m", "loadtests.bench.producers_child"]
            child = subprocess.run(
                command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, cwd=PROJECT, check=True
            )
        return msgspec.json.decode(child.stdout, type=Measured)

    return send


_OURS = (
    Way(name="boto3", source="orders", send=_with("boto3")),
    Way(name="plain", source="orders", send=_with("plain")),
    Way(name="aggregated", source="orders", send=_with("aggregated")),
    Way(name="boto3_access", source="access", send=_with("boto3")),
    Way(name="access", source="access", send=_with("aggregated")),
)


def _others(folder: Path, console: Console) -> Iterator[Way]:
    python = python_of_peers(console)
    if python:

        def send_async(place: Path, source: Path) -> Measured:
            with _stream(place) as server:
                script = Path(__file__).with_name("async_kinesis_child.py")
                command = [str(python), "-P", str(script), server.url, "bench", str(source)]
                child = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            return msgspec.json.decode(child.stdout, type=Measured)

        yield Way(name=_ASYNC_KINESIS, source="orders", send=send_async)
    (folder / "kpl").mkdir()
    java = kpl(folder / "kpl", console)
    if java:

        def send_java(place: Path, source: Path) -> Measured:
            with _stream(place, "--tls") as server:
                return java.send(server.port, "bench", source)

        yield Way(name=_KPL, source="orders", send=send_java)


def _figures(used: dict[str, list[Measured]]) -> Iterator[Figure]:
    def cpu(way: str) -> list[float]:
        return [each.cpu_s * 1e6 / each.lines for each in used[way]]

    def peaks(way: str) -> list[float]:
        return [each.peak_mib for each in used[way]]

    def figure(name: str, of: Callable[[str], list[float]], way: str, target: float, beside: str, what: str) -> Figure:
        return Figure(
            name=name,
            unit="MiB" if of is peaks else "CPU-s/M lines",
            better="lower",
            target=target,
            values=of(way),
            baseline=what,
            baseline_values=of(beside),
        )

    yield figure("aggregated", cpu, "aggregated", 5.0, "boto3", _BARE)
    yield figure("plain", cpu, "plain", statistics.median(cpu("boto3")), "boto3", _BARE)
    yield figure("access", cpu, "access", 6.0, "boto3_access", _BARE)
    yield figure("peak_memory", peaks, "aggregated", 150.0, "boto3", _BARE)
    for short, other in (("async", _ASYNC_KINESIS), ("kpl", _KPL)):
        if other in used:
            yield figure(f"beside_{short}", cpu, "aggregated", 5.0, other, other)
            yield figure(f"memory_beside_{short}", peaks, "aggregated", 150.0, other, other)


def _wait_figure(waits: dict[str, list[float]]) -> Figure:
    return Figure(
        name="append_to_stored_p99",
        unit=f"ms at {RATE:g} orders/s",
        better="lower",
        target=250.0,
        values=waits["aggregated"],
        baseline=_BARE,
        baseline_values=waits["boto3"],
    )


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


@contextmanager
def _stream(place: Path, *options: str) -> Iterator[ServerProcess]:
    place.mkdir()
    with ServerProcess(place / "kinesis", "--no-limits", *options) as server:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # its certificate is its own
        kinesis = boto3.client(
            "kinesis",
            endpoint_url=server.url,
            region_name="eu-west-2",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
            verify=False,
        )
        kinesis.create_stream(StreamName="bench", ShardCount=_SHARDS)
        kinesis.get_waiter("stream_exists").wait(StreamName="bench", WaiterConfig={"Delay": 1})
        yield server


def python_of_peers(console: Console) -> Path | None:
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
