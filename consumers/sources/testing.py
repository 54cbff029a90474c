"""A source in memory, a path that follows a script, and the suite that every source must pass."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pytest

from consumers.delivery import Backpressure, Batch, Path, Position, Record, Shard, Source

_ARRIVED_AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
_PATIENCE_S = 60.0  # of the conformance suite with real parts


class FakeSource:
    """One stream in memory, read by one thread, shard after shard and batch after batch.

    `checkpoints` is what a store would hold: give it to the next FakeSource to start where this one stopped. A shard
    whose path raises is left alone until the next run. With `drain` the run also ends when all is read.
    """

    def __init__(
        self,
        records: Mapping[str, Sequence[bytes]],
        *,
        stream: str = "orders",
        checkpoints: dict[str, Position] | None = None,
        batch_size: int = 10,
        arrived_at: datetime = _ARRIVED_AT,
        drain: bool = True,
    ) -> None:
        self.checkpoints = {} if checkpoints is None else checkpoints  # by shard id
        self.errors: list[Exception] = []  # what paths raised
        self._records = {
            shard_id: [Record(Position(number), arrived_at, data) for number, data in enumerate(payloads, start=1)]
            for shard_id, payloads in records.items()
        }
        self._stream = stream
        self._batch_size = batch_size
        self._drain = drain

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        shards = [Shard(stream=self._stream, shard_id=shard_id) for shard_id in self._records]
        paths = {shard.shard_id: (shard, open_path(shard)) for shard in shards}
        known = self.checkpoints.get
        taken = {shard_id: path.resume(known(shard_id)) or known(shard_id) for shard_id, (_, path) in paths.items()}
        while paths and not stop.is_set():
            idle = True
            for shard_id, (shard, path) in list(paths.items()):
                rest = [record for record in self._records[shard_id] if record.position > (taken[shard_id] or (0, 0))]
                if not rest or stop.is_set():
                    continue
                idle = False
                batch = Batch(shard=shard, records=rest[: self._batch_size])
                try:
                    durable = path.accept(batch)
                except Backpressure as pressure:
                    stop.wait(pressure.wait_s)
                    continue
                except Exception as error:  # stops this shard; nothing was promised
                    self.errors.append(error)
                    del paths[shard_id]
                    continue
                taken[shard_id] = batch.end
                self._checkpoint(shard_id, durable)
            if idle:
                if self._drain:
                    break
                stop.wait(0.01)
        for shard_id, (_, path) in paths.items():
            self._checkpoint(shard_id, path.settle())

    def _checkpoint(self, shard_id: str, durable: Position | None) -> None:
        if durable is not None:
            self.checkpoints[shard_id] = durable


class ScriptedPath:
    """Takes what it is given and keeps it. `log` is the order of what happened to it.

    `trouble` maps a payload to errors: a batch that holds the payload raises the next of them instead of being taken.
    `trails` is by how many records the durable position stays behind, until `settle`. `on_offer` is called after each
    batch, taken or not.
    """

    def __init__(
        self,
        *,
        trouble: Mapping[bytes, list[Exception]] | None = None,
        trails: int = 0,
        resume: Position | None = None,
        on_offer: Callable[[], None] = lambda: None,
    ) -> None:
        self.log: list[str] = []
        self.taken: list[Record] = []
        self._trouble = {} if trouble is None else trouble
        self._trails = trails
        self._resume = resume
        self._on_offer = on_offer

    @property
    def payloads(self) -> list[bytes]:
        """Data of the records taken, in order."""
        return [record.data for record in self.taken]

    def resume(self, checkpoint: Position | None) -> Position | None:
        return self._resume

    def tick(self) -> Position | None:
        return self._durable()

    def settle_at_the_next_tick(self) -> None:
        """As a span that time has ended."""
        self._trails = 0

    def accept(self, batch: Batch) -> Position | None:
        self.log.append("accept " + b",".join(record.data for record in batch.records).decode())
        errors = [errors for record in batch.records if (errors := self._trouble.get(record.data))]
        try:
            if errors:
                raise errors[0].pop(0)
            self.taken.extend(batch.records)
        finally:
            self._on_offer()
        return self._durable()

    def _durable(self) -> Position | None:
        durable = len(self.taken) - self._trails
        return self.taken[durable - 1].position if durable > 0 else None

    def settle(self) -> Position | None:
        self.log.append("settle")
        return self.taken[-1].position if self.taken else None


class SourceBench(Protocol):
    """One application on one stream of two shards, empty at first."""

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        """Append to shard 0 or 1."""
        ...

    def source(self) -> Source:
        """A fresh process of the application: what an earlier one checkpointed is all it knows."""
        ...


class SourceConformance:
    """What every source must do. Subclass it and override the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> SourceBench:
        raise NotImplementedError

    def test_every_shard_has_its_own_path_and_comes_in_order(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 25))
        bench.put(1, _payloads("b", 25))
        paths = run_source(bench.source(), until=50)
        assert sorted(path.payloads for path in paths.values()) == [_payloads("a", 25), _payloads("b", 25)]

    def test_positions_rise_within_a_shard_and_times_are_aware(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 25))
        records = [record for path in run_source(bench.source(), until=25).values() for record in path.taken]
        positions = [record.position for record in records]
        assert positions == sorted(set(positions))
        assert all(record.arrived_at.utcoffset() is not None for record in records)

    def test_a_stop_settles_every_path_and_the_next_run_goes_on_after_it(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 10))
        paths = run_source(bench.source(), until=10, trails=5)
        assert all(path.log[-1] == "settle" for path in paths.values() if path.taken)
        bench.put(0, _payloads("b", 3))
        assert _taken(run_source(bench.source(), until=3)) == _payloads("b", 3)

    def test_what_a_path_failed_on_comes_again_and_nothing_before_it(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 3))
        assert _taken(run_source(bench.source(), until=3)) == _payloads("a", 3)
        bench.put(0, _payloads("b", 3))
        failed = run_source(bench.source(), trouble={b"b-1": [OSError("disk full")]})
        assert not any(path.log[-1] == "settle" for path in failed.values() if "b-1" in "".join(path.log))
        before = _taken(failed)
        assert before in ([], _payloads("b", 1))
        assert before + _taken(run_source(bench.source(), until=3 - len(before))) == _payloads("b", 3)

    def test_backpressure_brings_the_same_batch_again(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 5))
        trouble: dict[bytes, list[Exception]] = {b"a-2": [Backpressure(0.01, "full"), Backpressure(0.01, "full")]}
        paths = run_source(bench.source(), until=5, trouble=trouble)
        assert _taken(paths) == _payloads("a", 5)
        offers = [entry for path in paths.values() for entry in path.log if "a-2" in entry]
        assert len(offers) == 3
        assert len(set(offers)) == 1

    def test_a_path_that_knows_better_says_where_to_read_on(self, bench: SourceBench) -> None:
        bench.put(0, _payloads("a", 10))
        paths = run_source(bench.source(), until=10)
        known = {shard_id: path.taken[3].position for shard_id, path in paths.items() if path.taken}
        assert _taken(run_source(bench.source(), until=6, resume=known)) == _payloads("a", 10)[4:]


