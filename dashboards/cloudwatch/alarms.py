"""Alarms as data: one a figure that calls somebody, for what is deployed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contract import figures
from contract.figure import Figure
from contract.formula import Metric
from contract.health import measured
from dashboards.cloudwatch.deployed import Deployed, Series, series_of, subtracted

Json = dict[str, Any]

PREFIX = "storepulse-"
_MOST_METRICS = 10  # that an alarm may compute with
_WORSE = 10.0  # times the threshold: what stands for a missing value that is the trouble itself

_MATH = {"Sum": "SUM", "Minimum": "MIN", "Maximum": "MAX"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmSpec:
    """One alarm. `threshold` is in CloudWatch's unit, `figure`'s is its own."""

    name: str
    figure: Figure
    description: str
    queries: tuple[Json, ...]  # MetricDataQuery; the last one is what is compared
    when: Literal["GreaterThanThreshold", "LessThanThreshold"]
    threshold: float
    period_s: int
    periods: int  # in a row
    missing: Literal["breaching", "notBreaching"]
    topics: tuple[str, ...]

    def request(self) -> Json:
        """As PutMetricAlarm takes it, and AWS::CloudWatch::Alarm."""
        return {
            "AlarmName": self.name,
            "AlarmDescription": self.description,
            "ActionsEnabled": True,
            "AlarmActions": list(self.topics),
            "OKActions": list(self.topics),
            "ComparisonOperator": self.when,
            "Threshold": self.threshold,
            "EvaluationPeriods": self.periods,
            "DatapointsToAlarm": self.periods,
            "TreatMissingData": self.missing,
            **self._compared(),
        }

    def _compared(self) -> Json:
        if len(self.queries) > 1:
            return {"Metrics": list(self.queries)}
        stat = self.queries[0]["MetricStat"]
        return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"]}


def alarm_name(figure: Figure) -> str:
    """Also the runbook's."""
    return PREFIX + figure.name.replace("_", "-")


def alarms(names: Deployed) -> Sequence[AlarmSpec]:
    """In the list's order. Raises ValueError for more things of a kind than one alarm can watch."""
    return [spec for figure in figures.alarms() if (spec := _alarm(figure, names)) is not None]


def _alarm(figure: Figure, names: Deployed) -> AlarmSpec | None:
    alarm, metric, series = figure.alarm, measured(figure), series_of(figure, names)
    if alarm is None or not series:
        return None
    threshold = round(alarm.threshold / metric.scale, 6)
    worse = threshold * _WORSE if alarm.missing_is_bad else None
    queries = tuple(_queries(metric, series, worse))
    if sum("MetricStat" in query for query in queries) > _MOST_METRICS:
        raise ValueError(f"{alarm_name(figure)} can watch {_MOST_METRICS} metrics, not those of {len(series)} things")
    topic = names.page_topic if alarm.pages else names.ticket_topic
    return AlarmSpec(
        name=alarm_name(figure),
        figure=figure,
        description=f"{figure.title}. {figure.meaning} What to do: {names.runbooks}/{alarm_name(figure)}.md",
        queries=queries,
        when="GreaterThanThreshold" if alarm.when == "above" else "LessThanThreshold",
        threshold=threshold,
        period_s=metric.period_s,
        periods=max(1, alarm.minutes * 60 // metric.period_s),
        missing="breaching" if alarm.missing_is_bad else "notBreaching",
        topics=(topic,) if topic else (),
    )


def _queries(metric: Metric, series: Sequence[Series], worse: float | None) -> Iterator[Json]:
    """The metrics, and what is computed of them: the worst thing's, or the sum of all."""
    if len(series) == 1 and not metric.minus:
        yield _query("m0", metric, series[0])
        return
    parts = []
    for number, each in enumerate(series):
        yield _hidden(_query(f"m{number}", metric, each))
        if metric.minus:
            yield _hidden(_query(f"n{number}", metric, subtracted(each, metric)))
            yield {"Id": f"d{number}", "Expression": f"m{number}-n{number}", "ReturnData": len(series) == 1}
        parts.append(_part(metric, number, worse))
    if len(series) > 1:
        expression = f"{_MATH[metric.statistic]}([{','.join(parts)}])"
        yield {"Id": "all", "Expression": expression, "ReturnData": True}


def _part(metric: Metric, number: int, worse: float | None) -> str:
    """One of several things: one that says nothing is not hidden by those that do."""
    if metric.minus:
        return f"d{number}"
    if worse is not None:
        return f"FILL(m{number},{worse:g})"
    return f"FILL(m{number},0)" if metric.statistic == "Sum" else f"m{number}"


def _hidden(query: Json) -> Json:
    return {**query, "ReturnData": False}


def _query(id_: str, metric: Metric, series: Series) -> Json:
    named = [{"Name": key, "Value": value} for key, value in series.dimensions]
    which = {"Namespace": series.namespace, "MetricName": series.name, "Dimensions": named}
    return {
        "Id": id_,
        "MetricStat": {"Metric": which, "Period": metric.period_s, "Stat": metric.statistic},
        "ReturnData": True,
    }
