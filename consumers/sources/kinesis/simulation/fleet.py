"""A fleet in one thread: the real source in every process, on one simulated stream, table, sink and clock."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from unittest import mock

from consumers.delivery import Backpressure, Batch, LeaseLost, Position, Record, Shard, ShardEnded
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.simulation.laws import LawBroken, Laws
from consumers.sources.kinesis.simulation.stream import SimulatedStream
from consumers.sources.kinesis.simulation.threads import (
    Event,
    Process,
    Scheduler,
    Thread,
    current,
    scheduler,
    simulated_threads,
)
from consumers.sources.kinesis.simulation.wire import StreamWire, TableWire, Trouble
from consumers.sources.kinesis.source import KinesisSource
from consumers.sources.kinesis.testing import ARRIVED_AT, InMemoryLeaseTable

# Longer waits than by default make a history of some minutes cheap; their proportions are kept.
SETTINGS = KinesisSourceSettings(
    failover_s=6.0,
    scan_s=1.5,
    discover_s=15.0,
    poll_s=1.0,
    checkpoint_s=2.0,
    cool_down_s=4.0,
    start_patience_s=600.0,  # outages follow each other
)
_RETENTION_S = 45.0  # longer than any pause: a zombie does not see its records go
_SINK_S = 0.02  # that a write takes
_HELD_BACK = 6  # records that a path takes while its sink is away
_RESTS_WITHIN_S = 150.0
_CALM_S = 12.0  # at rest no lease changes hands for so long


class PathFails(Exception):
    """Planned: the shard is given up and tried again."""


class ProcessClock:
    """One machine's: its wall clock is wrong, and its monotonic one counts from a start of its own."""

    def __init__(self, skew_s: float, start_s: float) -> None:
        self.skew_s = skew_s
        self._start_s = start_s

    def now(self) -> datetime:
        return ARRIVED_AT + timedelta(seconds=scheduler().now_s + self.skew_s)

    def monotonic(self) -> float:
        return scheduler().now_s + self._start_s


class Sink:
    """Where the paths of all workers write, and how they do."""

    def __init__(self, laws: Laws, *, trails: int, knows_better: bool) -> None:
        self.laws = laws
        self.trails = trails  # records that a path holds back until time ends them
        self.knows_better = knows_better  # the sink itself says where to read on, as cold's manifests do
        self.away_until_s = 0.0

    @property
    def is_away(self) -> bool:
        return self.away_until_s > scheduler().now_s


class SimulatedPath:
    """Holds records in memory and makes them durable in the sink; implements `Path`."""

    def __init__(self, worker: "SimulatedWorker", shard: Shard, sink: Sink) -> None:
        self._worker = worker
        self._shard_id = shard.shard_id
        self._sink = sink
        self._held: list[Record] = []
        self._taken: Position | None = None
        self._durable: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return self._sink.laws.last_durable(self._shard_id) if self._sink.knows_better else None

    def accept(self, batch: Batch) -> Position | None:
        began_s = current().step_began_s
        assert began_s is not None
        self._sink.laws.accepting(self._worker.name, batch, self._taken, began_s)
        if self._worker.failures_to_come:
            self._worker.failures_to_come -= 1
            raise PathFails
        if self._sink.is_away:
            if len(self._held) + len(batch.records) > _HELD_BACK:
                raise Backpressure(0.5, "the sink is away")
        else:
            scheduler().sleep(_SINK_S)
        self._held += batch.records
        self._taken = batch.end
        if not self._sink.is_away:
            self._write(len(self._held) - self._sink.trails)
        return self._durable

    def tick(self) -> Position | None:
        if not self._sink.is_away:
            self._write(len(self._held))
        return self._durable

    def settle(self) -> Position | None:
        if self._held and self._sink.is_away:
            raise Backpressure(0.5, "the sink is away")
        self._write(len(self._held))
        return self._durable

    def _write(self, how_many: int) -> None:
        if how_many > 0:
            written, self._held = self._held[:how_many], self._held[how_many:]
            self._sink.laws.stored(self._shard_id, written)
            self._durable = written[-1].position


class SimulatedWorker(Process):
    """One process of the fleet."""

    def __init__(self, name: str, fleet: "Fleet", rng: random.Random) -> None:
        super().__init__()
        self.name = name
        self.trouble = Trouble()
        self.failures_to_come = 0  # of its paths
        self.clock = ProcessClock(rng.uniform(-20.0, 20.0), rng.uniform(0.0, 1000.0))
        self._stop = Event()
        self._sink = fleet.sink
        self.laws = fleet.laws
        self.source = KinesisSource(
            stream=StreamWire(fleet.stream, self.trouble),
            table=TableWire(name, fleet.table, self.trouble, fleet.laws, rng, fleet.calls),
            settings=replace(fleet.settings, worker=name),
            clock=self.clock,
            rng=rng,
        )
        self.main = Thread(target=self._run, process=self)
        self.main.start()

    def _run(self) -> None:
        self.source.run(self._open, self._stop)  # type: ignore[arg-type]

    def _open(self, shard: Shard) -> SimulatedPath:
        current().shard_id = shard.shard_id
        self.laws.opened(self.name, shard.shard_id)
        return SimulatedPath(self, shard, self._sink)

    @property
    def is_running(self) -> bool:
        return self.is_alive and self.main.is_alive()

    def stop(self) -> None:
        """In good order: what SIGTERM does."""
        self._stop.set()

    def pause(self, seconds: float) -> None:
        """SIGSTOP, or a machine that is frozen."""
        self.paused_until_s = scheduler().now_s + seconds


