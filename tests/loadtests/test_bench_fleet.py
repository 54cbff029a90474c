"""What `bench fleet` makes of its runs, and that our reader reads all."""

import sys
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from loadtests.bench import fleet, fleet_others
from loadtests.bench.fleet_child import Drained, Job
from loadtests.bench.fleet_handover import Gaps
from runtime.errors import ConfigError


def drained(cpu_s: float) -> Drained:
    return Drained(records=1_000_000, cpu_s=cpu_s, wall_s=10.0, peak_mib=80.0, first_at_s=0.0)


def reader(name: str, *cpu_s: float) -> fleet._Reader:
    made = fleet._Reader(name=name, drain=lambda job: drained(1.0))
    for stream in made.done:
        made.done[stream] += [drained(each) for each in cpu_s]
    return made


@pytest.mark.unit
def test_readers_are_set_beside_ours_by_records_a_second_of_cpu() -> None:
    ours, others = reader("ours", 2.0, 4.0, 4.0), [reader(fleet._ASYNC_KINESIS, 40.0), reader(fleet._MULTILANG, 80.0)]
    figures = {figure.name: figure for figure in fleet._drain_figures(ours, others)}
    assert figures["aggregates_beside_async_per_cpu"].ratio == figures["plain_beside_async_per_cpu"].ratio == 10.0
    assert figures["aggregates_beside_async_per_cpu"].target == 250.0
    assert not figures["aggregates_beside_multilang_per_cpu"].value < 250.0
    assert figures["plain_cpu"].value == 4.0
    alone = [figure.name for figure in fleet._drain_figures(ours, [])]
    assert alone == ["aggregates_cpu", "plain_cpu"]


@pytest.mark.unit
def test_hand_overs_are_held_against_the_settings() -> None:
    stop, kill = fleet._gap_figures([Gaps(0.5, 9.0), Gaps(1.5, 10.0)])
    assert (stop.value, stop.target, stop.reached) == (1.0, 2.0, True)
    assert (kill.value, kill.target, kill.reached) == (9.5, 11.0, True)


@pytest.mark.unit
def test_a_daemon_that_is_not_installed_is_said_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(*_: object) -> None:
        raise ConfigError("no jars")

    monkeypatch.setattr(fleet_others, "java_kcl", absent)
    assert fleet_others.multilang(Console(file=sys.stdout, width=500)) is None
    assert "the MultiLangDaemon is left out, not installed: no jars" in capsys.readouterr().out


@pytest.mark.integration
def test_our_worker_drains_a_stream_with_leases_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "RECORDS", 1_000)
    with fleet._parts(tmp_path) as aws:
        fleet.fill(fleet.client("kinesis", aws), "aggregates", islice(fleet._orders(), 1_000), aggregate=True)
        ours = fleet._Reader(name="ours", drain=fleet._ours, prepare=fleet._make_leases)
        fleet._drain(ours, Job(aws=aws, stream="aggregates", application="app-test", records=1_000))
    (done,) = ours.done["aggregates"]
    assert done.records == 1_000
    assert 0 < ours.started_s[0] < 60
