"""A stream of Kinesis's shards, in memory, that misbehaves like FakeStream and reshards."""

import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from contract.kpl.aggregate import LARGEST_HASH_KEY, OUTER_KEY, UserRecord, hash_key_of, opened
from producers.agent.aggregating import AGGREGATE_BYTES, AT_ONCE, AggregatingKinesisStream
from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits
from producers.agent.testing import FakeStream, Fault, original_of
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.outage import Stop


class FakeShards(FakeStream):
    """The same behind PutRecords of a stream with shards: what the agent sends to it aggregates.

    Its `requests` count the records of Kinesis. Checks what is asked of a sender: at most one aggregate of a shard in
    a request, none that a service would refuse.
    """

    limits: Limits = AT_ONCE

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        *,
        clock: Clock,
        shards: int = 3,
        reshard_after: Iterable[int] = (),
        aggregate_bytes: int = AGGREGATE_BYTES,
        down_for: int = 0,
        rng: random.Random | None = None,
        effect: Effect = no_effect,
    ) -> None:
        """`reshard_after`: numbers of requests, from 1 on, after which some shard is split or two are merged."""
        super().__init__(faults, down_for=down_for, rng=rng, effect=effect)
        step = (LARGEST_HASH_KEY + 1) // shards
        self.ends = [step * number - 1 for number in range(1, shards)] + [LARGEST_HASH_KEY]  # last keys, open shards
        self.ids = [f"shardId-{number:012d}" for number in range(shards)]
        self.by_shard: dict[str, list[Packed]] = {}
        self.strategy = "USER_PARTITION_KEY"
        self.looks = 0  # ListShards
        self._reshard_after = set(reshard_after)
        self._next_id = shards
        self._has_changed = False  # since they were listed
        self.sent_by = AggregatingKinesisStream(
            self, "orders", clock=clock, rng=random.Random(0), aggregate_bytes=aggregate_bytes
        )

    def check(self) -> None:
        super().check()
        self.sent_by.check()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        assert 1 <= len(batch) <= self.limits.lines
        return self.sent_by.put(batch, stop)

    def describe_stream_summary(self, **_: str) -> dict[str, Any]:
        summary = {"StreamStatus": "ACTIVE", "RecordDistributionStrategy": self.strategy}
        return {"StreamDescriptionSummary": summary}

    def list_shards(self, **_: str) -> dict[str, Any]:
        self.looks += 1
        self._has_changed = False
        starts = [0, *(end + 1 for end in self.ends[:-1])]
        return {
            "Shards": [
                {
                    "ShardId": shard_id,
                    "HashKeyRange": {"StartingHashKey": str(first), "EndingHashKey": str(last)},
                    "SequenceNumberRange": {"StartingSequenceNumber": "1"},
                }
                for shard_id, first, last in zip(self.ids, starts, self.ends, strict=True)
            ]
        }

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(Records) <= ONE_REQUEST.lines
        assert sum(len(record["Data"]) + len(record["PartitionKey"]) for record in Records) <= ONE_REQUEST.bytes
        places = [bisect_left(self.ends, _hash_key_of(record)) for record in Records]
        entries = [lines_of(record) for record in Records]
        together = [place for place, lines in zip(places, entries, strict=True) if len(lines) > 1]
        assert self._has_changed or len(together) == len(set(together))
        codes = self.answer(entries)
        results: list[dict[str, str]] = []
        for place, lines, code in zip(places, entries, codes, strict=True):
            if code is None:
                self.by_shard.setdefault(self.ids[place], []).extend(lines)
            results.append({"ShardId": self.ids[place]} if code is None else {"ErrorCode": code})
        if len(self.requests) in self._reshard_after:
            self._reshard()
        return {"FailedRecordCount": len(codes) - codes.count(None), "Records": results}

    def _reshard(self) -> None:
        place = self._rng.randrange(len(self.ids))
        self._has_changed = True
        self._next_id += 1
        if self._rng.random() < 0.5 or place == len(self.ids) - 1:
            first = self.ends[place - 1] + 1 if place else 0
            self.ends.insert(place, (first + self.ends[place]) // 2)
            self.ids[place : place + 1] = [f"shardId-{self._next_id:012d}", f"shardId-{self._next_id + 1:012d}"]
            self._next_id += 1
        else:
            del self.ends[place]
            self.ids[place : place + 2] = [f"shardId-{self._next_id:012d}"]


def _hash_key_of(record: dict[str, Any]) -> int:
    explicit = record.get("ExplicitHashKey")
    return hash_key_of(record["PartitionKey"]) if explicit is None else int(explicit)


def lines_of(record: dict[str, Any]) -> list[Packed]:
    """The lines that a record of Kinesis carries."""
    users = opened(record["Data"]) or [UserRecord(record["PartitionKey"], record["Data"])]
    assert len(users) == 1 or record["PartitionKey"] == OUTER_KEY
    return [_packed(user) for user in users]


def _packed(user: UserRecord) -> Packed:
    stamp, _ = original_of(user.data)
    end = stamp.o if stamp.k == "heartbeat" else stamp.o + stamp.n + 1
    return Packed(stamp.f, stamp.o, end, stamp.c, user.partition_key, user.data)
