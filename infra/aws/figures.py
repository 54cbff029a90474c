"""Alarms and dashboard as `dashboards.cloudwatch` makes them of the list of figures, for what is deployed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_SOURCE = "dashboards.cloudwatch"

Names = Mapping[str, str | tuple[str, ...]]  # members of its `Deployed`; tokens of CloudFormation are names too


def watched(names: Names) -> tuple[Sequence[Mapping[str, Any]], str]:
    """Bodies of PutMetricAlarm, and that of PutDashboard (JSON); none of them where that package is not there."""
    if find_spec(_SOURCE) is None:
        return (), ""
    source = import_module(_SOURCE)
    deployed = source.Deployed(**names)
    return [spec.request() for spec in source.alarms(deployed)], source.dashboard_body(deployed)
