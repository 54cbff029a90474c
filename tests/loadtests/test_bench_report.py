import json

import pytest

from loadtests.bench.registry import BENCHES, run
from loadtests.bench.report import Figure, as_json, print_table

pytestmark = pytest.mark.unit


def _figure(values: list[float]) -> Figure:
    return Figure(
        name="put",
        unit="us/record",
        better="lower",
        target=6.0,
        values=values,
        baseline="the client",
        baseline_values=[8.0, 9.0, 10.0],
    )


def test_a_figure_is_the_median_with_its_spread_and_its_ratio_to_the_baseline() -> None:
    figure = _figure([4.5, 2.0, 5.0])
    assert (figure.value, figure.ratio) == (4.5, 0.5)
    assert figure.spread == pytest.approx(2 / 3)
    assert figure.reached
    assert not _figure([7.0, 7.0, 7.0]).reached


def test_the_report_for_machines_has_the_agreed_shape() -> None:
    report = json.loads(as_json("kinesis", [_figure([4.5, 2.0, 5.0])]))
    assert report["bench"] == "kinesis"
    assert report["machine"]["cores"]
    put = report["figures"]["put"]
    expected = {"value": 4.5, "unit": "us/record", "better": "lower", "target": 6.0, "baseline": "the client"}
    assert expected.items() <= put.items()
    assert (put["ratio"], put["spread"], put["runs"]) == (0.5, 0.667, [4.5, 2.0, 5.0])


def test_the_report_for_people_names_each_figure(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("kinesis", [_figure([4.5, 2.0, 5.0])])
    assert "put" in capsys.readouterr().out


def test_an_unknown_bench_is_not_run() -> None:
    assert "nothing" not in BENCHES
    with pytest.raises(ModuleNotFoundError):
        run("nothing")
