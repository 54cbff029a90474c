"""Alarms and dashboard from the list: what they say, and that they follow it."""

import itertools
import json
import re
from dataclasses import fields, replace
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from contract import figures
from contract.figure import Alarm, Figure
from contract.figures import ERROR_RATE
from contract.formula import Metric
from contract.health import LIVE_LAG, measured
from dashboards.cloudwatch import Deployed, alarms, dashboard_body
from dashboards.cloudwatch.alarms import alarm_name
from dashboards.cloudwatch.body import COLUMNS, SECTIONS, shown
from infra.local.home import PROJECT

pytestmark = pytest.mark.unit

PLAIN = {"region", "account", "page_topic", "ticket_topic", "runbooks", "live", "cold"}
NAMES = Deployed(
    region="eu-west-2",
    account="123456789012",
    page_topic="arn:aws:sns:eu-west-2:123456789012:page",
    ticket_topic="arn:aws:sns:eu-west-2:123456789012:ticket",
    **{field.name: (f"one-{field.name}",) for field in fields(Deployed) if field.name not in PLAIN},  # type: ignore[arg-type]
)
RUNBOOKS = PROJECT / "docs" / "runbooks"


def spec(name: str, names: Deployed = NAMES) -> dict[str, Any]:
    (found,) = (each for each in alarms(names) if each.name == f"storepulse-{name}")
    return found.request()


def test_every_figure_that_calls_somebody_has_an_alarm_that_cloudwatch_takes() -> None:
    made = alarms(NAMES)
    assert [each.figure.name for each in made] == [figure.name for figure in figures.alarms()]
    shape = boto3.client("cloudwatch", region_name="x").meta.service_model.operation_model("PutMetricAlarm").input_shape
    for each in made:
        report = ParamValidator().validate(each.request(), shape)
        assert not report.has_errors(), report.generate_report()
        assert len(each.description) <= 1024


def test_each_alarm_has_a_page_and_each_page_an_alarm() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("storepulse-*.md")}
    assert pages == {alarm_name(figure) for figure in figures.alarms()}
    for each in alarms(NAMES):
        assert f"{RUNBOOKS.relative_to(PROJECT)}/{each.name}.md" in each.description


SECTIONS_OF_A_PAGE = ["What it means", "Who notices", "Look", "Mend", "Afterwards", "Provoked"]


