"""Metrics of what a process reads, once a minute: one call to CloudWatch, or lines that CloudWatch Logs makes them of.

The budget is one PutMetricData a minute and process, whatever it reads; docs/fleet.md states it.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from consumers.delivery import Path, Shard
from consumers.feeds import Feed
from consumers.fleet.meter import Hands, LeaseFigures, MeasuredPath, ShardFigures
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.metrics import Metric, Sample, Sink, sink_of
from runtime.outage import Outage, Trouble
from runtime.settings import Aws, Metrics

_log = logging.getLogger(__name__)

_SEE_S = 1.0  # between two looks at who holds what
MOST_SHARDS = 190  # a call takes 1,000 metrics, and a shard has five; the others are told of as one
OTHERS = "others"

OpenPath = Callable[[Feed, Shard], Path]


SHARD_METRICS = (
    Metric("Records", "Count", "Records that the path accepted."),
    Metric("Bytes", "Bytes", "Their data."),
    Metric("Lag", "Milliseconds", "How far the last answer was behind the tip."),
    Metric("AcceptTime", "Milliseconds", "How long the path took for a batch."),
    Metric(
        "CheckpointAge",
        "Milliseconds",
        "Since the oldest record came that the path was given, not durable yet; 0: none.",
    ),
)
WHOLE = ("Lag", "CheckpointAge")  # said of the application, too: the longest of its shards that this process reads
LEASE_METRICS = (
    Metric("LeasesHeld", "Count", "Shards that the worker reads."),
    Metric("LeasesTaken", "Count", "Taken from nobody."),
    Metric("LeasesStolen", "Count", "Taken from another worker, for balance or because it had stopped renewing."),
    Metric("LeasesLost", "Count", "Taken by another worker."),
)
FLEET_METRICS = (*SHARD_METRICS, *LEASE_METRICS)


class Meter:
    """Of one process: every path that it opened, and who holds what."""

    def __init__(self, feeds: Sequence[Feed], worker: str, clock: Clock) -> None:
        """`worker`: the process's name; without the random part of its ids, or every start would be metrics anew."""
        self._feeds = feeds
        self._worker = worker
        self._clock = clock
        self._lock = threading.Lock()
        self._paths: dict[tuple[str, str], MeasuredPath] = {}  # by application and shard
        self._unread: set[tuple[str, str]] = set()  # keys of `_paths`, at the last look
        self._hands = {feed.application: Hands() for feed in feeds}

    def measured(self, open_path: OpenPath) -> OpenPath:
        """The same paths, measured."""

        def open_measured(feed: Feed, shard: Shard) -> Path:
            path = MeasuredPath(open_path(feed, shard), self._clock)
            with self._lock:
                self._paths[feed.application, shard.shard_id] = path
            return path

        return open_measured

    def see(self) -> None:
        """Look at who holds what."""
        for feed in self._feeds:
            self._hands[feed.application].see(feed.source.worker_id, feed.source.status())

    def take(self) -> list[Sample]:
        """What happened since the last call: a sample a shard that is read, and one an application."""
        shards: list[Sample] = []
        for feed in self._feeds:
            me = feed.source.worker_id
            lags = {status.shard_id: status.millis_behind for status in feed.source.status() if status.owner == me}
            for shard_id, path in self._paths_of(feed.application):
                figures = path.take()
                figures.lag_ms = lags.get(shard_id)
                is_read = shard_id in lags or figures.records > 0
                if is_read:
                    shards.append(_sample_of(feed.application, shard_id, figures))
                self._keep(feed.application, shard_id, path, is_read=is_read)
        held = [_held(feed.application, self._worker, self._hands[feed.application].take()) for feed in self._feeds]
        return [*_bounded(shards), *_whole(shards), *held]

    def _paths_of(self, application: str) -> list[tuple[str, MeasuredPath]]:
        with self._lock:
            return [(shard, path) for (name, shard), path in self._paths.items() if name == application]

    def _keep(self, application: str, shard_id: str, path: MeasuredPath, *, is_read: bool) -> None:
        """Forget it at the second look that finds it unread: at the first it may have been opened just now."""
        key = application, shard_id
        with self._lock:
            if is_read or key not in self._unread:
                (self._unread.discard if is_read else self._unread.add)(key)
            elif self._paths.get(key) is path:
                del self._paths[key]
                self._unread.discard(key)


