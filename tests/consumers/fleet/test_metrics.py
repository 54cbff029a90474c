"""What a process says of what it reads, and how many calls that takes."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from consumers.delivery import Backpressure, Batch, Path, Position, Record, Shard
from consumers.feeds import Feed
from consumers.fleet.meter import Hands, MeasuredPath
from consumers.fleet.metrics import (
    FLEET_METRICS,
    LEASE_METRICS,
    MOST_SHARDS,
    OTHERS,
    SHARD_METRICS,
    WHOLE,
    Meter,
    publish,
    publishing,
)
from consumers.sources.kinesis.source import ShardStatus
from infra.local.home import PROJECT
from runtime.metrics import CloudWatchSink, LogSink
from runtime.settings import Aws, Metrics
from runtime.testing import ManualClock, StopAfter

pytestmark = pytest.mark.unit

SHARD = Shard(stream="orders", shard_id="s-0")


class SlowPath:
    """Takes 50 ms a batch; what it holds is durable once it is told so."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        self._clock.advance(0.05)
        return self.durable

    def tick(self) -> Position | None:
        return self.durable

    def settle(self) -> Position | None:
        return self.durable


class ScriptedSource:
    """A source that says what it is told to."""

    worker_id = "host-1"

    def __init__(self, *owned: str) -> None:
        self.statuses = [ShardStatus(shard_id=each, owner="host-1", durable=None, millis_behind=7) for each in owned]

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        raise NotImplementedError

    def status(self) -> Sequence[ShardStatus]:
        return self.statuses