@pytest.mark.parametrize("figure", list(figures.alarms()), ids=alarm_name)
def test_a_page_says_when_it_calls_what_to_type_and_whether_it_was_followed(figure: Figure) -> None:
    text = (RUNBOOKS / f"{alarm_name(figure)}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == SECTIONS_OF_A_PAGE
    assert figure.alarm is not None
    assert f"{figure.title}: {figure.alarm.when} {figure.alarm.threshold:,.15g}" in text
    assert f"for {figure.alarm.minutes} minutes" in text and measured(figure).name in text
    assert (
        re.search(r"^## Look\n.*?^```(sh|console)\n", text, flags=re.MULTILINE | re.DOTALL) or "](storepulse-" in text
    )
    followed = "tests/integration/test_runbooks.py" in text
    assert followed != ("Read through, not followed" in text)
    assert followed == measured(figure).namespace.startswith("Storepulse/")
    for linked in re.findall(r"\]\(([^)#]+)", text):
        assert (RUNBOOKS / linked).exists(), linked


def test_the_threshold_is_in_cloudwatchs_unit() -> None:
    assert spec("live-lag")["Threshold"] == 60_000
    assert spec("search-free-storage")["Threshold"] == 10_240  # MiB
    assert (spec("warehouse-use")["Threshold"], spec("warehouse-use")["Period"]) == (4 * 3600, 3600)
    assert spec("warehouse-use")["EvaluationPeriods"] == 3


def test_of_several_things_the_worst_or_the_sum_is_watched_and_one_that_says_nothing_is_seen() -> None:
    told = spec("live-lag")
    assert told["Metrics"][-1]["Expression"] == "MAX([FILL(m0,600000),FILL(m1,600000)])"
    assert [each["ReturnData"] for each in told["Metrics"]] == [False, False, True]
    two = replace(NAMES, stream=("a", "b"))
    assert spec("stream-write-throttles", two)["Metrics"][-1]["Expression"] == "SUM([FILL(m0,0),FILL(m1,0)])"


def test_what_is_wanted_less_what_runs() -> None:
    told = spec("tasks-missing", replace(NAMES, service=("live", "cold")))
    assert [each.get("Expression") for each in told["Metrics"]] == [
        *(None, None, "m0-n0", None, None, "m1-n1", "MAX([d0,d1])")
    ]
    assert told["Metrics"][1]["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"


def test_who_is_called_and_what_silence_means() -> None:
    assert spec("live-held")["AlarmActions"] == [NAMES.page_topic]
    assert spec("search-yellow")["AlarmActions"] == [NAMES.ticket_topic]
    assert spec("quiet-orders")["TreatMissingData"] == "breaching"
    assert spec("error-rate")["TreatMissingData"] == "notBreaching"
    assert spec("live-held", replace(NAMES, page_topic=""))["AlarmActions"] == []


def test_what_is_not_deployed_is_not_watched_and_too_much_is_said() -> None:
    only_ours = {each.figure.name for each in alarms(Deployed(region="eu-west-2"))}
    assert "live_lag" in only_ours and "search_red" not in only_ours
    with pytest.raises(ValueError, match="storepulse-table-read-throttles can watch 10 metrics"):
        alarms(replace(NAMES, table=tuple(f"t{number}" for number in range(11))))


def test_widgets_are_whole_and_do_not_lie_over_each_other() -> None:
    widgets = json.loads(dashboard_body(NAMES))["widgets"]
    assert len(widgets) <= 500
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        columns = range(widget["x"], widget["x"] + widget["width"])
        cells = set(itertools.product(columns, range(widget["y"], widget["y"] + widget["height"])))
        assert not cells & taken
        assert max(columns) < COLUMNS
        taken |= cells
    graphs = [widget["properties"] for widget in widgets if widget["type"] == "metric"]
    assert [graph["title"] for graph in graphs] and len(graphs) == len(shown())
    for graph in graphs:
        ids = [line[-1]["id"] for line in graph["metrics"]]
        assert len(ids) == len(set(ids))
        for line in graph["metrics"]:
            if "expression" not in line[-1]:
                assert len(line) % 2 == 1 and all(isinstance(text, str) for text in line[:-1])
    assert {measured(figure).namespace for figure in shown()} <= SECTIONS.keys()
    (colours,) = (widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm")
    assert len(colours) == len(alarms(NAMES))


def test_a_figure_that_changes_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another threshold, another metric: alarm and dashboard say it."""
    stricter = replace(ERROR_RATE, alarm=Alarm(when="above", threshold=0.01, minutes=7, pages=False))
    assert isinstance(LIVE_LAG.formula, Metric)
    other = replace(LIVE_LAG, formula=replace(LIVE_LAG.formula, name="CheckpointAge"))
    swap = {ERROR_RATE.name: stricter, LIVE_LAG.name: other}
    before = json.loads(dashboard_body(NAMES))["widgets"]
    monkeypatch.setattr(figures, "FIGURES", tuple(swap.get(each.name, each) for each in figures.FIGURES))
    told = spec("error-rate")
    assert (told["Threshold"], told["EvaluationPeriods"], told["AlarmActions"]) == (0.01, 7, [NAMES.ticket_topic])
    assert spec("live-lag")["Metrics"][0]["MetricStat"]["Metric"]["MetricName"] == "CheckpointAge"
    changed = [
        new["properties"]["title"]
        for old, new in zip(before, json.loads(dashboard_body(NAMES))["widgets"], strict=True)
        if old != new
    ]
    assert changed == [ERROR_RATE.title, LIVE_LAG.title]
