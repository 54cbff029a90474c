"""The check against the committed table, with results made up; the table itself; the small sizes."""

import json
import signal
import stat
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from loadtests.bench import command, results, table
from loadtests.bench.quick import SIZES, small
from loadtests.bench.registry import BENCHES
from loadtests.bench.regression import compare
from loadtests.bench.report import Figure, as_fields
from loadtests.bench.results import Machine, Outcome, Results
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

HERE = Machine(cores=2, processor="A", architecture="x86_64", system="Linux 6", python="3.11.7")


def figure(*values: float, beside: tuple[float, ...] = (50.0, 52.0, 48.0), unit: str = "CPU-s/M events") -> Figure:
    better = "higher" if unit == "events/s" else "lower"
    return Figure(
        name="cpu",
        unit=unit,
        better=better,  # type: ignore[arg-type]
        target=25.0,
        values=values,
        baseline="helpers",
        baseline_values=beside,
    )


def outcome(*figures: Figure, machine: Machine = HERE) -> Outcome:
    made = msgspec.convert({**as_fields("live", figures), "date": "2026-11-27T08:00:00+00:00"}, Outcome)
    return msgspec.structs.replace(made, machine=machine, command="python -m loadtests bench live")


def verdicts(then: Outcome, now: Outcome) -> list[str]:
    return [finding.verdict for finding in compare(then, now)]


def test_a_figure_that_is_worse_in_itself_and_beside_its_baseline_fell_and_is_named() -> None:
    (found,) = compare(outcome(figure(20, 21, 19)), outcome(figure(30, 31, 29)))
    assert (found.figure, found.verdict, found.is_bad) == ("cpu", "fell", True)
    assert "20 -> 30 CPU-s/M events" in found.sentence and "50% worse" in found.sentence


def test_a_slower_machine_is_no_regression() -> None:
    slowed = figure(30, 31, 29, beside=(75.0, 77.0, 73.0))
    assert verdicts(outcome(figure(20, 21, 19)), outcome(slowed)) == ["held"]


def test_a_faster_baseline_is_no_regression() -> None:
    assert verdicts(outcome(figure(20, 21, 19)), outcome(figure(20, 21, 19, beside=(25.0, 25.5, 24.5)))) == ["held"]


def test_on_another_machine_the_ratio_alone_decides() -> None:
    other = msgspec.structs.replace(HERE, processor="B")
    then = outcome(figure(20, 21, 19))
    assert verdicts(then, outcome(figure(10, 11, 9, beside=(12.0, 12.5, 11.5)), machine=other)) == ["fell"]
    assert verdicts(then, outcome(figure(40, 41, 39, beside=(100.0, 101.0, 99.0)), machine=other)) == ["held"]


def test_noise_within_the_spread_is_tolerated_but_not_without_end() -> None:
    assert verdicts(outcome(figure(20, 26, 19)), outcome(figure(25, 26, 24))) == ["held"]
    assert verdicts(outcome(figure(20, 21, 19)), outcome(figure(22, 23, 21))) == ["held"]
    assert verdicts(outcome(figure(20, 60, 5)), outcome(figure(41, 90, 10))) == ["fell"]


def test_rates_are_compared_by_their_ratio_alone() -> None:
    then = outcome(figure(1000, 1010, 990, unit="events/s", beside=(2000.0, 2010.0, 1990.0)))
    slow = figure(500, 505, 495, unit="events/s", beside=(1000.0, 1005.0, 995.0))
    fallen = figure(500, 505, 495, unit="events/s", beside=(2000.0, 2010.0, 1990.0))
    better = figure(1800, 1805, 1795, unit="events/s", beside=(2000.0, 2010.0, 1990.0))
    assert [verdicts(then, outcome(each))[0] for each in (slow, fallen, better)] == ["held", "fell", "better"]


def test_beside_nothing_measured_two_thirds_of_a_rate_and_half_as_long_again_are_the_bounds() -> None:
    def found(unit: str, value: float) -> str:
        fixed = (1000.0, 1000.0, 1000.0)
        (verdict,) = verdicts(
            outcome(figure(1000, unit=unit, beside=fixed)), outcome(figure(value, unit=unit, beside=fixed))
        )
        return verdict

    assert [found("events/s", value) for value in (670.0, 660.0)] == ["held", "fell"]
    assert [found("s", value) for value in (1490.0, 1510.0)] == ["held", "fell"]


def test_a_figure_that_cannot_be_compared_any_more_fails_the_check() -> None:
    then = figure(1000, 1010, 990, unit="events/s")
    (found,) = compare(outcome(then), outcome(replace(then, baseline="another")))
    assert (found.verdict, found.is_bad) == ("changed", True)
    assert "beside helpers, now it is beside another" in found.sentence and "write the table anew" in found.sentence
    (unit,) = compare(outcome(then), outcome(replace(then, unit="k events/s")))
    assert (unit.verdict, unit.sentence[:32]) == ("changed", "it was in events/s, now it is in")
    (turned,) = compare(outcome(then), outcome(replace(then, better="lower")))
    assert (turned.verdict, "higher was better, now lower is" in turned.sentence) == ("changed", True)
    cpu = figure(20, 21, 19)
    assert verdicts(outcome(cpu), outcome(replace(cpu, baseline="another"))) == ["held"]  # the value itself is left


def test_a_figure_that_is_not_measured_any_more_fails_the_check_and_a_new_one_does_not() -> None:
    one, none = outcome(figure(20, 21, 19)), outcome()
    assert [(each.verdict, each.is_bad) for each in compare(one, none)] == [("missing", True)]
    assert [(each.verdict, each.is_bad) for each in compare(none, one)] == [("new", False)]


