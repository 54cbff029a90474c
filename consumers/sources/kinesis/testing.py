"""The lease table's conformance suite, its stand-in in memory, a scripted stream and scripted subscriptions.

More than 350 lines: the suite grows with the table, and every test of this source begins with the three together.
"""

import queue
import random
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.delivery import LeaseLost, Position, Record, Trimmed
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import Answer, ShardInfo
from consumers.sources.kinesis.subscriptions import Continuation
from consumers.sources.kinesis.table import LeaseTable, TableGone
from runtime.errors import ConfigError
from runtime.outage import Outage

_PATIENCE_S = 10.0  # for another thread to do what it is about to do

ARRIVED_AT = datetime(2026, 11, 27, 8, tzinfo=UTC)


class InMemoryLeaseTable:
    """A lease table for one process. While `away` is set, every call raises Outage and changes nothing.

    `is_migrated`: workers of KCL 3.x assign the leases.
    """

    def __init__(self) -> None:
        self.away = False
        self.is_migrated = False
        self._rung: dict[str, int] = {}
        self._is_gone = False
        self._rows: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def delete(self) -> None:
        """As an operator may, at any time."""
        self._is_gone = True
        self._rows.clear()

    def ensure(self) -> None:
        self._is_gone = False
        self._reach()

    def read_all(self) -> list[Lease]:
        self._reach()
        with self._lock:
            return list(self._rows.values())

    def create(self, lease: Lease) -> bool:
        self._reach()
        with self._lock:
            return self._rows.setdefault(lease.shard_id, lease) == lease

    def vet(self) -> None:
        if self.is_migrated:
            raise ConfigError("workers of KCL 3.x assign the leases")

    def renew(self, lease: Lease) -> Lease:
        return self._write(lease, lambda row: row, lambda row: row.owner == lease.owner)

    def take(self, lease: Lease, owner: str) -> Lease:
        switches = lease.owner_switches + (lease.owner != owner)
        return self._write(
            lease,
            lambda row: replace(row, owner=owner, owner_switches=switches),
            lambda row: row.owner == owner,
        )

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        def save(row: Lease) -> Lease:
            return replace(row, checkpoint=checkpoint, owner_switches=0)

        row = self._write(lease, save, lambda row: row.owner == lease.owner)
        return row if row.checkpoint >= checkpoint else self._write(row, save, lambda row: False)

    def evict(self, lease: Lease) -> None:
        self._reach()
        with self._lock:
            row = self._rows.get(lease.shard_id)
            if row is not None and row.owner == lease.owner:
                self._rows[lease.shard_id] = replace(row, owner=None, counter=row.counter + 1)
            elif row is None or row.owner is not None or row.counter != lease.counter + 1:
                raise LeaseLost(f"{lease.shard_id} is not {lease.owner}'s")

    def link(self, shard_id: str, children: Collection[str]) -> None:
        self._reach()
        with self._lock:
            if shard_id in self._rows:
                self._rows[shard_id] = replace(self._rows[shard_id], children=frozenset(children))

    def remove(self, lease: Lease) -> None:
        self._reach()
        with self._lock:
            if lease.shard_id in self._rows and self._rows[lease.shard_id].checkpoint == SHARD_END:
                del self._rows[lease.shard_id]
                self._rung.pop(lease.shard_id, None)

    def ring(self, shard_id: str) -> None:
        self._reach()
        with self._lock:
            if shard_id in self._rows:
                self._rung[shard_id] = self._rung.get(shard_id, 0) + 1

    def rings(self, shard_id: str) -> int:
        self._reach()
        return self._rung.get(shard_id, 0)

    def _write(self, lease: Lease, change: Callable[[Lease], Lease], is_ours: Callable[[Lease], bool]) -> Lease:
        self._reach()
        with self._lock:
            row = self._rows.get(lease.shard_id)
            if row is not None and row.counter == lease.counter:
                row = self._rows[lease.shard_id] = replace(change(row), counter=row.counter + 1)
            elif row is None or row.counter != lease.counter + 1 or not is_ours(row):
                raise LeaseLost(f"{lease.shard_id} is not {lease.owner}'s")
            return row

    def _reach(self) -> None:
        if self.away:
            raise Outage("the lease table is away")
        if self._is_gone:
            raise TableGone("the lease table is gone")


