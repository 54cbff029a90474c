"""A shard: a range of hash keys and its records in order."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from infra.local.kinesis import sequence
from infra.local.kinesis.limits import ShardLimits
from infra.local.kinesis.log import ShardLog, arrival
from infra.local.kinesis.scaling import HASH_KEYS


class ShardInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a shard for good, and when it was closed. Hash keys are decimal, both ends included."""

    number: int
    starting_hash_key: str
    ending_hash_key: str
    opened_ms: int
    closed_ms: int | None = None
    ending_sequence: str | None = None
    parent: str | None = None  # shard ids
    adjacent_parent: str | None = None

    @property
    def shard_id(self) -> str:
        return f"shardId-{self.number:012d}"

    @property
    def hash_range(self) -> tuple[int, int]:
        """First and last hash key."""
        return int(self.starting_hash_key), int(self.ending_hash_key)

    @property
    def sequence_prefix(self) -> str:
        return sequence.prefix(self.opened_ms, self.number)

    @property
    def starting_sequence(self) -> str:
        return sequence.number(self.sequence_prefix, 0)


class Shard:
    """An open shard: its log, its limits, and what the next record gets."""

    def __init__(self, info: ShardInfo, folder: Path, now_ms: int, *, limits: bool) -> None:
        """Open its log in `folder`. Raises StartError if that is damaged."""
        self.info = info
        self.shard_id = info.shard_id
        self.sequence_prefix = info.sequence_prefix
        self.log = ShardLog(folder / f"{self.shard_id}.log")
        self.limits = ShardLimits(enforced=limits)
        last = self.log.last
        self.last_arrival_ms = last.arrived_ms if last else 0
        self.watchers: set[Callable[[], None]] = set()  # called when records came, or the shard was closed
        self._counter = sequence.resumed(last.sequence if last else None, now_ms)

    def next_sequence(self) -> str:
        """A number greater than all before it; never given out again, also if the record is not stored."""
        self._counter += 1
        return sequence.number(self.sequence_prefix, self._counter)

    @property
    def newest(self) -> str:
        """No record has a greater number yet, and all that come will have one."""
        return sequence.number(self.sequence_prefix, self._counter)

    def tell(self) -> None:
        """Call the watchers."""
        for watcher in list(self.watchers):
            watcher()

    def behind_ms(self, offset: int, now_ms: int) -> int:
        """How long ago the oldest record from a place of the log on arrived; 0 only when there is none."""
        if offset == self.log.size:
            return 0
        return max(1, now_ms - self.log.header(offset).arrived_ms)

    def issued(self, number: str) -> bool:
        """Whether a sequence number is the shard's first one, or may be of one of its records."""
        return self.info.starting_sequence <= number <= self.newest and len(number) == sequence.DIGITS

    def arrival(self, now_ms: int) -> bytes:
        """The arrival time of a record that comes now, as its log writes it: never before an earlier record's."""
        self.last_arrival_ms = max(self.last_arrival_ms, now_ms)
        return arrival(self.last_arrival_ms)


def even(count: int, opened_ms: int) -> list[ShardInfo]:
    """`count` shards that share the hash keys evenly."""
    step = HASH_KEYS // count
    starts = [number * step for number in range(count)] + [HASH_KEYS]
    return [
        ShardInfo(
            number=number,
            starting_hash_key=str(starts[number]),
            ending_hash_key=str(starts[number + 1] - 1),
            opened_ms=opened_ms,
        )
        for number in range(count)
    ]


def described(info: ShardInfo) -> dict[str, object]:
    """A shard as ListShards and DescribeStream answer it."""
    sequences = {"StartingSequenceNumber": info.starting_sequence}
    if info.ending_sequence is not None:
        sequences["EndingSequenceNumber"] = info.ending_sequence
    shard: dict[str, object] = {
        "ShardId": info.shard_id,
        "HashKeyRange": {"StartingHashKey": info.starting_hash_key, "EndingHashKey": info.ending_hash_key},
        "SequenceNumberRange": sequences,
    }
    if info.parent is not None:
        shard["ParentShardId"] = info.parent
    if info.adjacent_parent is not None:
        shard["AdjacentParentShardId"] = info.adjacent_parent
    return shard


def child(info: ShardInfo) -> dict[str, object]:
    """A shard as the last GetRecords of its parent names it (API reference, ChildShard)."""
    return {
        "ShardId": info.shard_id,
        "ParentShards": [parent for parent in (info.parent, info.adjacent_parent) if parent is not None],
        "HashKeyRange": {"StartingHashKey": info.starting_hash_key, "EndingHashKey": info.ending_hash_key},
    }


def selected(shards: Sequence[ShardInfo], kind: str, *, since_ms: int, after: str | None) -> list[ShardInfo]:
    """The shards that a ShardFilter of type `kind` names (API reference, ShardFilter).

    `since_ms`: its timestamp, or the trim horizon if that is later. `after`: its shard id.
    """

    def open_at(info: ShardInfo) -> bool:
        return info.opened_ms <= since_ms and (info.closed_ms is None or info.closed_ms >= since_ms)

    def open_from(info: ShardInfo) -> bool:
        return info.closed_ms is None or info.closed_ms >= since_ms

    if kind == "AFTER_SHARD_ID":
        return [info for info in shards if after is None or info.shard_id > after]
    if kind == "AT_LATEST":
        return [info for info in shards if info.closed_ms is None]
    return [info for info in shards if (open_at if kind.startswith("AT_") else open_from)(info)]
