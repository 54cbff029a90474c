"""One history of a Java daemon and a worker of ours on one table: joins, a split, kills, stops."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from consumers.sources.kinesis.checkpoints import SHARD_END, Checkpoint
from loadtests.kcl.peers import FAILOVER_S, Peers
from loadtests.kcl.recording import Entry, Opened, Took
from loadtests.kcl.sending import Sender

Kind = Literal["java", "python"]

SHARDS = 4
# Java looks for leases every two failovers, and steals one at a time; it starts in 8 to 18 s.
_JOINS_WITHIN_S = 120.0
# Ours looks every second. Java learns at one look that a counter stands still and takes at a later one, not always all.
_TAKES_OVER_WITHIN_S = {"python": FAILOVER_S + 10.0, "java": FAILOVER_S + 4 * 2 * FAILOVER_S + 10.0}
_READS_WITHIN_S = 60.0
_NEEDED = frozenset(  # by a Java reader of a row
    {"leaseKey", "leaseCounter", "ownerSwitchesSinceCheckpoint", "checkpoint", "checkpointSubSequenceNumber"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something tried, and what was seen."""

    tried: str
    seen: str
    is_good: bool


class History:
    """Two kinds of peers, of which `first` makes the table."""

    def __init__(self, peers: Peers, kinesis: Any, stream: str, first: Kind) -> None:
        self._peers = peers
        self._kinesis = kinesis
        self._stream = stream
        self._first, self._second = (f"{kind}-1" for kind in _both(first))
        self._later_first, self._later_second = (f"{kind}-2" for kind in _both(first))

    def findings(self) -> Generator[Finding, None, None]:
        """As they are made. After one that is not good the rest makes no sense."""
        first, second = self._first, self._second
        with Sender(self._kinesis, self._stream) as sender:
            self._start(first)
            yield self._holds_all(f"{first} alone, on no table", first, _JOINS_WITHIN_S)
            self._start(second)
            yield self._is_balanced(f"{second} joins", first, second)
            yield self._began_at_checkpoints(second, of=first)
            yield from self._split(sender)
            yield self._killed(second, first)
            yield self._began_at_checkpoints(first, of=second)
            self._start(self._later_second)
            yield self._is_balanced(f"{self._later_second} joins", first, self._later_second)
            yield self._killed(first, self._later_second)
            self._start(self._later_first)
            yield self._is_balanced(f"{self._later_first} joins", self._later_first, self._later_second)
            yield self._stopped(self._later_second, self._later_first)
            yield self._began_at_checkpoints(self._later_first, of=self._later_second)
            sender.stop()
            yield self._is_delivered(sender)
            yield self._has_whole_rows()
            self._peers.stop(self._later_first)

    def _start(self, name: str) -> None:
        start = self._peers.start_java if name.startswith("java") else self._peers.start_python
        start(name)

    def _killed(self, name: str, successor: str) -> Finding:
        started_s = time.monotonic()
        self._peers.kill(name)
        return self._takes_over(f"kill -9 of {name}", successor, started_s)

    def _stopped(self, name: str, successor: str) -> Finding:
        code = self._peers.stop(name)
        return self._takes_over(f"{name} stops in good order (exit code {code})", successor, time.monotonic())

    def _takes_over(self, tried: str, successor: str, started_s: float) -> Finding:
        """Counted from `started_s`."""
        limit_s = _TAKES_OVER_WITHIN_S[successor.split("-")[0]]
        passed_s = time.monotonic() - started_s
        return self._holds_all(tried, successor, limit_s - passed_s, passed_s=passed_s)

    def _holds_all(self, tried: str, name: str, limit_s: float, *, passed_s: float = 0.0) -> Finding:
        """It has every lease, and reads on."""
        since_s = time.monotonic()

        def holds() -> bool:
            loads = self._peers.loads()
            return bool(loads) and set(loads) == {name} and self._peers.are_read(name, since_s=since_s)

        more_s = self._peers.seen_within(limit_s, holds)
        return Finding(
            tried=tried,
            seen=_in(None if more_s is None else passed_s + more_s, f"{name} reads all shards", self._shares()),
            is_good=more_s is not None,
        )

    def _is_balanced(self, tried: str, one: str, other: str) -> Finding:
        since_s = time.monotonic()

        def holds() -> bool:
            loads = self._peers.loads()
            is_even = set(loads) == {one, other} and abs(loads[one] - loads[other]) <= 1
            return is_even and all(self._peers.are_read(name, since_s=since_s) for name in (one, other))

        passed_s = self._peers.seen_within(_JOINS_WITHIN_S, holds)
        return Finding(tried=tried, seen=_in(passed_s, self._shares(), self._shares()), is_good=passed_s is not None)

    def _shares(self) -> str:
        return ", ".join(f"{name or 'nobody'} {count}" for name, count in sorted(self._peers.loads().items()))

    def _began_at_checkpoints(self, name: str, *, of: str) -> Finding:
        """Where `name` took a shard over from `of`, it began at a record that `of` had made durable."""
        good, all_ = 0, 0
        entries = self._peers.entries()
        for number, entry in enumerate(entries):
            if isinstance(entry, Opened) and entry.worker == name:
                before = _taken_of(entry.shard, entries[:number])
                if before and before[-1].worker == of:
                    all_ += 1
                    known = {position for took in before for position in took.positions}
                    good += entry.checkpoint in known
        return Finding(
            tried=f"checkpoints of {of} are read by {name}",
            seen=f"{good} of {all_} shards began at one",
            is_good=0 < all_ == good,
        )

    def _split(self, sender: Sender) -> Iterator[Finding]:
        parent = self._peers.leases()[0]
        assert parent.hash_range
        low, high = parent.hash_range
        middle = (low + high) // 2
        self._kinesis.split_shard(StreamName=self._stream, ShardToSplit=parent.shard_id, NewStartingHashKey=str(middle))
        waiter = self._kinesis.get_waiter("stream_exists")
        waiter.wait(StreamName=self._stream, WaiterConfig={"Delay": 1})
        sender.send_strays(inside=low + 1, outside=high)

        def children() -> list[str]:
            rows = self._peers.table.read_all()
            return sorted(lease.shard_id for lease in rows if parent.shard_id in lease.parents)

        def holds() -> bool:
            taken = {entry.shard for entry in self._peers.entries() if isinstance(entry, Took)}
            return len(children()) == 2 and taken.issuperset(children()) and self._is_ended(parent.shard_id)

        passed_s = self._peers.seen_within(_READS_WITHIN_S, holds)
        yield Finding(
            tried=f"{parent.shard_id} splits with both present",
            seen=_in(passed_s, "its children are read", f"not all of it: {self._shares()}"),
            is_good=passed_s is not None,
        )
        entries = self._peers.entries()
        end_s = max((took.at_s for took in _taken_of(parent.shard_id, entries)), default=0.0)
        begins_s = [took.at_s for child in children() for took in _taken_of(child, entries)[:1]]
        readers = {child: {took.worker for took in _taken_of(child, entries)} for child in children()}
        yield Finding(
            tried="the parent before its children",
            seen=f"{min(begins_s, default=0.0) - end_s:.1f} s after its last record; read by {_names(readers)}",
            is_good=len(begins_s) == 2 and min(begins_s) > end_s,
        )
        passed_s = self._peers.seen_within(_READS_WITHIN_S, lambda: sender.strays <= self._delivered())
        yield Finding(
            tried="an aggregate packed before the split",
            seen=_in(passed_s, f"its {len(sender.strays)} records are delivered", "dropped"),
            is_good=passed_s is not None and bool(sender.strays),
        )

    def _is_ended(self, shard_id: str) -> bool:
        rows = {lease.shard_id: lease.checkpoint for lease in self._peers.table.read_all()}
        # Java deletes the row of a finished shard once its children are under way.
        ended: Checkpoint = rows.get(shard_id, SHARD_END)
        return ended.rank is SHARD_END.rank

    def _is_delivered(self, sender: Sender) -> Finding:
        passed_s = self._peers.seen_within(_READS_WITHIN_S, lambda: sender.sent <= self._delivered())
        taken = [entry for entry in self._peers.entries() if isinstance(entry, Took)]
        total = sum(len(took.payloads) for took in taken)
        lost = len(sender.sent - self._delivered())
        return Finding(
            tried=f"{len(sender.sent)} records sent meanwhile",
            seen=f"{lost} lost, {total - len(self._delivered())} delivered twice",
            is_good=passed_s is not None and bool(sender.sent),
        )

    def _has_whole_rows(self) -> Finding:
        rows = self._peers.rows()
        short = [row["leaseKey"]["S"] for row in rows if not row.keys() >= _NEEDED]
        strange = [row["leaseKey"]["S"] for row in rows if not row["leaseKey"]["S"].startswith("shardId-")]
        return Finding(
            tried="the rows of the table",
            seen=f"{len(rows)} leases"
            + (f", not whole or no leases: {[*short, *strange]}" if short or strange else ""),
            is_good=not short and not strange,
        )

    def _delivered(self) -> set[str]:
        taken = (entry for entry in self._peers.entries() if isinstance(entry, Took))
        return {payload for took in taken for payload in took.payloads}


def _both(first: Kind) -> tuple[Kind, Kind]:
    return ("java", "python") if first == "java" else ("python", "java")


def _taken_of(shard_id: str, entries: Sequence[Entry]) -> list[Took]:
    return [entry for entry in entries if isinstance(entry, Took) and entry.shard == shard_id]


def _in(passed_s: float | None, seen: str, otherwise: str) -> str:
    return f"not in time: {otherwise}" if passed_s is None else f"{seen}, after {passed_s:.0f} s"


def _names(readers: dict[str, set[str]]) -> str:
    return " and ".join("+".join(sorted(names)) for names in readers.values())
