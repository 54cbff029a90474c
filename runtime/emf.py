"""One line of CloudWatch's Embedded Metric Format: CloudWatch Logs makes metrics of such lines, at no call of ours.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from msgspec.json import Encoder

_encode = Encoder().encode


def emf_line(
    namespace: str,
    at: dt.datetime,
    *,
    dimensions: Mapping[str, str],
    units: Mapping[str, str],
    values: Mapping[str, float | Sequence[float]],
    texts: Mapping[str, str] | None = None,
) -> str:
    """One JSON object, no newline. `units` and `values` by name of the metric, at most 100 values each."""
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    about = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return _encode({"_aws": about, **dimensions, **values, **(texts or {})}).decode()