class LeaseTableConformance:
    """What every lease table must do. Subclass it and override the fixture `table` with an empty, ready table."""

    @pytest.fixture
    def table(self) -> LeaseTable:
        raise NotImplementedError

    def test_a_lease_is_created_once_and_read_back_whole(self, table: LeaseTable) -> None:
        lease = Lease(shard_id="s-2", checkpoint=LATEST, parents=frozenset({"s-0", "s-1"}), hash_range=(0, 2**128 - 1))
        assert table.create(lease)
        assert not table.create(replace(lease, checkpoint=TRIM_HORIZON))
        assert table.read_all() == [lease]

    def test_ensure_leaves_an_existing_table_alone(self, table: LeaseTable) -> None:
        lease = self._created(table)
        table.ensure()
        assert table.read_all() == [lease]

    def test_taking_sets_the_owner_and_counts_the_switch(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        assert (taken.owner, taken.counter, taken.owner_switches) == ("a", 1, 1)
        assert table.read_all() == [taken]

    def test_of_two_workers_that_saw_the_same_counter_one_wins(self, table: LeaseTable) -> None:
        lease = self._created(table)
        table.take(lease, "a")
        with pytest.raises(LeaseLost):
            table.take(lease, "b")
        assert self._only(table).owner == "a"

    def test_renewing_moves_the_counter_alone(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        assert table.renew(taken) == replace(taken, counter=2) == self._only(table)

    def test_a_checkpoint_is_stored_and_clears_the_switches(self, table: LeaseTable) -> None:
        to = Checkpoint.at(Position(49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_001, 7))
        saved = table.checkpoint(table.take(self._created(table), "a"), to)
        assert (saved.checkpoint, saved.owner_switches, saved.counter, saved.owner) == (to, 0, 2, "a")
        assert self._only(table) == saved

    def test_a_robbed_owner_can_neither_renew_nor_checkpoint_nor_evict(self, table: LeaseTable) -> None:
        robbed = table.take(self._created(table), "a")
        taken = table.take(robbed, "b")
        for write in (table.renew, table.evict, lambda lease: table.checkpoint(lease, SHARD_END)):
            with pytest.raises(LeaseLost):
                write(robbed)
        assert self._only(table) == taken

    def test_an_earlier_tenure_of_the_same_worker_is_refused(self, table: LeaseTable) -> None:
        earlier = table.take(self._created(table), "a")
        again = table.take(table.take(earlier, "b"), "a")
        with pytest.raises(LeaseLost):
            table.checkpoint(earlier, SHARD_END)
        assert self._only(table) == again

    def test_a_write_whose_answer_was_lost_counts_when_it_is_repeated(self, table: LeaseTable) -> None:
        to = Checkpoint.at(Position(5))
        lease = self._created(table)
        taken = table.take(lease, "a")
        assert table.take(lease, "a") == taken
        renewed = table.renew(taken)
        assert table.renew(taken) == renewed
        saved = table.checkpoint(renewed, to)
        assert table.checkpoint(renewed, to) == saved
        table.evict(saved)
        table.evict(saved)
        assert self._only(table) == replace(saved, owner=None, counter=saved.counter + 1)

    def test_a_checkpoint_after_one_whose_answer_was_lost_is_stored_on_top_of_it(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        table.checkpoint(taken, Checkpoint.at(Position(5)))
        saved = table.checkpoint(taken, Checkpoint.at(Position(9)))
        assert saved.checkpoint.sequence == 9
        assert table.renew(saved).owner == "a"

    def test_a_checkpoint_after_an_end_whose_answer_was_lost_does_not_open_the_shard_again(
        self, table: LeaseTable
    ) -> None:
        taken = table.take(self._created(table), "a")
        table.checkpoint(taken, SHARD_END)
        assert table.checkpoint(taken, Checkpoint.at(Position(9))).checkpoint == SHARD_END
        assert self._only(table).checkpoint == SHARD_END

    def test_renewing_after_a_checkpoint_whose_answer_was_lost_keeps_the_checkpoint(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        table.checkpoint(taken, Checkpoint.at(Position(5)))
        assert table.renew(taken).checkpoint.sequence == 5

    def test_an_evicted_lease_has_no_owner_and_keeps_its_checkpoint(self, table: LeaseTable) -> None:
        saved = table.checkpoint(table.take(self._created(table), "a"), Checkpoint.at(Position(5, 1)))
        table.evict(saved)
        assert self._only(table) == replace(saved, owner=None, counter=3)

    def test_children_are_noted_without_disturbing_the_owner(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        table.link("s-0", ["s-1", "s-2"])
        table.link("nowhere", ["s-3"])
        assert self._only(table) == replace(taken, children=frozenset({"s-1", "s-2"}))
        assert table.renew(taken).owner == "a"

    def test_a_create_whose_answer_was_lost_counts_when_it_is_repeated(self, table: LeaseTable) -> None:
        lease = self._created(table)
        assert table.create(lease)
        table.take(lease, "a")
        assert not table.create(lease)

    def test_a_first_position_keeps_its_time_until_there_is_a_number(self, table: LeaseTable) -> None:
        entered = Checkpoint.entered(Rank.LATEST, ARRIVED_AT)
        assert table.create(Lease(shard_id="s-0", checkpoint=entered))
        taken = table.take(self._only(table), "a")
        assert (taken.checkpoint, taken.checkpoint.since) == (entered, ARRIVED_AT)
        saved = table.checkpoint(taken, Checkpoint.at(Position(7)))
        assert self._only(table).checkpoint == Checkpoint.at(Position(7))
        back = Checkpoint.entered(Rank.AT_TIMESTAMP, ARRIVED_AT)
        assert table.checkpoint(saved, back).checkpoint == self._only(table).checkpoint == back

    def test_only_the_lease_of_a_finished_shard_is_removed(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        table.remove(taken)
        assert self._only(table) == taken
        ended = table.checkpoint(taken, SHARD_END)
        table.remove(taken)
        table.remove(ended)
        assert table.read_all() == []

    def test_rings_are_counted_without_disturbing_the_owner(self, table: LeaseTable) -> None:
        taken = table.take(self._created(table), "a")
        assert table.rings("s-0") == table.rings("nowhere") == 0
        table.ring("s-0")
        table.ring("nowhere")
        table.ring("s-0")
        assert table.rings("s-0") == 2
        assert table.rings("nowhere") == 0
        assert table.renew(taken).owner == "a"

    def test_a_table_that_nobody_else_rules_is_ours_to_use(self, table: LeaseTable) -> None:
        table.vet()

    @staticmethod
    def _created(table: LeaseTable) -> Lease:
        lease = Lease(shard_id="s-0", checkpoint=TRIM_HORIZON)
        assert table.create(lease)
        return lease

    @staticmethod
    def _only(table: LeaseTable) -> Lease:
        (lease,) = table.read_all()
        return lease


class ScriptedStream:
    """A stream in memory. Records get sequence numbers 1, 2, ... in each shard; iterators are `SHARD:FROM`.

    `trouble` is raised by the next reads, one error each; `calls` logs what was asked.
    """

    name = "orders"

    def __init__(self, shards: Iterable[ShardInfo], *, page: int = 100) -> None:
        self._shards = {shard.shard_id: shard for shard in shards}
        self._records: dict[str, list[list[Record]]] = {shard_id: [] for shard_id in self._shards}
        self._trimmed: dict[str, int] = {}
        self._page = page
        self.children: Mapping[str, tuple[ShardInfo, ...]] = {}  # by closed parent
        self.trouble: deque[Exception] = deque()
        self.calls: list[str] = []
        self.listed = 0  # times that the shards were asked for

    def put(self, shard_id: str, *payloads: bytes, arrived_at: datetime = ARRIVED_AT) -> None:
        records = self._records[shard_id]
        for payload in payloads:
            records.append([Record(Position(len(records) + 1), arrived_at, payload)])

    def put_aggregate(self, shard_id: str, *payloads: bytes) -> None:
        """One stream record with so many user records."""
        number = len(self._records[shard_id]) + 1
        self._records[shard_id].append(
            [Record(Position(number, sub), ARRIVED_AT, payload) for sub, payload in enumerate(payloads)]
        )

    def trim(self, shard_id: str, through: int) -> None:
        """Forget the records up to this sequence number."""
        self._trimmed[shard_id] = through

    def replace(self, shards: Iterable[ShardInfo]) -> None:
        """From now on these are listed."""
        self._shards = {shard.shard_id: shard for shard in shards}
        self._records = {shard_id: self._records.get(shard_id, []) for shard_id in self._shards}

    def shards(self) -> list[ShardInfo]:
        self.listed += 1
        return list(self._shards.values())

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        self.calls.append(f"iterator {shard_id} {start.text}")
        position = start.position
        if position is not None and position.sequence > len(self._records[shard_id]):
            raise Trimmed(f"{shard_id} does not know its record {start.text}")
        if start.since is not None:
            number = 1 + sum(record[0].arrived_at < start.since for record in self._records[shard_id])
        else:
            number = len(self._records[shard_id]) + 1 if start.rank is Rank.LATEST else 1
        return f"{shard_id}:{position.sequence if position else number}"

    def read(self, iterator: str, hash_range: HashRange | None = None) -> Answer:
        self.calls.append(f"read {iterator}")
        if self.trouble:
            raise self.trouble.popleft()
        shard_id, _, first = iterator.rpartition(":")
        start = max(int(first) - 1, self._trimmed.get(shard_id, 0))
        held = self._records[shard_id]
        records = held[start : start + self._page]
        end = start + len(records)
        children = self.children.get(shard_id, ()) if end == len(held) else ()
        return Answer(
            records=[user for record in records for user in record],
            next_iterator=None if children else f"{shard_id}:{end + 1}",
            millis_behind=len(held) - end,
            children=children,
        )


def even_shards(count: int) -> list[ShardInfo]:
    """`count` open shards that cover all hash keys."""
    width = 2**128 // count
    edges = [width * index for index in range(count)] + [2**128]
    return [
        ShardInfo(shard_id=f"shardId-{index:012d}", hash_range=(edges[index], edges[index + 1] - 1))
        for index in range(count)
    ]


def fixed_random() -> random.Random:
    """Seeded, for tests that jitter."""
    return random.Random(7)


class ScriptedConsumer:
    """A consumer whose subscriptions say what a test tells them to.

    `trouble` is raised by the next calls, one error each; `calls` logs where subscriptions began.
    """

    def __init__(self) -> None:
        self.trouble: deque[Exception] = deque()
        self.calls: list[str] = []
        self.registrations = 0
        self._made: queue.Queue[ScriptedSubscription] = queue.Queue()

    def register(self) -> None:
        self.registrations += 1
        if self.trouble:
            raise self.trouble.popleft()

    def subscribe(
        self, shard_id: str, start: Checkpoint | Continuation, hash_range: HashRange | None
    ) -> "ScriptedSubscription":
        place = f"after {start.after}" if isinstance(start, Continuation) else f"at {start.text}"
        self.calls.append(f"{shard_id} {place}")
        if self.trouble:
            raise self.trouble.popleft()
        made = ScriptedSubscription()
        self._made.put(made)
        return made

    def subscription(self) -> "ScriptedSubscription":
        """The next one that somebody makes; waits for it."""
        return self._made.get(timeout=_PATIENCE_S)


class ScriptedSubscription:
    """Brings what `send` is given; `end` ends it in good order, `fail` otherwise; silent in between."""

    def __init__(self) -> None:
        self._said: queue.Queue[Answer | Exception | None] = queue.Queue()
        self.is_closed = threading.Event()

    def send(self, *answers: Answer) -> None:
        for answer in answers:
            self._said.put(answer)

    def end(self) -> None:
        self._said.put(None)

    def fail(self, error: Exception) -> None:
        self._said.put(error)

    def __iter__(self) -> Iterator[Answer]:
        while isinstance(said := self._said.get(), Answer):
            yield said
        if said is not None:
            raise said

    def close(self) -> None:
        self.is_closed.set()
        self._said.put(Outage("closed"))
