"""64 workers and 512 shards, on a clock that the test sets: even shares, few steals, and what it costs DynamoDB."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.states import OURS
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards
from consumers.sources.kinesis.worker import Worker
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

SETTINGS = KinesisSourceSettings()
_TICK_S = 0.25
_UNITS_PER_LEASE = 0.1  # 400 bytes of 4 KiB


class CountingTable(InMemoryLeaseTable):
    """Counts what DynamoDB would be paid for."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.read_units = 0.0
        self.steals = 0

    def read_all(self) -> list[Lease]:
        leases = super().read_all()
        self.read_units += max(1.0, len(leases) * _UNITS_PER_LEASE)
        return leases

    def rings(self, shard_id: str) -> int:
        self.read_units += 0.5  # a row, eventually consistent
        return super().rings(shard_id)

    def ring(self, shard_id: str) -> None:
        self.writes += 1
        super().ring(shard_id)

    def renew(self, lease: Lease) -> Lease:
        self.writes += 1
        return super().renew(lease)

    def take(self, lease: Lease, owner: str) -> Lease:
        self.writes += 1
        taken = super().take(lease, owner)
        self.steals += lease.owner is not None
        return taken

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        self.writes += 1
        return super().checkpoint(lease, checkpoint)


class Member:
    """A worker with its two rhythms; what it lost it releases, as its readers would."""

    def __init__(self, worker: Worker, now_s: float, rng: random.Random) -> None:
        self.worker = worker
        self.tenures: list[Tenure] = []
        self._rng = rng
        self._scan_at_s = now_s
        self._renew_at_s = now_s + SETTINGS.failover_s / 6

    def act(self, now_s: float) -> None:
        if now_s >= self._scan_at_s:
            self._scan_at_s += SETTINGS.scan_s
            self.tenures += self.worker.scan(())
        if now_s >= self._renew_at_s:
            self._renew_at_s += SETTINGS.failover_s / 6
            self.worker.renew()
        for lost in [tenure for tenure in self.tenures if tenure.state not in OURS]:
            self.release(lost)

    def release(self, tenure: Tenure) -> None:
        self.tenures.remove(tenure)
        self.worker.release(tenure)


class Fleet:
    """Workers that start at the given times."""

    def __init__(self, shards: int, starts_s: list[float]) -> None:
        self.clock = ManualClock()
        self.table = CountingTable()
        self.stream = ScriptedStream(even_shards(shards))
        self.members: dict[str, Member] = {}
        self._starts_s = {f"w{number}": at_s for number, at_s in enumerate(starts_s)}

    def run(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds)

    def run_until(self, condition: Callable[[], bool], most_s: float) -> float:
        """How long it took (s), `most_s` where it did not happen."""
        began_s = self.clock.monotonic()
        while not condition() and self.clock.monotonic() < began_s + most_s:
            now_s = self.clock.monotonic()
            for name, at_s in self._starts_s.items():
                if at_s <= now_s:
                    self._start(name)
            self._starts_s = {name: at_s for name, at_s in self._starts_s.items() if at_s > now_s}
            for member in self.members.values():
                member.act(now_s)
            self.clock.advance(_TICK_S)
        return self.clock.monotonic() - began_s

    def _start(self, name: str) -> None:
        rng = random.Random(name)
        worker = Worker(
            worker_id=name, stream=self.stream, table=self.table, settings=SETTINGS, clock=self.clock, rng=rng
        )
        worker.start()
        self.members[name] = Member(worker, self.clock.monotonic() + rng.random() * SETTINGS.scan_s, rng)

    def loads(self) -> list[int]:
        """Of the living; a lease that is nobody's, or a dead worker's, is missing in the sum."""
        owners = Counter(lease.owner for lease in InMemoryLeaseTable.read_all(self.table))
        return [owners[name] for name in self.members]

    def is_balanced(self, shards: int) -> bool:
        loads = self.loads()
        return not self._starts_s and sum(loads) == shards and max(loads) - min(loads) <= 1


def test_sixty_four_workers_that_start_together_share_evenly_without_a_steal_and_within_the_budget() -> None:
    fleet = Fleet(512, [0.0] * 64)
    assert fleet.run_until(lambda: fleet.is_balanced(512), 60.0) <= 6.0
    assert fleet.table.steals == 0
    fleet.run(20.0)
    writes, read_units = fleet.table.writes, fleet.table.read_units
    fleet.run(60.0)
    assert fleet.table.steals == 0
    assert fleet.table.writes - writes <= 18 * 512
    assert fleet.table.read_units - read_units <= 60 * (SETTINGS.read_units_s + 0.5 * 64)
    leaver = fleet.members.pop("w7")
    for tenure in list(leaver.tenures):
        leaver.release(tenure)
    assert fleet.run_until(lambda: fleet.is_balanced(512), 60.0) <= 2.0
    fleet.run(20.0)
    steals = fleet.table.steals
    dead = fleet.members.pop("w9")
    longest_look_s = 1.25 * 512 * _UNITS_PER_LEASE * 64 / SETTINGS.read_units_s
    assert fleet.run_until(lambda: fleet.is_balanced(512), 60.0) <= SETTINGS.failover_s + longest_look_s
    assert fleet.table.steals - steals == len(dead.tenures)


@pytest.mark.parametrize(("workers", "shards", "over_s"), [(6, 16, 0.0), (6, 16, 3.0), (5, 64, 10.0), (7, 3, 2.0)])
def test_workers_that_start_one_after_the_other_move_no_more_leases_than_needed(
    workers: int, shards: int, over_s: float
) -> None:
    starts_s = [over_s * number / workers for number in range(workers)]
    fleet = Fleet(shards, starts_s)
    assert fleet.run_until(lambda: fleet.is_balanced(shards), 60.0) <= over_s + 6.0
    assert fleet.table.steals <= shards + 2  # each lease once, and a few that two wanted
    steals = fleet.table.steals
    fleet.run(30.0)
    assert fleet.table.steals == steals
    assert fleet.is_balanced(shards)


def test_a_lease_that_is_checkpointed_is_not_renewed_besides() -> None:
    fleet = Fleet(1, [0.0])
    fleet.run(5.0)
    (tenure,) = fleet.members["w0"].tenures
    writes = fleet.table.writes
    for number in range(1, 31):
        tenure.checkpoint(Checkpoint.parse(str(number)))
        fleet.run(SETTINGS.checkpoint_s)
    assert fleet.table.writes - writes == 30


def test_an_idle_worker_costs_a_unit_a_second_and_no_write() -> None:
    fleet = Fleet(4, [0.0] * 5)
    fleet.run(10.0)
    (idle,) = [member for member in fleet.members.values() if not member.tenures]
    fleet.members = {"idle": idle}
    writes, read_units = fleet.table.writes, fleet.table.read_units
    fleet.run(5.0)  # before the silence of the others shows
    assert fleet.table.writes == writes
    assert fleet.table.read_units - read_units <= 6
