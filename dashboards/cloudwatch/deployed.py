"""What is deployed, by the words in braces that figures' dimensions use."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from contract.figure import Figure
from contract.formula import Metric
from contract.health import measured

Names = tuple[str, ...]
RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Names, as CloudWatch has them in dimensions; a CDK token is a name too. An empty one: there is no such part, and
    its figures have neither alarm nor widget.
    """

    region: str
    account: str = ""  # 12 digits: OpenSearch's metrics carry it
    page_topic: str = ""  # ARN: wakes somebody; empty: an alarm changes its colour and tells nobody
    ticket_topic: str = ""  # ARN: can wait for the morning
    runbooks: str = RUNBOOKS  # address of the folder of runbooks, without a slash at its end
    live: Names = ("storepulse-live-transactions", "storepulse-live-access")  # applications of live
    cold: Names = ("storepulse-cold-transactions", "storepulse-cold-access")
    stream: Names = ()
    domain: Names = ()  # of OpenSearch
    workgroup: Names = ()  # of Redshift Serverless
    table: Names = ()  # of DynamoDB
    function: Names = ()
    queue: Names = ()  # where the function's failed batches are noted
    delivery: Names = ()  # Firehose
    balancer: Names = ()  # the end of the ARN: app/NAME/ID
    targets: Names = ()  # the end of the ARN: targetgroup/NAME/ID
    cluster: Names = ()  # of ECS
    service: Names = ()
    hosts: Names = ()  # auto scaling groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric of one thing that is deployed."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def series_of(figure: Figure, names: Deployed) -> tuple[Series, ...]:
    """Where CloudWatch has the figure: one a thing, none where there is no such part. Raises KeyError for a dimension
    that `Deployed` does not know."""
    metric = measured(figure)
    found = []
    for values in product(*(_values(template, names) for _, template in metric.dimensions)):
        dimensions = tuple((key, value) for (key, _), value in zip(metric.dimensions, values, strict=True))
        found.append(Series(namespace=metric.namespace, name=metric.name, dimensions=dimensions))
    return tuple(found)


def subtracted(series: Series, metric: Metric) -> Series:
    """The metric that is taken away from `series`."""
    return Series(namespace=series.namespace, name=metric.minus, dimensions=series.dimensions)


def _values(template: str, names: Deployed) -> Sequence[str]:
    if not (template.startswith("{") and template.endswith("}")):
        return (template,)
    known: dict[str, Any] = {field.name: getattr(names, field.name) for field in fields(names)}
    value = known[template[1:-1]]
    return [value] if isinstance(value, str) and value else list(value)
