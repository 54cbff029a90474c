"""What a simulated minute costs in calls, against the budget that docs/fleet.md states."""

import random
from collections import Counter
from collections.abc import Collection

import pytest

from consumers.delivery import Batch, Position, Shard
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.stream import Answer
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards
from consumers.sources.kinesis.worker import Worker
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

SETTINGS = KinesisSourceSettings()
SHARDS = 4
MINUTE_S = 60
BUSY_WRITES, IDLE_WRITES = 32, 20  # a shard and minute
SCANS = 60  # a worker and minute
READS = 180  # a shard and minute


class CountingTable(InMemoryLeaseTable):
    """One call of DynamoDB a call, as DynamoDbLeaseTable makes them while no answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def read_all(self) -> list[Lease]:
        self.calls["scan"] += 1
        return super().read_all()

    def create(self, lease: Lease) -> bool:
        self.calls["write"] += 1
        return super().create(lease)

    def renew(self, lease: Lease) -> Lease:
        self.calls["write"] += 1
        return super().renew(lease)

    def take(self, lease: Lease, owner: str) -> Lease:
        self.calls["write"] += 1
        return super().take(lease, owner)

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        self.calls["write"] += 1
        return super().checkpoint(lease, checkpoint)

    def evict(self, lease: Lease) -> None:
        self.calls["write"] += 1
        super().evict(lease)

    def link(self, shard_id: str, children: Collection[str]) -> None:
        self.calls["write"] += 1
        super().link(shard_id, children)


class CountingStream(ScriptedStream):
    """Counts reads by shard."""

    def __init__(self, shards: int) -> None:
        super().__init__(even_shards(shards))
        self.reads: Counter[str] = Counter()

    def read(self, iterator: str, hash_range: tuple[int, int] | None = None) -> Answer:
        self.reads[iterator.partition(":")[0]] += 1
        return super().read(iterator, hash_range)


class Durable:
    """A path whose effects are durable at once: the dearest for the lease table."""

    def __init__(self) -> None:
        self._end: Position | None = None

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def accept(self, batch: Batch) -> Position | None:
        self._end = batch.end
        return self._end

    def tick(self) -> Position | None:
        return self._end

    def settle(self) -> Position | None:
        return self._end


class Minute:
    """A worker with all shards, after it has settled in, and one minute of its life."""

    def __init__(self) -> None:
        self.clock, self.table, self.stream = ManualClock(), CountingTable(), CountingStream(SHARDS)
        rng = random.Random(7)
        self._worker = Worker(
            worker_id="a", stream=self.stream, table=self.table, settings=SETTINGS, clock=self.clock, rng=rng
        )
        self._worker.start()
        tenures = list[Tenure]()
        while len(tenures) < SHARDS:  # a worker may take them by and by
            tenures += self._worker.scan(())
            self._worker.renew()
            self.clock.advance(SETTINGS.scan_s)
            assert self.clock.monotonic() < MINUTE_S
        self._readers = [
            ShardReader(
                shard=Shard(stream="orders", shard_id=tenure.lease.shard_id),
                stream=self.stream,
                tenure=tenure,
                path=Durable(),
                settings=SETTINGS,
                clock=self.clock,
                rng=rng,
            )
            for tenure in tenures
        ]

    def live(self, *, busy: bool) -> None:
        """In steps of a tenth of a second, as the source's threads would."""
        due = dict.fromkeys([*self._readers, "scan", "renew"], 0.0)
        self.table.calls.clear()
        self.stream.reads.clear()
        began_s = self.clock.monotonic()
        while (now_s := self.clock.monotonic() - began_s) < MINUTE_S:
            if busy:
                for shard in self.stream.shards():
                    self.stream.put(shard.shard_id, b"order")
            for what, at_s in due.items():
                if now_s < at_s - 1e-6:
                    continue
                if what == "scan":
                    self._worker.scan(())
                    due[what] = now_s + SETTINGS.scan_s
                elif what == "renew":
                    self._worker.renew()
                    due[what] = now_s + SETTINGS.failover_s / 3
                else:
                    due[what] = now_s + what.step()  # type: ignore[union-attr]
            self.clock.advance(0.1)


def test_a_busy_minute_holds_the_budget_of_writes_a_shard() -> None:
    minute = Minute()
    minute.live(busy=True)
    assert minute.table.calls["write"] / SHARDS <= BUSY_WRITES
    assert minute.table.calls["scan"] <= SCANS


def test_an_idle_shard_costs_its_renewals_and_nothing_more() -> None:
    minute = Minute()
    minute.live(busy=False)
    assert minute.table.calls["write"] / SHARDS <= IDLE_WRITES


def test_a_shard_is_read_three_times_a_second_at_most() -> None:
    minute = Minute()
    minute.live(busy=True)
    assert all(reads <= READS + 1 for reads in minute.stream.reads.values())
