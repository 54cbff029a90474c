"""Where a process's metrics go, at most once a minute: one call to CloudWatch, or lines that CloudWatch Logs makes them
of.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from botocore.exceptions import ClientError

from contract.figure import Figure
from contract.formula import Unit
from runtime.aws import client
from runtime.aws_errors import naming_outages, one_line
from runtime.emf import emf_line
from runtime.errors import ConfigError
from runtime.settings import Aws, Metrics

CloudWatchUnit = Literal["Count", "Bytes", "Milliseconds", "Seconds", "None"]  # "None": a share, as CloudWatch has none


_UNITS: Mapping[Unit, CloudWatchUnit] = {Unit.COUNT: "Count", Unit.SECONDS: "Seconds", Unit.BYTES: "Bytes"}


class Metric(NamedTuple):
    """One metric."""

    name: str
    unit: CloudWatchUnit
    about: str


class Sample(NamedTuple):
    """Metrics that share their dimensions; none: of the account."""

    dimensions: Mapping[str, str]
    values: Mapping[str, Sequence[float]]  # by name; at most 100 each


class Sink(Protocol):
    """Where samples go."""

    def put(self, samples: Sequence[Sample], at: dt.datetime) -> None:
        """Once a minute. Raises Outage: these samples are given up, the next ones are tried."""
        ...


class CloudWatchSink:
    """`cloudwatch` is a boto3 client."""

    def __init__(self, cloudwatch: Any, namespace: str, metrics: Sequence[Metric]) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace
        self._units = {metric.name: metric.unit for metric in metrics}

    def put(self, samples: Sequence[Sample], at: dt.datetime) -> None:
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in sample.dimensions.items()],
                "Timestamp": at,
                "Unit": self._units[name],
                "Values": list(values),
            }
            for sample in samples
            for name, values in sample.values.items()
            if values
        ]
        if not data:
            return
        try:
            with naming_outages():
                self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data)
        except ClientError as error:
            raise ConfigError(f"CloudWatch: {one_line(error)}") from error


class LogSink:
    """`say` prints a line."""

    def __init__(self, say: Callable[[str], object], namespace: str, metrics: Sequence[Metric]) -> None:
        self._say = say
        self._namespace = namespace
        self._units = {metric.name: metric.unit for metric in metrics}

    def put(self, samples: Sequence[Sample], at: dt.datetime) -> None:
        for sample in samples:
            values = {name: found for name, found in sample.values.items() if found}
            if not values:
                continue
            units = {name: self._units[name] for name in values}
            self._say(emf_line(self._namespace, at, dimensions=sample.dimensions, units=units, values=values))


def sink_of(settings: Metrics, aws: Aws, namespace: str, metrics: Sequence[Metric]) -> Sink | None:
    """What `[metrics] to` says; None: nowhere. Raises ConfigError."""
    if settings.to == "off":
        return None
    if settings.to == "cloudwatch":
        return CloudWatchSink(client("cloudwatch", aws, attempts=1), namespace, metrics)
    # Line and newline in one write: several threads and processes share a log.
    return LogSink(lambda line: print(f"{line}\n", end="", flush=True), namespace, metrics)


def metrics_of(figures: Iterable[Figure]) -> list[Metric]:
    """Figures as metrics of `contract.health.OURS`, under their own names."""
    return [Metric(each.name, _UNITS.get(each.unit, "None"), each.meaning) for each in figures]
