"""A stream that misbehaves in every way that a real one does, and the way back to the line."""

import base64
import itertools
import random
import secrets
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any

import msgspec

from contract.heartbeat import Heartbeat
from contract.kpl.aggregate import LARGEST_HASH_KEY, OUTER_KEY, UserRecord, hash_key_of, opened
from contract.stamp import Stamp
from producers.agent.agent import Agent
from producers.agent.aggregating import AGGREGATE_BYTES, AT_ONCE, AggregatingKinesisStream
from producers.agent.globs import Glob
from producers.agent.heartbeats import Heartbeats, Rhythm
from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits, Sender, Stream
from producers.agent.spool import SUFFIX, Host, Spool
from producers.agent.state import State
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.outage import Outage
from runtime.testing import ManualClock


class Fault(Enum):
    """What may happen to one request."""

    NONE = auto()
    THROTTLE_SOME = auto()
    THROTTLE_ALL = auto()
    REFUSE = auto()  # an error, nothing stored
    DROP_ANSWER = auto()  # all stored, then a timeout
    DROP_ANSWER_OF_SOME = auto()  # some stored, then a timeout


class FakeStream:
    """Stores records in memory, in the order in which it takes them; after the faults given it is well."""

    limits: Limits = ONE_REQUEST
    held_s = 0.0

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        *,
        down_for: int = 0,
        rng: random.Random | None = None,
        effect: Effect = no_effect,
    ) -> None:
        """The n-th request meets the n-th fault; the first `down_for` checks fail. `effect` is told `put`, `stored`."""
        self.stored: list[Packed] = []
        self.requests: list[int] = []  # entries in each
        self._faults: Iterator[Fault] = itertools.chain(faults, itertools.repeat(Fault.NONE))
        self._down_for = down_for
        self._rng = rng or random.Random(0)
        self._effect = effect

    @property
    def lines(self) -> list[Packed]:
        """What is stored but heartbeats."""
        return [record for record in self.stored if not is_heartbeat(record.data)]

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """As stored, in order."""
        return [msgspec.json.decode(record.data, type=Heartbeat) for record in self.stored if is_heartbeat(record.data)]

    def check(self) -> None:
        self._down_for -= 1
        if self._down_for >= 0:
            raise Outage("no connection")

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        assert 1 <= len(batch) <= self.limits.lines
        assert sum(len(line.data) + len(line.key) for line in batch) <= self.limits.bytes
        return self.answer([[line] for line in batch])

    def close(self) -> None:
        pass

    def answer(self, entries: Sequence[Sequence[Packed]]) -> list[str | None]:
        """One request, and its fault. Each entry is stored as a whole or not at all; the codes of entries."""
        self._effect("put")
        self.requests.append(len(entries))
        fault = next(self._faults)
        some = {Fault.THROTTLE_SOME, Fault.DROP_ANSWER_OF_SOME}
        none = {Fault.THROTTLE_ALL, Fault.REFUSE}
        taken = [fault not in none and (fault not in some or self._rng.random() < 0.5) for _ in entries]
        self.stored += [line for lines, is_taken in zip(entries, taken, strict=True) if is_taken for line in lines]
        self._effect("stored")
        if fault in (Fault.REFUSE, Fault.DROP_ANSWER, Fault.DROP_ANSWER_OF_SOME):
            raise Outage("no answer")
        return [None if is_taken else "ProvisionedThroughputExceededException" for is_taken in taken]


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
        self.sent_by = AggregatingKinesisStream(
            self, "orders", clock=clock, rng=random.Random(0), aggregate_bytes=aggregate_bytes
        )

    @property
    def held_s(self) -> float:  # type: ignore[override]
        return self.sent_by.held_s

    def check(self) -> None:
        super().check()
        self.sent_by.check()

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        assert 1 <= len(batch) <= self.limits.lines
        return self.sent_by.put(batch)

    def describe_stream_summary(self, **_: str) -> dict[str, Any]:
        summary = {"StreamStatus": "ACTIVE", "RecordDistributionStrategy": self.strategy}
        return {"StreamDescriptionSummary": summary}

    def list_shards(self, **_: str) -> dict[str, Any]:
        self.looks += 1
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
        entries = [_lines_of(record) for record in Records]
        together = [place for place, lines in zip(places, entries, strict=True) if len(lines) > 1]
        assert len(together) == len(set(together))
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


def _lines_of(record: dict[str, Any]) -> list[Packed]:
    users = opened(record["Data"]) or [UserRecord(record["PartitionKey"], record["Data"])]
    assert len(users) == 1 or record["PartitionKey"] == OUTER_KEY
    return [_packed(user) for user in users]


def _packed(user: UserRecord) -> Packed:
    stamp = msgspec.json.decode(user.data, type=_Stamped).stamp
    end = stamp.o if stamp.k == "heartbeat" else stamp.o + stamp.n + 1
    return Packed(stamp.f, stamp.o, end, stamp.c, user.partition_key, user.data)


RHYTHM = Rhythm(moved_s=10.0, idle_s=60.0, final_after_s=300.0)


def agent_on(
    folder: Path,
    stream: Stream,
    clock: ManualClock,
    *,
    effect: Effect = no_effect,
    seed: int = 0,
    rhythm: Rhythm = RHYTHM,
) -> tuple[Agent, State]:
    """An agent on `folder`/spool with its state in `folder`/state, as after a start of the process."""
    for name in ("spool", "state"):
        (folder / name).mkdir(exist_ok=True)
    state = State(folder / "state", effect=effect)
    host = Host(name="web-1", instance="i-1")
    spool = Spool(
        [Glob.of(f"{folder}/spool/*{SUFFIX}")],
        state,
        kind="order",
        host=host,
        limits=stream.limits,
        clock=clock,
        token=lambda: secrets.token_hex(8),
    )
    sender = Sender(stream, rng=random.Random(seed), clock=clock, start_patience_s=60.0)
    heartbeats = Heartbeats(spool=spool, state=state, sender=sender, host=host, clock=clock, rhythm=rhythm)
    agent = Agent(
        spool=spool,
        state=state,
        sender=sender,
        heartbeats=heartbeats,
        clock=clock,
        poll_s=0.03,
        state_every_s=0.2,
    )
    return agent, state


class _Stamped(msgspec.Struct):
    stamp: Stamp = msgspec.field(name="_sp")


class _Envelope(msgspec.Struct):
    line: str | None = None
    line_b64: str | None = None
    oversize: dict[str, int | str] | None = None


def is_heartbeat(data: bytes) -> bool:
    """Whether a record speaks of lines instead of carrying one: its stamp says so, whatever type a line claims."""
    return msgspec.json.decode(data, type=_Stamped).stamp.k == "heartbeat"


def original_of(data: bytes) -> tuple[Stamp, bytes | None]:
    """The stamp of a record and the line that it carries, byte for byte; None for a line that stayed on its host."""
    stamp = msgspec.json.decode(data, type=_Stamped).stamp
    if data.startswith(b'{"_sp":'):
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.line is not None:
            return stamp, envelope.line.encode()
        if envelope.line_b64 is not None:
            return stamp, base64.b64decode(envelope.line_b64)
        if envelope.oversize is not None:
            return stamp, None
    # The last one: whatever looks like it inside a text of the stamp has its quotes escaped.
    begin = data.rindex(b'"_sp":')
    end = len(data.rstrip(b" \t\r")) - 1
    return stamp, data[:begin].removesuffix(b",") + data[end:]
