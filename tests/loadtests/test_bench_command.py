"""`python -m loadtests bench`."""

import json

import pytest
from click.testing import CliRunner

from loadtests.bench import command
from loadtests.bench.report import Figure

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def benches(monkeypatch):
    def run(name):
        values = [1.0, 2.0, 3.0]
        return [
            Figure(
                name=f"{name}_figure",
                unit="us",
                better="lower",
                target=5.0,
                values=values,
                baseline="other",
                baseline_values=values,
            )
        ]

    monkeypatch.setattr(command, "BENCHES", {"first": "", "second": ""})
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command.bench.params[0], "type", command.click.Choice(["first", "second", "all", "check"]))


def test_all_runs_every_bench_one_line_of_json_each():
    done = CliRunner().invoke(command.bench, ["all", "--json"])
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["bench"] for report in reports] == ["first", "second"]
    assert [list(report["figures"]) for report in reports] == [["first_figure"], ["second_figure"]]


def test_one_bench_runs_alone():
    done = CliRunner().invoke(command.bench, ["second"])
    assert (done.exit_code, "second_figure" in done.stdout, "first" in done.stdout) == (0, True, False)


def test_an_unknown_bench_is_refused():
    assert CliRunner().invoke(command.bench, ["third"]).exit_code == 2
