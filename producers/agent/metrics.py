"""CloudWatch metrics under the Kinesis Producer Library's names, so that its dashboards and alarms fit.

Budget: one PutMetricData a minute, whatever happens, of some ten metrics a stream. A minute that CloudWatch does not
take is lost.
"""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from producers.agent.meter import Spread
from producers.agent.roads import Road
from runtime.aws_errors import naming_outages, one_line
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble

EVERY_S = 60.0
MOST_CODES = 20  # different ones a minute


class Metrics:
    """Sends what the meters have counted, from a thread of its own: CloudWatch never holds up a line."""

    def __init__(self, client: Any, namespace: str, roads: Sequence[Road], clock: Clock) -> None:
        """`client` is boto3's for cloudwatch, with one attempt and a short timeout."""
        self._client = client
        self._namespace = namespace
        self._roads = roads
        self._clock = clock
        self._trouble = Trouble("CloudWatch", clock)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def __enter__(self) -> "Metrics":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what is left, unless CloudWatch is slow."""
        self._over.set()
        self._thread.join(5.0)

    def send(self) -> None:
        """One call. Raises nothing."""
        now = self._clock.now()
        data = [datum for road in self._roads for datum in _data(road, now)]
        try:
            with naming_outages():
                self._client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except (Outage, ConfigError, ClientError) as error:
            self._trouble.goes_on(f"metrics not sent: {one_line(error)}")
        else:
            self._trouble.over()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.send()
        self.send()


def _data(road: Road, now: datetime) -> Iterator[dict[str, Any]]:
    tally, pending = road.meter.take_tally()

    def datum(name: str, unit: str, value: Any, **dimensions: str) -> dict[str, Any]:
        named = [{"Name": key, "Value": text} for key, text in {"StreamName": road.stream, **dimensions}.items()]
        shown = {"StatisticValues": value} if isinstance(value, dict) else {"Value": float(value)}
        return {"MetricName": name, "Timestamp": now, "Unit": unit, "Dimensions": named, **shown}

    yield datum("UserRecordsReceived", "Count", tally.received)
    yield datum("UserRecordsPending", "Count", pending)
    yield datum("UserRecordsPut", "Count", tally.put)
    yield datum("AllErrors", "Count", tally.errors.total())
    for code, count in tally.errors.most_common(MOST_CODES):
        yield datum("ErrorsByCode", "Count", count, ErrorCode=code)
    if tally.records:
        yield datum("KinesisRecordsPut", "Count", tally.records)
        yield datum("UserRecordsPerKinesisRecord", "Count", tally.put / tally.records)
    spreads = [
        ("RetriesPerRecord", "Count", tally.retries),
        ("BufferingTime", "Milliseconds", tally.buffering_ms),
        ("RequestTime", "Milliseconds", tally.request_ms),
    ]
    for name, unit, spread in spreads:
        if spread.count:
            yield datum(name, unit, _statistics(spread))


def _statistics(spread: Spread) -> dict[str, float]:
    return {
        "SampleCount": float(spread.count),
        "Sum": spread.total,
        "Minimum": spread.low,
        "Maximum": spread.high,
    }