class Fleet:
    """Everything, with the knobs that a history turns."""

    def __init__(
        self,
        schedule: Scheduler,
        *,
        shards: int,
        page: int,
        trails: int,
        knows_better: bool,
        seed: int,
        settings: KinesisSourceSettings = SETTINGS,
    ) -> None:
        self.settings = settings
        self.stream = SimulatedStream(shards, page=page)
        self.table = InMemoryLeaseTable()
        self.laws = Laws(self.stream, self.table, failover_s=settings.failover_s, knows_better=knows_better)
        self.sink = Sink(self.laws, trails=trails, knows_better=knows_better)
        self.workers: list[SimulatedWorker] = []  # that run or wind down
        self.calls: Counter[str] = Counter()  # of the lease table's methods
        self._schedule = schedule
        self._seed = seed
        self._names = (f"w{number}" for number in count(1))

    def start(self) -> SimulatedWorker:
        name = next(self._names)
        worker = SimulatedWorker(name, self, random.Random(f"{self._seed} {name}"))
        self.workers.append(worker)
        return worker

    def kill(self, worker: SimulatedWorker) -> None:
        self._schedule.kill(worker)
        self.workers.remove(worker)

    def run(self, seconds: float) -> None:
        """Let time pass. Raises LawBroken."""
        self._schedule.run(self._schedule.now_s + seconds)
        for worker in [worker for worker in self.workers if not worker.is_running]:
            self.workers.remove(worker)
            if worker.main.error is not None:
                self.laws.say(f"{worker.name} ended: {worker.main.error!r}")
        if self.laws.broken is not None:
            raise LawBroken(self.laws.broken)

    def trim(self) -> None:
        """Retention passes over what every checkpoint has long left behind."""
        for shard_id, log in self.stream.logs.items():
            checkpoint = self.laws.checkpoint_of(shard_id, _RETENTION_S)
            if checkpoint is not None:
                self.stream.trim(log, checkpoint.sequence or (log.sequences[-1] + 1 if log.sequences else 0))

    def come_to_rest(self) -> float:
        """All trouble ends; wait until nothing is left to be done, and see that it stays so. How long it took (s)."""
        began_s = self._schedule.now_s
        self.sink.away_until_s = 0.0
        for worker in self.workers:
            worker.trouble.end()
            worker.failures_to_come = 0
            worker.paused_until_s = 0.0
        self.run(1.0)  # who was told to stop before is not counted
        while len(self.workers) < 2:
            self.start()
        rested_s, takes = began_s, -1
        while self._schedule.now_s < rested_s + _CALM_S:
            unrest = self.unrest() or (
                f"{self.laws.takes - takes} leases were taken" if takes != self.laws.takes else None
            )
            if unrest is not None:
                rested_s, takes = self._schedule.now_s, self.laws.takes
            if rested_s > began_s + _RESTS_WITHIN_S:
                raise LawBroken(f"after {_RESTS_WITHIN_S:g} s without trouble {unrest}")
            self.run(1.0)
        return rested_s - began_s

    def stop(self) -> None:
        """All workers stop in good order: nothing is left to be repeated, and no lease has an owner."""
        for worker in self.workers:
            worker.stop()
        self.run(3 * self.settings.scan_s)
        if self.workers or (held := self.laws.unreleased()):
            raise LawBroken(f"after a stop {[worker.name for worker in self.workers]} run, {held} are not released")

    def close(self) -> None:
        for worker in self.workers:
            self._schedule.kill(worker)

    def unrest(self) -> str | None:
        """What is still to be done, nothing else happening; None at rest."""
        return self.laws.unrest(worker.name for worker in self.workers)


@contextmanager
def simulated_fleet(
    *, shards: int, page: int, trails: int, knows_better: bool, seed: int, settings: KinesisSourceSettings = SETTINGS
) -> Iterator[Fleet]:
    """A fleet without workers; every reader's steps are watched. Logging is off meanwhile: it would cost most."""
    numbers = count(1)
    with ExitStack() as running:
        running.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        schedule = running.enter_context(simulated_threads())
        running.enter_context(mock.patch("secrets.token_hex", lambda _: f"{next(numbers):08x}"))
        running.enter_context(mock.patch.object(ShardReader, "step", _watched(ShardReader.step)))
        fleet = Fleet(
            schedule,
            shards=shards,
            page=page,
            trails=trails,
            knows_better=knows_better,
            seed=seed,
            settings=settings,
        )
        try:
            yield fleet
        finally:
            fleet.close()


def _watched(step: Callable[[ShardReader], float]) -> Callable[[ShardReader], float]:
    def watched(reader: ShardReader) -> float:
        thread = current()
        worker = thread.process
        assert isinstance(worker, SimulatedWorker) and thread.shard_id is not None
        laws = worker.laws
        thread.step_began_s = scheduler().now_s
        try:
            return step(reader)
        except LeaseLost as lost:
            laws.lost(worker.name, thread.shard_id, str(lost))
            laws.reader_over(worker.name, thread.shard_id)
            raise
        except Exception as error:
            if not isinstance(error, ShardEnded | PathFails):
                laws.step_failed(worker.name, thread.shard_id, error)
            laws.reader_over(worker.name, thread.shard_id)
            raise

    return watched
