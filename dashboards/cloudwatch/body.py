"""CloudWatch's dashboard as it stores one: the alarms' colours, then a graph a figure, service by service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from contract import figures
from contract.figure import Figure
from contract.formula import Metric, Unit
from contract.health import FLEET, OURS, measured
from dashboards.cloudwatch.alarms import alarm_name
from dashboards.cloudwatch.deployed import Deployed, Series, series_of, subtracted

Json = dict[str, Any]

NAME = "storepulse"
COLUMNS = 24  # of CloudWatch's grid
_ACROSS, _HIGH = 8, 6  # of a graph
_TITLE_HIGH = 1

# In the order of a look: what our processes say first.
SECTIONS: Mapping[str, str] = {
    OURS: "Sales, requests, stores and agents",
    FLEET: "Live and cold",
    "AWS/Kinesis": "Streams",
    "AWS/ES": "OpenSearch",
    "AWS/Redshift-Serverless": "Warehouse",
    "AWS/DynamoDB": "Leases",
    "AWS/ApplicationELB": "The shop's load balancer",
    "AWS/AutoScaling": "The shop's hosts",
    "ECS/ContainerInsights": "Services",
    "AWS/Lambda": "Function",
    "AWS/SQS": "What the function gave up",
    "AWS/Firehose": "Raw backup",
}
_LABELS = {Unit.SHARE: "share", Unit.SECONDS: "s", Unit.BYTES: "bytes", Unit.PERCENT: "%", Unit.HOURS: "RPU-hours"}


def shown() -> Sequence[Figure]:
    """Figures that CloudWatch has: those that are measured, and those that the keeper computes for alarms."""
    return [each for each in figures.FIGURES if isinstance(each.formula, Metric) or (each.alarm and each.in_live)]


def dashboard_body(names: Deployed) -> str:
    """JSON for PutDashboard, and AWS::CloudWatch::Dashboard."""
    return msgspec.json.encode({"widgets": list(_widgets(names))}).decode()


def _widgets(names: Deployed) -> Iterator[Json]:
    y = 0
    alarmed = [each for each in shown() if each.alarm and series_of(each, names)]
    if names.account and alarmed:
        arn = f"arn:aws:cloudwatch:{names.region}:{names.account}:alarm:"
        arns = [arn + alarm_name(each) for each in alarmed]
        yield _placed("alarm", 0, y, COLUMNS, _HIGH, {"title": "Alarms", "alarms": arns})
        y += _HIGH
    for namespace, title in SECTIONS.items():
        own = [each for each in shown() if measured(each).namespace == namespace and series_of(each, names)]
        if not own:
            continue
        yield _placed("text", 0, y, COLUMNS, _TITLE_HIGH, {"markdown": f"## {title}", "background": "transparent"})
        y += _TITLE_HIGH
        for place, figure in enumerate(own):
            x, row = place % (COLUMNS // _ACROSS) * _ACROSS, place // (COLUMNS // _ACROSS)
            yield _placed("metric", x, y + row * _HIGH, _ACROSS, _HIGH, _graph(figure, names))
        y += -(-len(own) // (COLUMNS // _ACROSS)) * _HIGH


def _placed(kind: str, x: int, y: int, width: int, height: int, properties: Json) -> Json:
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


def _graph(figure: Figure, names: Deployed) -> Json:
    """In the figure's own unit."""
    metric = measured(figure)
    lines: list[list[Any]] = []
    for number, series in enumerate(series_of(figure, names)):
        lines += _lines(number, metric, series, " ".join(value for _, value in series.dimensions) or figure.title)
    graph: Json = {
        "title": figure.title,
        "view": "timeSeries",
        "region": names.region,
        "period": metric.period_s,
        "stat": metric.statistic,
        "metrics": lines,
        "yAxis": {"left": {"min": 0, "label": _LABELS.get(figure.unit, ""), "showUnits": False}},
    }
    marks = []
    if figure.alarm:
        above = figure.alarm.when == "above"
        marks.append({"label": "alarm", "value": figure.alarm.threshold, "fill": "above" if above else "below"})
    if figure.target is not None:
        marks.append({"label": "target", "value": figure.target, "color": "#2ca02c"})
    return {**graph, "annotations": {"horizontal": marks}} if marks else graph


def _lines(number: int, metric: Metric, series: Series, label: str) -> Iterator[list[Any]]:
    if metric.scale == 1.0 and not metric.minus:
        yield [*_named(series), {"id": f"m{number}", "label": label}]
        return
    expression = f"m{number}"
    yield [*_named(series), {"id": f"m{number}", "visible": False}]
    if metric.minus:
        yield [*_named(subtracted(series, metric)), {"id": f"n{number}", "visible": False}]
        expression = f"m{number}-n{number}"
    if metric.scale != 1.0:
        expression = f"({expression})*{metric.scale!r}"
    yield [{"expression": expression, "id": f"e{number}", "label": label}]


def _named(series: Series) -> list[str]:
    return [series.namespace, series.name, *(text for pair in series.dimensions for text in pair)]
