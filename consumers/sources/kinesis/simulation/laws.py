"""What must be true of a fleet, looked at from outside: at the lease table, at the sink, at each reader's steps."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from consumers.delivery import Batch, Position, Record
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.shards import is_readable
from consumers.sources.kinesis.simulation.stream import Log, SimulatedStream
from consumers.sources.kinesis.simulation.threads import scheduler
from consumers.sources.kinesis.testing import InMemoryLeaseTable

_TICK_S = 0.01  # floats: what is equal may differ by less


class LawBroken(AssertionError):
    """The first law that a history has broken."""


@dataclass(slots=True, kw_only=True, eq=False)
class Holding:
    """One acquisition of a lease, as an observer knows it who sees every call and every answer."""

    worker: str
    good_since_s: float  # start of the last write that landed: nobody else counts from an earlier time
    answered_s: float  # the worker counts from here: start of the first write that may be the last one which landed
    tried_s: float | None = None  # start of the first write since the last answer
    over_s: float | None = None  # since then the worker knows that it is over
    is_read: bool = False  # a reader has begun
    lost_answers: int = 0  # of writes that landed, since the last answer


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What the sink has of one shard."""

    durable: set[Position] = field(default_factory=set)
    prefix: int = 0  # so many user records from the shard's first on are durable


