"""A stream on the simulated clock: a log a shard, aggregates, splits, merges, retention."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consumers.delivery import Position, Trimmed
from consumers.sources.kinesis import aggregates
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import Checkpoint, Rank
from consumers.sources.kinesis.simulation.threads import scheduler
from consumers.sources.kinesis.stream import Answer, IteratorExpired, ShardGone, ShardInfo, Throttled
from consumers.sources.kinesis.testing import ARRIVED_AT, even_shards
from contract.kpl.aggregate import UserRecord, aggregated

# The first numbers have two digits and the later ones three: as strings they would stand in another order.
FIRST_SEQUENCE = 60
ITERATOR_LIFE_S = 15.0  # five minutes at Kinesis: here a pause is long enough to see one expire


@dataclass(slots=True, kw_only=True)
class Log:
    """One shard with all that was ever put into it."""

    info: ShardInfo
    children: tuple[ShardInfo, ...] = ()  # a closed shard has some
    sequences: list[int] = field(default_factory=list)
    stored: list[tuple[datetime, bytes]] = field(default_factory=list)  # beside `sequences`
    positions: list[Position] = field(default_factory=list)  # of all user records
    payloads: list[bytes] = field(default_factory=list)  # beside `positions`
    first: int = 0  # place of the first record that retention has left
    throttled_until_s: float = 0.0
    is_listed: bool = True

    @property
    def is_closed(self) -> bool:
        return bool(self.children)


class SimulatedStream:
    """Implements `Stream`. At most `page` records an answer, each with all its user records."""

    name = "orders"

    def __init__(self, shards: int, *, page: int) -> None:
        self.logs = {info.shard_id: Log(info=info) for info in even_shards(shards)}
        self._page = page
        self._next_sequence = FIRST_SEQUENCE
        self._ranges: list[HashRange] = sorted(log.info.hash_range for log in self.logs.values())  # that ever were
        self._sent = 0

    def open_logs(self) -> list[Log]:
        """Those that take new records, by hash range."""
        return sorted((log for log in self.logs.values() if not log.is_closed), key=lambda log: log.info.hash_range)

    def put(self, where: int, count: int) -> None:
        """`count` user records, together in an aggregate from two on.

        They are packed for the hash range number `where` of all that ever were: for one of a shard that has been split
        since, they end in one child, and some of them are strays there.
        """
        low, high = self._ranges[where % len(self._ranges)]
        users = [
            UserRecord(str(number), b"r-%d" % number, low + (high - low) * (number % 5) // 4)
            for number in range(self._sent, self._sent + count)
        ]
        self._sent += count
        data = aggregated(users) if count > 1 else users[0].data
        log = next(log for log in self.open_logs() if users[0].hash_key <= log.info.hash_range[1])
        sequence = self._new_sequence()
        log.sequences.append(sequence)
        log.stored.append((ARRIVED_AT + timedelta(seconds=scheduler().now_s), data))
        log.positions += [Position(sequence, number) for number in range(count)]
        log.payloads += [user.data for user in users]

    def split(self, where: int) -> None:
        logs = self.open_logs()
        log = logs[where % len(logs)]
        first, last = log.info.hash_range
        middle = (first + last) // 2
        self._close([log], [(first, middle), (middle + 1, last)])

    def merge(self, where: int) -> None:
        """One with its neighbour, if it has one."""
        logs = self.open_logs()
        if len(logs) > 1:
            at = where % (len(logs) - 1)
            low, high = logs[at : at + 2]
            self._close([low, high], [(low.info.hash_range[0], high.info.hash_range[1])])

    def _close(self, parents: list[Log], ranges: list[HashRange]) -> None:
        children = tuple(
            ShardInfo(
                shard_id=f"shardId-{len(self.logs) + number:012d}",
                parents=frozenset(parent.info.shard_id for parent in parents),
                hash_range=hash_range,
            )
            for number, hash_range in enumerate(ranges)
        )
        for child in children:
            self.logs[child.shard_id] = Log(info=child)
            if child.hash_range not in self._ranges:
                insort(self._ranges, child.hash_range)
        for parent in parents:
            parent.children = children
        self._new_sequence()  # the end of a shard has a number too

    def trim(self, log: Log, below: int) -> None:
        """Retention: forget the records with lower sequence numbers; a closed shard without records goes itself."""
        log.first = max(log.first, bisect_left(log.sequences, below))
        log.is_listed = not log.is_closed or log.first < len(log.sequences)

    def throttle(self, where: int, seconds: float) -> None:
        log = list(self.logs.values())[where % len(self.logs)]
        log.throttled_until_s = scheduler().now_s + seconds

    def _new_sequence(self) -> int:
        self._next_sequence += 3
        return self._next_sequence

    def shards(self) -> list[ShardInfo]:
        return [
            ShardInfo(
                shard_id=log.info.shard_id,
                parents=log.info.parents,
                hash_range=log.info.hash_range,
                is_open=not log.is_closed,
            )
            for log in self.logs.values()
            if log.is_listed
        ]

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        log = self._log(shard_id)
        at = log.first
        if start.rank is Rank.NUMBER:
            at = bisect_left(log.sequences, start.sequence)
            if at < log.first:
                raise Trimmed(f"{shard_id} no longer holds its record {start.text}")
        elif start.rank is Rank.LATEST:
            at = len(log.sequences)
        return self._iterator_at(log, at)

    def read(self, iterator: str, hash_range: HashRange | None) -> Answer:
        shard_id, at, expires_s = iterator.split(":")
        log = self._log(shard_id)
        now_s = scheduler().now_s
        if now_s >= float(expires_s):
            raise IteratorExpired(f"{iterator} is {ITERATOR_LIFE_S} s old")
        if now_s < log.throttled_until_s:
            raise Throttled(f"{shard_id} was read too often")
        start = max(int(at), log.first)
        end = min(start + self._page, len(log.sequences))
        opener = aggregates.Opener(hash_range)
        records = [
            record
            for sequence, (arrived_at, data) in zip(log.sequences[start:end], log.stored[start:end], strict=True)
            for record in opener.records(sequence, arrived_at, data)
        ]
        is_over = log.is_closed and end == len(log.sequences)
        behind_s = 0.0 if end == len(log.sequences) else now_s - (log.stored[end][0] - ARRIVED_AT).total_seconds()
        return Answer(
            records=records,
            next_iterator=None if is_over else self._iterator_at(log, end),
            millis_behind=int(behind_s * 1000),
            children=log.children if is_over else (),
            strays=opener.strays,
        )

    def _iterator_at(self, log: Log, at: int) -> str:
        return f"{log.info.shard_id}:{at}:{scheduler().now_s + ITERATOR_LIFE_S}"

    def _log(self, shard_id: str) -> Log:
        log = self.logs[shard_id]
        if not log.is_listed:
            raise ShardGone(f"{shard_id} is no longer listed")
        return log