@contextmanager
def publishing(
    settings: Metrics, aws: Aws, feeds: Sequence[Feed], *, worker: str, clock: Clock
) -> Iterator[Callable[[OpenPath], OpenPath]]:
    """Publish until leaving, and a last time then. Yields what measures the paths of `feeds`. Raises ConfigError."""
    sink = sink_of(settings, aws, settings.namespace, FLEET_METRICS)
    if sink is None:
        yield lambda open_path: open_path
        return
    meter, done = Meter(feeds, worker, clock), threading.Event()
    arguments = (meter, sink, settings.every_s, clock, done)
    thread = threading.Thread(target=publish, args=arguments, name="metrics")
    thread.start()
    try:
        yield meter.measured
    finally:
        done.set()
        thread.join()


def publish(meter: Meter, sink: Sink, every_s: float, clock: Clock, done: threading.Event) -> None:
    """Until `done`, and a last time then: one `put` every `every_s`."""
    trouble = Trouble("metrics", clock)
    due_s, is_over = clock.monotonic() + every_s, False
    while not is_over:
        is_over = done.wait(_SEE_S)
        meter.see()
        if not is_over and clock.monotonic() < due_s:
            continue
        due_s = max(due_s + every_s, clock.monotonic())
        try:
            sink.put(meter.take(), clock.now())
        except (Outage, ConfigError) as error:  # reading goes on without
            trouble.goes_on(str(error))
        else:
            trouble.over()


def _sample_of(application: str, shard_id: str, figures: ShardFigures) -> Sample:
    values: dict[str, Sequence[float]] = {
        "Records": [figures.records],
        "Bytes": [figures.nbytes],
        "Lag": [] if figures.lag_ms is None else [figures.lag_ms],
        "AcceptTime": figures.accept_ms,
        "CheckpointAge": [figures.checkpoint_age_ms],
    }
    return Sample({"Application": application, "Shard": shard_id}, values)


def _held(application: str, worker: str, figures: LeaseFigures) -> Sample:
    counts = (figures.held, figures.taken, figures.stolen, figures.lost)
    values = {metric.name: [count] for metric, count in zip(LEASE_METRICS, counts, strict=True)}
    return Sample({"Application": application, "Worker": worker}, values)


def _whole(shards: Sequence[Sample]) -> Iterator[Sample]:
    """Each application's longest times: an alarm names all dimensions of its metric, and shards come and go."""
    for application in {sample.dimensions["Application"]: None for sample in shards}:
        own = [sample.values for sample in shards if sample.dimensions["Application"] == application]
        longest = {name: [max(found)] for name in WHOLE if (found := [x for values in own for x in values[name]])}
        yield Sample({"Application": application}, longest)


def _bounded(shards: list[Sample]) -> list[Sample]:
    """The shards that are behind most by themselves, the others as one, without times."""
    if len(shards) <= MOST_SHARDS:
        return shards
    ordered = sorted(shards, key=lambda sample: max(sample.values["Lag"], default=0), reverse=True)
    kept, rest = ordered[: MOST_SHARDS - 1], ordered[MOST_SHARDS - 1 :]
    summed = {name: [sum(sum(sample.values[name]) for sample in rest)] for name in ("Records", "Bytes")}
    longest = {name: [max(max(s.values[name], default=0) for s in rest)] for name in ("Lag", "CheckpointAge")}
    return [*kept, Sample({"Application": rest[0].dimensions["Application"], "Shard": OTHERS}, {**summed, **longest})]
