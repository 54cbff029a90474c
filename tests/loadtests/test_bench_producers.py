"""What `bench producers` makes of its runs, and what it needs of others."""

import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.jars.lock import read_lock
from loadtests.bench import producers, producers_kpl
from loadtests.bench.producers_child import Job, Measured, agent, loop, peak_mib
from loadtests.bench.producers_waits import p99_ms

OWN = ["boto3", "plain", "aggregated", "boto3_access", "access"]


def measured(*cpu_s: float) -> list[Measured]:
    return [Measured(lines=1_000_000, cpu_s=each, peak_mib=80.0) for each in cpu_s]


@pytest.mark.unit
def test_figures_of_tools_that_are_absent_are_left_out() -> None:
    used = {name: measured(4.0, 5.0, 9.0) for name in OWN}
    used["boto3"] = measured(10.0, 10.0, 11.0)
    names = {figure.name: figure for figure in producers._figures(used)}
    assert list(names) == ["aggregated", "plain", "access", "peak_memory"]
    assert (names["aggregated"].value, names["aggregated"].ratio, names["plain"].target) == (5.0, 0.5, 10.0)
    everyone = used | {producers._ASYNC_KINESIS: measured(6.0), producers._KPL: measured(50.0)}
    more = {figure.name: figure.ratio for figure in producers._figures(everyone)}
    assert (more["beside_kpl"], "memory_beside_async" in more, len(more)) == (0.1, True, 8)


@pytest.mark.unit
def test_a_tool_that_cannot_be_installed_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(producers, "_PEERS", tmp_path / "none.txt")
    monkeypatch.setattr(producers, "_PEERS_HOME", tmp_path / "home")
    monkeypatch.setattr(producers_kpl, "_FOLDER", tmp_path)
    console = Console(file=sys.stdout, width=500)
    assert producers.python_of_peers(console) is None
    assert producers_kpl.kpl(tmp_path, console) is None
    assert re.findall(r"(\S+) is left out", capsys.readouterr().out) == ["async-kinesis", "KPL"]


@pytest.mark.unit
def test_the_jars_of_the_kpl_are_locked() -> None:
    text = Path(producers_kpl.__file__).with_name("kpl").joinpath("jars.lock").read_text(encoding="utf-8")
    lock = read_lock(text, producers_kpl.CORE)
    assert lock.version == "1.0.7"
    assert any(jar.coordinate.startswith("org.eclipse.jdt:ecj:") for jar in lock.jars)


@pytest.mark.unit
def test_the_peak_is_this_program_s_own() -> None:
    assert 5 < peak_mib() < 10_000


@pytest.mark.integration
def test_each_of_our_ways_sends_every_line(tmp_path: Path) -> None:
    content = b"".join(line + b"\n" for line in producers.access_lines(1_200))
    for what, way in (("boto3", loop), ("plain", agent), ("aggregated", agent)):
        with producers._stream(tmp_path / what) as server:
            (tmp_path / what / "spool").mkdir()
            file = tmp_path / what / "spool" / "a.ndjson"
            file.write_bytes(content)
            state = str(tmp_path / what / "state")
            job = Job(what=what, endpoint=server.url, stream="bench", file=str(file), state=state)
            assert way(job) == 1_200


@pytest.mark.integration
def test_the_wait_of_an_order_is_measured_from_its_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_SECONDS", 1.0), ("_WARM_S", 0.2), ("_AFTER_S", 1.0), ("RATE", 200.0)):
        monkeypatch.setattr(f"loadtests.bench.producers_waits.{name}", value)
    assert 0.0 < p99_ms(tmp_path / "waits", "aggregated") < 1_500.0