class Laws:
    """Notes what happens and says what is wrong with it. `broken` is the first breach."""

    def __init__(
        self, stream: SimulatedStream, table: InMemoryLeaseTable, *, failover_s: float, knows_better: bool
    ) -> None:
        self.broken: str | None = None
        self.takes = 0
        self.repeated = 0  # records stored more than once
        self._stream = stream
        self._table = table
        self._failover_s = failover_s
        self._knows_better = knows_better  # the sink resumes where it is: the last checkpoint may stay behind it
        self._holdings: dict[tuple[str, str], Holding] = {}  # the last of (worker, shard)
        self._names: dict[str, str] = {}  # of workers, by the owner that they write
        self._owner: dict[str, Holding | None] = {}  # by shard id: whose take landed last
        self._written_s: dict[str, float] = {}  # by shard id: when a write landed last
        self._counters: dict[str, int] = {}  # by shard id: as that write left it
        self._looks: dict[str, tuple[float, list[Lease]]] = {}  # by worker: the table as it read it last
        self._checkpoints: dict[str, list[tuple[float, Checkpoint]]] = defaultdict(list)  # by shard id: when and what
        self._delivered: dict[str, Delivered] = defaultdict(Delivered)

    def say(self, breach: str) -> None:
        """Note a breach, with the time."""
        if self.broken is None:
            self.broken = f"at {scheduler().now_s:.2f} s: {breach}"

    # The lease table

    def landed(self, worker: str, call: str, lease: Lease, began_s: float, row: Lease | None) -> None:
        """A write of `worker` was let in: `row` is what is there now (None: it was given back)."""
        shard_id = lease.shard_id
        if row is not None and self._counters.get(shard_id) == row.counter:
            return  # it had landed before, and was only sent again
        if call == "take":
            if row is not None and row.owner is not None:
                self._names[row.owner] = worker
            self._taken(worker, lease, began_s)
        else:
            holding = self._holdings.get((worker, shard_id))
            if holding is None or self._owner.get(shard_id) is not holding:
                owner = self._owner.get(shard_id)
                self.say(f"{call} of {shard_id} by {worker}, but it is {owner.worker if owner else 'nobody'}'s")
            if call == "checkpoint" and row is not None:
                self._checkpointed(row)
            if call == "evict":
                self._owner[shard_id] = None
        self._written_s[shard_id] = scheduler().now_s
        self._counters[shard_id] = row.counter if row is not None else -1
        if call != "evict":
            self._holdings[worker, shard_id].good_since_s = began_s

    def tried(self, worker: str, lease: Lease) -> None:
        """The worker sends a write, which may land or not."""
        holding = self._holdings.get((worker, lease.shard_id))
        if holding is not None and holding.tried_s is None:
            holding.tried_s = scheduler().now_s

    def answered(self, worker: str, lease: Lease) -> None:
        """The worker knows that its write has landed."""
        holding = self._holdings.get((worker, lease.shard_id))
        if holding is not None:
            holding.answered_s = holding.answered_s if holding.tried_s is None else holding.tried_s
            holding.tried_s = None
            holding.lost_answers = 0

    def unanswered(self, worker: str, lease: Lease) -> None:
        """The write has landed, and the worker does not know it."""
        holding = self._holdings.get((worker, lease.shard_id))
        if holding is not None:
            holding.lost_answers += 1

    def gave_back(self, worker: str, lease: Lease) -> None:
        """It begins to release the lease, or was refused."""
        holding = self._holdings.get((worker, lease.shard_id))
        if holding is not None and holding.over_s is None:
            holding.over_s = scheduler().now_s

    def read(self, worker: str, read_s: float, leases: list[Lease]) -> None:
        """The worker has got the whole table as of `read_s`."""
        self._looks[worker] = (read_s, leases)
        for lease in leases:
            holding = self._holdings.get((worker, lease.shard_id))
            if holding is not None and self._name(lease) != worker and holding.over_s is None:
                holding.over_s = scheduler().now_s

    def _taken(self, worker: str, lease: Lease, began_s: float) -> None:
        self.takes += 1
        _, leases = self._looks[worker]
        owner = self._name(lease)
        if owner not in (None, worker):
            idle_s = scheduler().now_s - self._written_s[lease.shard_id]
            rich, poor = self._load(owner, leases), self._held(worker)
            if idle_s < self._failover_s - _TICK_S and rich < poor + 2:
                self.say(
                    f"{worker}, which has {poor}, took {lease.shard_id} from {owner}, which has {rich} and wrote"
                    f" {idle_s:.2f} s before"
                )
        holding = Holding(worker=worker, good_since_s=began_s, answered_s=began_s)
        self._holdings[worker, lease.shard_id] = self._owner[lease.shard_id] = holding

    def _name(self, lease: Lease) -> str | None:
        return None if lease.owner is None else self._names[lease.owner]

    def _load(self, worker: str | None, leases: list[Lease]) -> int:
        by_id = {lease.shard_id: lease for lease in leases}
        return sum(self._name(lease) == worker and is_readable(lease, by_id) for lease in leases)

    def _held(self, worker: str) -> int:
        """Leases that it knows to be its own; not those that it took without getting the answer."""
        looked_s, leases = self._looks[worker]
        by_id = {lease.shard_id: lease for lease in leases}
        return sum(
            holding.over_s is None
            and (holding.is_read or (holding.good_since_s >= looked_s and not holding.lost_answers))
            and is_readable(by_id[shard_id], by_id)
            for (name, shard_id), holding in self._holdings.items()
            if name == worker and shard_id in by_id
        )

    def _checkpointed(self, row: Lease) -> None:
        log, checkpoint = self._stream.logs[row.shard_id], row.checkpoint
        previous = self.checkpoint_of(row.shard_id) or TRIM_HORIZON
        prefix = self._delivered[row.shard_id].prefix
        self._checkpoints[row.shard_id].append((scheduler().now_s, checkpoint))
        if tuple(checkpoint) < tuple(previous):
            self.say(f"the checkpoint of {row.shard_id} went back from {previous} to {checkpoint}")
        if checkpoint == SHARD_END:
            self._ended(log, prefix)
        elif checkpoint.rank is Rank.NUMBER:
            ahead = log.positions[prefix:]
            if ahead and ahead[0] <= Position(checkpoint.sequence, checkpoint.sub_sequence):
                self.say(f"{row.shard_id} is checkpointed at {checkpoint}, but {ahead[0]} is not durable")

    def _ended(self, log: Log, prefix: int) -> None:
        shard_id = log.info.shard_id
        if not log.is_closed or prefix < len(log.positions):
            self.say(f"{shard_id} ended with {len(log.positions) - prefix} records that are not durable")
        rows = {lease.shard_id for lease in self._table.read_all()}
        due = {child.shard_id for child in log.children if all(self._is_finished(parent) for parent in child.parents)}
        if due - rows:
            self.say(f"{shard_id} ended before its children have leases: {sorted(due - rows)}")

    def _is_finished(self, shard_id: str) -> bool:
        return self.checkpoint_of(shard_id) == SHARD_END

    # Readers and their paths

    def opened(self, worker: str, shard_id: str) -> None:
        """A reader begins."""
        self._holdings[worker, shard_id].is_read = True

    def reader_over(self, worker: str, shard_id: str) -> None:
        """The reader has ended, for whatever reason."""
        holding = self._holdings[worker, shard_id]
        holding.over_s = scheduler().now_s if holding.over_s is None else holding.over_s

    def step_failed(self, worker: str, shard_id: str, error: Exception) -> None:
        """A reader ended with an error that nobody planned."""
        self.say(f"{worker} stops {shard_id}: {error!r}")

    def lost(self, worker: str, shard_id: str, why: str) -> None:
        """A reader was told that its lease is lost."""
        holding = self._holdings[worker, shard_id]
        age_s = scheduler().now_s - holding.answered_s
        if self._owner.get(shard_id) is holding and age_s < self._failover_s - _TICK_S and holding.lost_answers < 2:
            self.say(f"{worker} dropped {shard_id}, which is its own: {why}")

    def accepting(self, worker: str, batch: Batch, after: Position | None, step_began_s: float) -> None:
        """A path is offered `batch`; `after` is the last record that it has taken."""
        shard_id = batch.shard.shard_id
        log, first = self._stream.logs[shard_id], batch.records[0].position
        self._may_act(worker, shard_id, step_began_s)
        rows = {lease.shard_id: lease for lease in self._table.read_all()}
        unfinished = [p for p in log.info.parents if p in rows and rows[p].checkpoint != SHARD_END]
        if unfinished:
            self.say(f"{shard_id} is read before its parents are finished: {unfinished}")
        expected = self._delivered[shard_id].prefix if after is None else log.positions.index(after) + 1
        begin = log.positions.index(first)
        if begin > expected or (after is not None and begin != expected):
            self.say(f"{worker} offers {first} of {shard_id}, but {log.positions[expected]} is next")
        end = begin + len(batch.records)
        if [(r.position, r.data) for r in batch.records] != list(
            zip(log.positions[begin:end], log.payloads[begin:end], strict=True)
        ):
            self.say(f"{worker} offers other records of {shard_id} than the stream holds from {first} on")

    def _may_act(self, worker: str, shard_id: str, step_began_s: float) -> None:
        holding = self._holdings.get((worker, shard_id))
        if holding is None:
            self.say(f"{worker} reads {shard_id} without a lease")
            return
        if step_began_s - holding.good_since_s >= self._failover_s + _TICK_S:
            self.say(f"{worker} reads {shard_id} on a lease that ran out: last renewed at {holding.good_since_s:.2f} s")
        if holding.over_s is not None and step_began_s > holding.over_s + _TICK_S:
            self.say(f"{worker} reads {shard_id} and knew at {holding.over_s:.2f} s that it is not its own")

    def stored(self, shard_id: str, records: Sequence[Record]) -> None:
        """The sink has them for good."""
        delivered, positions = self._delivered[shard_id], self._stream.logs[shard_id].positions
        for record in records:
            self.repeated += record.position in delivered.durable
            delivered.durable.add(record.position)
        while delivered.prefix < len(positions) and positions[delivered.prefix] in delivered.durable:
            delivered.prefix += 1

    def last_durable(self, shard_id: str) -> Position | None:
        """The end of what is stored without a hole."""
        prefix = self._delivered[shard_id].prefix
        return self._stream.logs[shard_id].positions[prefix - 1] if prefix else None

    def checkpoint_of(self, shard_id: str, ago_s: float = 0.0) -> Checkpoint | None:
        """What the table held then; None before the first."""
        until_s = scheduler().now_s - ago_s
        return next((what for when_s, what in reversed(self._checkpoints[shard_id]) if when_s <= until_s), None)

    # At rest

    def unrest(self, workers: Iterable[str]) -> str | None:
        """What is still to be done, nothing else happening; None at rest. `workers` are those that live."""
        rows = {lease.shard_id: lease for lease in self._table.read_all()}
        loads = Counter(dict.fromkeys(workers, 0))
        for shard_id, log in self._stream.logs.items():
            if (stored := self._delivered[shard_id].prefix) < len(log.positions):
                return f"{len(log.positions) - stored} records of {shard_id} were never delivered"
            if log.is_closed and not self._is_finished(shard_id):
                return f"{shard_id} has ended and is not finished"
            if log.is_closed:
                continue
            if shard_id not in rows:
                return f"{shard_id} has no lease"
            row = rows[shard_id]
            if not self._knows_better and log.positions and row.checkpoint.position != log.positions[-1]:
                return f"{shard_id} is at {row.checkpoint}, and {log.positions[-1]} is durable"
            owner = self._name(row)
            if owner is None or owner not in loads:
                return f"{shard_id} belongs to {owner or 'nobody'}"
            loads[owner] += 1
        if max(loads.values()) - min(loads.values()) > 1:
            return f"not balanced: {dict(loads)}"
        return None

    def unreleased(self) -> list[str]:
        """Leases of unfinished shards that still have an owner."""
        leases = self._table.read_all()
        return [lease.shard_id for lease in leases if lease.owner is not None and lease.checkpoint != SHARD_END]
