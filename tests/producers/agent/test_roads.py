"""The kinds side by side: one that fails, one that goes on, one that ends them all; and what is told of them."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from producers.agent import roads as module
from producers.agent.agent import Agent, Drain
from producers.agent.meter import Meter, MeteredStream
from producers.agent.metrics import Metrics
from producers.agent.pack import Packed
from producers.agent.report import SILENT_LONG_S, WAITS_LONG_S, read_report, report_of, write_report
from producers.agent.roads import Road, Roads
from producers.agent.testing import FakeStream, Fault
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit


class Scripted(Agent):
    """Does what it is told instead of following files."""

    def __init__(self, script: Callable[[Stop], bool]) -> None:
        self._script = script

    def run(self, stop: Stop, *, once: bool = False) -> bool:
        return self._script(stop)


def road(script: Callable[[Stop], bool] = lambda stop: True, kind: Any = "order", clock: Any = None) -> Road:
    meter = Meter(clock or ManualClock())
    return Road(kind=kind, stream=f"{kind}-stream", agent=Scripted(script), meter=meter, drain=Drain())


def until_stopped(stop: Stop) -> bool:
    return stop.wait(30.0)


def fails(stop: Stop) -> bool:
    raise ConfigError("no such stream")


def test_a_fault_of_ours_ends_all_roads_in_good_order() -> None:
    def breaks(stop: Stop) -> bool:
        raise ZeroDivisionError

    well = road(until_stopped)
    with pytest.raises(ZeroDivisionError):
        Roads([well, road(breaks, "access")]).run(threading.Event())
    assert well.has_drained


def test_a_road_that_cannot_go_is_tried_again_while_another_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    tried: list[int] = []
    enough = threading.Event()

    def fails_thrice(stop: Stop) -> bool:
        tried.append(1)
        if len(tried) <= 3:
            raise ConfigError("no such stream")
        enough.set()
        return True

    assert Roads([road(lambda stop: enough.wait(30.0)), road(fails_thrice, "access")]).run(threading.Event())
    assert len(tried) == 4


def test_no_road_that_can_go_is_the_operator_s_to_mend() -> None:
    stop = threading.Event()
    with pytest.raises(ConfigError, match="no such stream"):
        Roads([road(fails), road(fails, "access")]).run(stop)
    with pytest.raises(ConfigError, match="no such stream"):
        Roads([road(fails)]).run(threading.Event())


def test_with_once_a_road_that_cannot_go_is_said_after_the_others_are_done() -> None:
    done = road(lambda stop: True)
    with pytest.raises(ConfigError, match="no such stream"):
        Roads([done, road(fails, "access")]).run(threading.Event(), once=True)
    assert done.has_drained


def test_a_report_names_what_somebody_should_look_at(tmp_path: Path) -> None:
    clock = ManualClock()
    seen = road(clock=clock)
    seen.meter.ready()
    report = report_of([seen], started_at=clock.now(), now=clock.now())
    write_report(tmp_path, report)
    assert read_report(tmp_path) == report
    assert (report.roads[0].condition, report.unwell()) == ("well", [])
    seen.meter.outage("no connection")
    clock.advance(WAITS_LONG_S + 1)
    seen.meter.took([], {"/logs/access.log": "Permission denied"})
    report = report_of([seen], started_at=clock.now() - timedelta(hours=1), now=clock.now())
    assert report.roads[0].condition == "waiting"
    assert report.unwell() == [
        "order: nothing gets through to order-stream for 61 s",
        "order: /logs/access.log: Permission denied",
    ]
    clock.advance(SILENT_LONG_S + 1)
    assert any(
        "no sign of life" in line for line in report_of([seen], started_at=clock.now(), now=clock.now()).unwell()
    )
    seen.meter.failed("no such stream")
    assert report_of([seen], started_at=clock.now(), now=clock.now()).unwell()[0] == "order: no such stream"


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid":1}'])
def test_a_report_that_is_not_ours_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert read_report(tmp_path) is None


def test_a_wish_is_answered_when_every_road_has_answered_it() -> None:
    clock = ManualClock()
    both = [road(), road(kind="access")]
    for seen in both:
        seen.drain.ask("w1")
        assert seen.drain.open() == "w1"
    both[0].drain.answer = ("w1", True)
    assert both[0].drain.open() is None
    assert report_of(both, started_at=clock.now(), now=clock.now()).drain is None
    both[1].drain.answer = ("w1", False)
    answer = report_of(both, started_at=clock.now(), now=clock.now()).drain
    assert answer is not None and (answer.wish, answer.is_drained) == ("w1", False)
    both[0].drain.ask("w2")
    assert both[0].drain.open() == "w2"


def line(offset: int) -> Packed:
    return Packed("file", offset, offset + 10, 0, "key", b'{"_sp":{"k":"order","f":"file","o":0,"n":9,"c":0}}')


def test_the_meter_counts_lines_retries_and_errors() -> None:
    clock = ManualClock()
    meter = Meter(clock)
    stream = MeteredStream(FakeStream([Fault.REFUSE, Fault.THROTTLE_ALL]), meter, clock)
    batch, stop = [line(0), line(10)], StopAfter(9, clock)
    meter.took(batch, {})
    with pytest.raises(Outage):
        stream.put(batch, stop)
    clock.advance(0.5)
    stream.put(batch, stop)
    clock.advance(0.5)
    stream.put(batch, stop)
    meter.acknowledged(2, 20)
    tally, pending = meter.take_tally()
    assert (tally.received, tally.put, pending, tally.errors["Outage"]) == (2, 2, 0, 1)
    assert (tally.retries.count, tally.retries.total) == (2, 4)
    assert (tally.buffering_ms.count, tally.buffering_ms.high) == (2, 1_000.0)
    clock.advance(4.0)
    seen = meter.read()
    assert (seen.lines, seen.bytes, seen.lines_a_s, seen.waits_s) == (2, 20, 0.4, 0.0)
    assert [text for _, text in seen.errors] == ["no answer", "ProvisionedThroughputExceededException"]


class CloudWatch:
    """Takes metrics, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self._error:
            raise self._error