class CountingCloudWatch:
    """A client that counts its calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def put_metric_data(self, **request: Any) -> None:
        self.calls.append(request)


def batch(sequence: int, arrived_at: dt.datetime, records: int = 2) -> Batch:
    return Batch(shard=SHARD, records=[Record(Position(sequence, sub), arrived_at, b"12345") for sub in range(records)])


def feed_of(source: ScriptedSource, judge: Any = None) -> Feed:
    return Feed(stream="orders", application="app", judge=judge, source=source)


def test_records_bytes_and_times_are_counted_from_look_to_look() -> None:
    clock = ManualClock()
    path = MeasuredPath(SlowPath(clock), clock)
    for sequence in (1, 2, 3):
        path.accept(batch(sequence, clock.now()))
    figures = path.take()
    assert (figures.records, figures.nbytes, figures.accept_ms) == (6, 30, [50.0, 50.0, 50.0])
    assert path.take().records == 0


def test_the_age_of_the_checkpoint_is_that_of_the_oldest_record_that_is_not_durable() -> None:
    clock = ManualClock()
    slow = SlowPath(clock)
    path = MeasuredPath(slow, clock)
    first_at = clock.now()
    path.accept(batch(1, first_at))
    clock.advance(20)
    path.accept(batch(2, clock.now()))
    clock.advance(5 - 2 * 0.05)
    assert path.take().checkpoint_age_ms == 25_000
    slow.durable = Position(1, 1)
    path.tick()
    assert path.take().checkpoint_age_ms == 5_000 - 50
    slow.durable = Position(2, 1)
    path.settle()
    assert path.take().checkpoint_age_ms == 0


def test_a_batch_that_the_path_holds_back_ages() -> None:
    clock = ManualClock()
    slow = SlowPath(clock)
    path, offered = MeasuredPath(slow, clock), batch(1, clock.now())
    slow.accept = lambda batch: hold_back()  # type: ignore[method-assign]
    with pytest.raises(Backpressure):
        path.accept(offered)
    clock.advance(60)
    assert path.take().checkpoint_age_ms == 60_000
    del slow.accept
    slow.durable = Position(1, 1)
    path.accept(offered)
    assert path.take().checkpoint_age_ms == 0


def hold_back() -> Position | None:
    raise Backpressure(1.0, "the store is away")


def test_of_many_batches_some_times_are_kept_evenly() -> None:
    clock = ManualClock()
    path = MeasuredPath(SlowPath(clock), clock)
    for sequence in range(1, 2001):
        path.accept(batch(sequence, clock.now(), records=1))
    figures = path.take()
    assert 40 <= len(figures.accept_ms) < 100
    assert figures.records == 2000


def status(owners: dict[str, str | None]) -> list[ShardStatus]:
    return [ShardStatus(shard_id=shard, owner=owner, durable=None) for shard, owner in owners.items()]


def test_what_changes_hands_is_counted() -> None:
    hands = Hands()
    hands.see("me", status({"s-0": None, "s-1": "other", "s-2": "other"}))
    hands.see("me", status({"s-0": "me", "s-1": "me", "s-2": "other"}))
    taken = hands.take()
    assert (taken.held, taken.taken, taken.stolen, taken.lost) == (2, 1, 1, 0)
    hands.see("me", status({"s-0": "other", "s-1": None, "s-2": "third"}))
    lost = hands.take()
    assert (lost.held, lost.taken, lost.stolen, lost.lost) == (0, 0, 0, 1)  # s-1 was given back


def test_a_minute_is_one_call_whatever_is_read() -> None:
    shards = [f"s-{number:03d}" for number in range(400)]
    clock, cloudwatch = ManualClock(), CountingCloudWatch()
    meter = Meter([feed_of(ScriptedSource(*shards))], "host", clock)
    paths = [
        meter.measured(lambda feed, shard: SlowPath(clock))(feed_of(ScriptedSource()), Shard(stream="o", shard_id=each))
        for each in shards
    ]
    for path in paths:
        path.accept(batch(1, clock.now()))
    done = StopAfter(5 * 60, clock)
    publish(meter, CloudWatchSink(cloudwatch, "Storepulse/Fleet", FLEET_METRICS), 60.0, clock, done)
    assert len(cloudwatch.calls) == 5
    data = cloudwatch.calls[0]["MetricData"]
    assert len(data) <= 1_000  # a call takes no more
    assert all(len(metric["Values"]) <= 150 for metric in data)
    named = {dimension["Value"] for metric in data for dimension in metric["Dimensions"]}
    assert OTHERS in named
    assert len(named & set(shards)) == MOST_SHARDS - 1
    assert sum(metric["Values"][0] for metric in data if metric["MetricName"] == "Records") == 800


def test_of_an_application_the_longest_of_its_shards_is_said_for_alarms() -> None:
    clock, source = ManualClock(), ScriptedSource("s-0", "s-1")
    source.statuses = [
        ShardStatus(shard_id=shard, owner="host-1", durable=None, millis_behind=behind)
        for shard, behind in (("s-0", 7), ("s-1", 90_000))
    ]
    meter = Meter([feed_of(source)], "host", clock)
    for shard in ("s-0", "s-1"):
        meter.measured(lambda feed, shard: SlowPath(clock))(feed_of(source), Shard(stream="o", shard_id=shard))
    (whole,) = (sample for sample in meter.take() if set(sample.dimensions) == {"Application"})
    assert whole.values["Lag"] == [90_000]


def test_a_line_says_the_same_for_cloudwatch_logs() -> None:
    clock, lines = ManualClock(), list[str]()
    source = ScriptedSource("s-0")
    meter = Meter([feed_of(source)], "host", clock)
    meter.measured(lambda feed, shard: SlowPath(clock))(feed_of(source), SHARD).accept(batch(1, clock.now()))
    meter.see()
    LogSink(lines.append, "Storepulse/Fleet", FLEET_METRICS).put(meter.take(), clock.now())
    shard, whole, worker = (json.loads(line) for line in lines)
    assert {name: whole[name] for name in WHOLE} == {name: shard[name] for name in WHOLE}
    assert whole["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Application"]]
    assert (shard["Application"], shard["Shard"], shard["Records"], shard["Lag"]) == ("app", "s-0", [2], [7])
    directive = shard["_aws"]["CloudWatchMetrics"][0]
    assert directive["Dimensions"] == [["Application", "Shard"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {metric.name for metric in SHARD_METRICS}
    assert (worker["Worker"], worker["LeasesHeld"]) == ("host", [1])
    assert {metric["Name"] for metric in worker["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == {
        metric.name for metric in LEASE_METRICS
    }


def test_a_shard_that_is_lost_is_told_of_once_more_and_then_forgotten() -> None:
    clock, source = ManualClock(), ScriptedSource("s-0")
    meter = Meter([feed_of(source)], "host", clock)
    meter.measured(lambda feed, shard: SlowPath(clock))(feed_of(source), SHARD).accept(batch(1, clock.now()))
    source.statuses = status({"s-0": "other"})
    assert [sample.dimensions.get("Shard") for sample in meter.take()] == ["s-0", None, None]
    for _ in range(2):
        assert [sample.dimensions.get("Shard") for sample in meter.take()] == [None]
    assert meter._paths == {}


def test_switched_off_nothing_is_measured() -> None:
    with publishing(Metrics(), Aws(), [], worker="host", clock=ManualClock()) as measured:
        path = SlowPath(ManualClock())
        assert measured(lambda feed, shard: path)(feed_of(ScriptedSource()), SHARD) is path
    assert threading.active_count() == 1 or all(thread.name != "metrics" for thread in threading.enumerate())


def test_the_page_says_what_each_metric_is() -> None:
    page = (PROJECT / "docs" / "fleet.md").read_text(encoding="utf-8")
    for metric in SHARD_METRICS:
        assert f"| {metric.name} | {metric.unit} | Application, Shard | {metric.about} |" in page
    for metric in LEASE_METRICS:
        assert f"| {metric.name} | {metric.unit} | Application, Worker | {metric.about} |" in page


def test_as_lines_they_are_printed_at_the_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    clock, source = ManualClock(), ScriptedSource("s-0")
    with publishing(Metrics(to="log"), Aws(), [feed_of(source)], worker="host", clock=clock) as measured:
        measured(lambda feed, shard: SlowPath(clock))(feed_of(source), SHARD).accept(batch(1, clock.now()))
    shard, _, worker = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (shard["Records"], worker["LeasesHeld"]) == ([2], [1])
