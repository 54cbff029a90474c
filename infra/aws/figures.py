"""Alarms and dashboard as `dashboards.cloudwatch` makes them of the list of figures, for what is deployed."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.cloudwatch import Deployed, alarms, dashboard_body


def watched(names: Deployed) -> tuple[Sequence[Mapping[str, Any]], str]:
    """Bodies of PutMetricAlarm, and that of PutDashboard (JSON). Tokens of CloudFormation are names too."""
    return [spec.request() for spec in alarms(names)], dashboard_body(names)