def run_source(
    source: Source,
    *,
    until: int | None = None,
    trouble: Mapping[bytes, list[Exception]] | None = None,
    trails: int = 0,
    resume: Mapping[str, Position] | None = None,
) -> dict[str, ScriptedPath]:
    """Run `source` until `until` records were taken, or, without a number, until all `trouble` was met.

    Returns the last path of each shard, by shard id. Fails after a minute.
    """
    paths: dict[str, ScriptedPath] = {}
    stop, late = threading.Event(), threading.Event()

    def look() -> None:
        if until is None:
            done = not any((trouble or {}).values())
        else:
            done = sum(len(path.taken) for path in list(paths.values())) >= until
        if done:
            stop.set()

    def open_path(shard: Shard) -> Path:
        known = (resume or {}).get(shard.shard_id)
        paths[shard.shard_id] = ScriptedPath(trouble=trouble, trails=trails, resume=known, on_offer=look)
        return paths[shard.shard_id]

    def give_up() -> None:
        late.set()
        stop.set()

    watchdog = threading.Timer(_PATIENCE_S, give_up)
    watchdog.start()
    try:
        source.run(open_path, stop)
    finally:
        watchdog.cancel()
        watchdog.join()
    assert not late.is_set(), f"nothing more came for {_PATIENCE_S} s: {[path.log for path in paths.values()]}"
    return paths


def _payloads(name: str, count: int) -> list[bytes]:
    return [f"{name}-{number}".encode() for number in range(count)]


def _taken(paths: Mapping[str, ScriptedPath]) -> list[bytes]:
    return [payload for path in paths.values() for payload in path.payloads]