def test_a_minute_of_metrics_is_one_call_under_the_names_of_the_kpl() -> None:
    clock = ManualClock()
    both = [road(clock=clock), road(kind="access", clock=clock)]
    for seen in both:
        seen.meter.took([line(0), line(10), line(20)], {})
        seen.meter.request([None, "ProvisionedThroughputExceededException"], 0.02)
        seen.meter.put([None] * 3, retries={1: 2}, buffered_s=0.1)
        seen.meter.acknowledged(3, 30)
    Metrics(cloudwatch := CloudWatch(), "KinesisProducerLibrary", both, clock).send()
    (call,) = cloudwatch.calls
    assert call["Namespace"] == "KinesisProducerLibrary"
    found = {
        datum["MetricName"]: datum for datum in call["MetricData"] if datum["Dimensions"][0]["Value"] == "order-stream"
    }
    values = {name: datum["Value"] for name, datum in found.items() if "Value" in datum}
    assert values == {
        "UserRecordsReceived": 3,
        "UserRecordsPending": 0,
        "UserRecordsPut": 3,
        "KinesisRecordsPut": 1,
        "UserRecordsPerKinesisRecord": 3,
        "AllErrors": 1,
        "ErrorsByCode": 1,
    }
    assert found["ErrorsByCode"]["Dimensions"][1]["Value"] == "ProvisionedThroughputExceededException"
    assert found["RetriesPerRecord"]["StatisticValues"] == {"SampleCount": 3, "Sum": 2, "Minimum": 0, "Maximum": 2}
    assert found["RequestTime"]["StatisticValues"]["Maximum"] == 20.0


def test_a_cloudwatch_that_is_away_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    metrics = Metrics(
        CloudWatch(EndpointConnectionError(endpoint_url="http://127.0.0.1:9")), "N", [road(clock=clock)], clock
    )
    for _ in range(3):
        metrics.send()
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("CloudWatch: metrics not sent")
