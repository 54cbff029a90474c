"""The conformance suite of wishes with their stand-in, and a stream in memory whose records have times."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import pytest

from consumers.delivery import Position, Record, Trimmed
from consumers.fleet.wishes import EVERYONE, Wishes
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import LATEST, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.stream import Answer, ShardInfo
from consumers.sources.kinesis.table import LeaseTable
from runtime.outage import Outage


class InMemoryWishes:
    """While `away` is set, every call raises Outage."""

    def __init__(self) -> None:
        self.away = False
        self.asked: set[str] = set()

    def read(self) -> frozenset[str]:
        self._reach()
        return frozenset(self.asked)

    def add(self, who: str) -> None:
        self._reach()
        self.asked.add(who)

    def withdraw(self, who: str | None = None) -> None:
        self._reach()
        self.asked -= self.asked if who is None else {who}

    def _reach(self) -> None:
        if self.away:
            raise Outage("the wishes are away")


class WishesConformance:
    """What all wishes do. Subclass it and override the fixtures: a ready table, and the wishes that live with it."""

    @pytest.fixture
    def table(self) -> LeaseTable:
        raise NotImplementedError

    @pytest.fixture
    def wishes(self) -> Wishes:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def leases(self, table: LeaseTable) -> None:
        for shard_id in ("s-0", "s-1"):
            table.create(Lease(shard_id=shard_id, checkpoint=TRIM_HORIZON))

    def test_nobody_is_asked_at_first(self, wishes: Wishes) -> None:
        assert wishes.read() == frozenset()

    def test_asking_twice_is_asking_once(self, wishes: Wishes) -> None:
        wishes.add("a")
        wishes.add("a")
        wishes.add(EVERYONE)
        assert wishes.read() == {"a", EVERYONE}

    def test_one_is_let_go_or_all(self, wishes: Wishes) -> None:
        for who in ("a", "b", "c"):
            wishes.add(who)
        wishes.withdraw("b")
        assert wishes.read() == {"a", "c"}
        wishes.withdraw("nobody")
        wishes.withdraw()
        assert wishes.read() == frozenset()

    def test_leases_stay_as_they_are(self, wishes: Wishes, table: LeaseTable) -> None:
        before = sorted(table.read_all(), key=lambda lease: lease.shard_id)
        wishes.add("a")
        taken = table.take(before[0], "a")
        wishes.add("b")
        assert table.renew(taken).counter == 2
        wishes.withdraw()
        assert sorted(lease.shard_id for lease in table.read_all()) == ["s-0", "s-1"]


class TimedStream:
    """A stream in memory: sequence numbers 1, 2, ... in each shard. Iterators are `SHARD:FROM`.

    An iterator by time stands up to a second too early, as `Reads.from_time` may.
    """

    name = "orders"

    def __init__(self, shards: Iterable[ShardInfo], now: dt.datetime, *, page: int = 5) -> None:
        self._shards = {shard.shard_id: shard for shard in shards}
        self._records: dict[str, list[list[Record]]] = {shard_id: [] for shard_id in self._shards}
        self._now = now
        self._page = page
        self._trimmed: dict[str, int] = {}
        self.trouble: list[Exception] = []  # raised by the next reads, one each

    def put(self, shard_id: str, arrivals: Iterable[dt.datetime], *, users: int = 1) -> None:
        """A stream record for each, of so many user records."""
        records = self._records[shard_id]
        for at in arrivals:
            number = len(records) + 1
            records.append([Record(Position(number, sub), at, b"x") for sub in range(users)])

    def trim(self, shard_id: str, through: int) -> None:
        self._trimmed[shard_id] = through

    def shards(self) -> list[ShardInfo]:
        return list(self._shards.values())

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        position, count = start.position, len(self._records[shard_id])
        if position is not None and position.sequence > count:
            raise Trimmed(f"{shard_id} does not know its record {start.text}")
        if start.since is not None:
            early = start.since.replace(microsecond=0)
            return f"{shard_id}:{1 + sum(record[0].arrived_at < early for record in self._records[shard_id])}"
        return f"{shard_id}:{position.sequence if position else count + 1 if start == LATEST else 1}"

    def read(self, iterator: str, hash_range: HashRange | None = None) -> Answer:
        if self.trouble:
            raise self.trouble.pop(0)
        shard_id, _, first = iterator.rpartition(":")
        start = max(int(first) - 1, self._trimmed.get(shard_id, 0))
        held = self._records[shard_id]
        end = min(start + self._page, len(held))
        is_over = end == len(held)
        behind = 0 if is_over else max(1, round((self._now - held[end][0].arrived_at).total_seconds() * 1000))
        return Answer(
            records=[user for record in held[start:end] for user in record],
            next_iterator=None if is_over and not self._shards[shard_id].is_open else f"{shard_id}:{end + 1}",
            millis_behind=behind,
        )


def split(parent: ShardInfo, *names: str) -> list[ShardInfo]:
    """The parent, closed, and its two children."""
    first, last = parent.hash_range
    middle = (first + last) // 2
    ranges: Sequence[HashRange] = [(first, middle), (middle + 1, last)]
    below = [
        ShardInfo(shard_id=name, parents=frozenset({parent.shard_id}), hash_range=hashes)
        for name, hashes in zip(names, ranges, strict=True)
    ]
    return [ShardInfo(shard_id=parent.shard_id, hash_range=parent.hash_range, is_open=False), *below]


def owners(table: LeaseTable) -> Mapping[str, str | None]:
    """By shard."""
    return {lease.shard_id: lease.owner for lease in table.read_all()}