def test_the_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.json"
    assert results.read(file) == Results()
    one = Results().having(outcome(figure(20, 21, 19)))
    results.write(one, file)
    assert (results.read(file), stat.S_IMODE(file.stat().st_mode)) == (one, 0o644)  # as git has it
    file.write_text("nonsense")
    with pytest.raises(ConfigError, match="no table of benchmarks"):
        results.read(file)


def test_the_page_has_every_figure_with_where_when_and_how() -> None:
    page = table.as_markdown(
        Results().having(outcome(figure(30, 31, 29))), {"live": "stream to the store", "cold": "x"}
    )
    assert "| cpu | 30 CPU-s/M events | <= 25 | **no** | 7% | helpers | 50 | 0.600" in page
    assert "`python -m loadtests bench live`, 2026-11-27 08:00 UTC; A, 2 cores (x86_64), Linux 6, Python 3.11.7" in page
    assert page.index("## cold\n\nX.\n\nNot measured yet.") < page.index("## live")


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    assert table.TABLE.read_text() == table.as_markdown(results.read(), BENCHES)


def test_the_check_exits_with_1_where_a_figure_fell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = Results().having(outcome(figure(20, 21, 19)))
    monkeypatch.setattr(results, "read", lambda: committed)
    for values, code in (((20.0, 21.0, 19.0), 0), ((40.0, 41.0, 39.0), 1)):
        monkeypatch.setattr(command, "run", lambda name, values=values: [figure(*values)])
        done = CliRunner().invoke(command.bench, ["check", "live", "--json"])
        assert done.exit_code == code
        assert json.loads(done.stdout)["findings"][0]["figure"] == "cpu"
    refused = CliRunner().invoke(command.bench, ["check", "cold"])
    assert isinstance(refused.exception, ConfigError) and "bench cold --write" in str(refused.exception)


def test_writing_replaces_one_bench_and_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Results] = [Results().having(msgspec.structs.replace(outcome(), bench="cold"))]
    monkeypatch.setattr(results, "read", lambda: kept[-1])
    monkeypatch.setattr(results, "write", kept.append)
    monkeypatch.setattr(table, "TABLE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(command, "run", lambda name: [figure(20.0, 21.0, 19.0)])
    done = CliRunner().invoke(command.bench, ["live", "--write"])
    assert done.exit_code == 0 and list(kept[-1].benches) == ["cold", "live"]
    assert kept[-1].benches["live"].command == "python -m loadtests bench live"
    page = tmp_path / "benchmarks.md"
    assert "| cpu | 20 " in page.read_text() and stat.S_IMODE(page.stat().st_mode) == 0o644


@pytest.mark.parametrize("asked", [["all", "live"], ["live", "--quick", "--write"], ["check", "--quick"]])
def test_what_makes_no_sense_together_is_refused(asked: list[str]) -> None:
    assert CliRunner().invoke(command.bench, asked).exit_code == 2


def test_a_bench_that_cannot_run_does_not_keep_the_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str) -> list[Figure]:
        if name == "access":
            raise ConfigError("its log is not there")
        return [figure(20.0, 21.0, 19.0)]

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "BENCHES", {"access": "", "cold": ""})
    done = CliRunner().invoke(command.bench, ["all", "--json"])
    assert [json.loads(line)["bench"] for line in done.stdout.splitlines()] == ["cold"]
    assert isinstance(done.exception, ConfigError) and "access: its log" in str(done.exception)


@pytest.mark.parametrize(("now", "fell"), [(40.0, True), (20.0, False)])
def test_the_check_goes_on_where_a_bench_cannot_run(now: float, fell: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str) -> list[Figure]:
        if name == "access":
            raise ConfigError("its log is not there")
        return [figure(now, now + 1, now - 1)]

    then = outcome(figure(20, 21, 19))
    committed = Results(benches={"access": then, "cold": then})
    monkeypatch.setattr(results, "read", lambda: committed)
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "BENCHES", {"access": "", "cold": ""})
    done = CliRunner().invoke(command.bench, ["check", "--json"])
    assert json.loads(done.stdout)["bench"] == "cold"
    told = done.stderr if fell else str(done.exception)
    assert "not measured: access: its log is not there" in told
    assert isinstance(done.exception, SystemExit if fell else ConfigError)


def test_a_damaged_table_is_told_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> Results:
        raise ConfigError("no table of benchmarks")

    monkeypatch.setattr(results, "read", damaged)
    monkeypatch.setattr(command, "run", lambda name: pytest.fail("measured first"))
    assert isinstance(CliRunner().invoke(command.bench, ["cold", "--write"]).exception, ConfigError)


def test_a_bench_that_is_told_to_end_stops_what_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []

    def run(name: str) -> list[Figure]:
        try:
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL  # else the tests would end here
            signal.raise_signal(signal.SIGTERM)
            return []
        finally:
            stopped.append(name)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(command, "run", run)
    assert CliRunner().invoke(command.bench, ["cold"]).exit_code == 128 + signal.SIGTERM
    assert (stopped, signal.getsignal(signal.SIGTERM)) == (["cold"], before)


def test_numbers_have_three_digits_that_count() -> None:
    assert [table.number(value) for value in (0.0123, 999.4, 999.5, 1234.5)] == ["0.0123", "999", "1,000", "1,234"]


def test_every_bench_has_small_sizes_and_its_own_ones_afterwards() -> None:
    from loadtests.bench import fleet_simulation

    assert SIZES.keys() == BENCHES.keys()
    before = fleet_simulation.WORKERS
    with small("fleet_simulation"):
        assert fleet_simulation.WORKERS == 4
    assert before == fleet_simulation.WORKERS


@pytest.mark.parametrize("name", sorted(SIZES))
def test_the_small_sizes_are_those_of_constants_that_exist(name: str) -> None:
    with small(name):
        pass
