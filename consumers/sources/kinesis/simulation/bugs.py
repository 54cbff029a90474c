"""Bugs that a fleet like this could have, planted into the real classes one at a time: the laws must find each.

A bug is put where modules meet (what a reader is given, what a tenure is asked), not into their insides.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from consumers.delivery import Backpressure, Batch, LeaseLost, Path, Position, Record
from consumers.sources.kinesis import tenure as tenure_module
from consumers.sources.kinesis import worker as worker_module
from consumers.sources.kinesis.aggregates import Opener
from consumers.sources.kinesis.balance import Sightings, leases_to_take
from consumers.sources.kinesis.checkpoints import LATEST, Checkpoint, Rank
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.shards import lease_of
from consumers.sources.kinesis.simulation.fleet import SimulatedWorker
from consumers.sources.kinesis.simulation.threads import current
from consumers.sources.kinesis.stream import Answer, ShardInfo, Stream
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.worker import Worker
from runtime.outage import Outage

Bug = Callable[[], AbstractContextManager[object]]


class _Wrapped:
    """Everything as the inner object does it, but for what a subclass changes."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@contextmanager
def _readers_with(**wrappers: Callable[[Any], Any]) -> Iterator[None]:
    """Every ShardReader is made with these arguments wrapped."""
    make = ShardReader.__init__

    def init(reader: ShardReader, **arguments: Any) -> None:
        make(reader, **{name: wrappers.get(name, lambda same: same)(value) for name, value in arguments.items()})

    with mock.patch.object(ShardReader, "__init__", init):
        yield


class _Eager(_Wrapped):
    """Calls durable what it was only given."""

    def accept(self, batch: Batch) -> Position | None:
        self.inner.accept(batch)
        return batch.end


class _Careless(_Wrapped):
    """Takes Backpressure for an answer."""

    def accept(self, batch: Batch) -> Position | None:
        path: Path = self.inner
        try:
            return path.accept(batch)
        except Backpressure:
            return None


class _AfterTheAggregate(_Wrapped):
    """An iterator at a number leaves out what is left of that number's aggregate."""

    _start: Checkpoint | None = None

    def iterator(self, shard_id: str, start: Checkpoint) -> str:
        stream: Stream = self.inner
        self._start = start if start.rank is Rank.NUMBER else None
        return stream.iterator(shard_id, start)

    def read(self, iterator: str, *more: Any, **options: Any) -> Answer:
        answer: Answer = self.inner.read(iterator, *more, **options)
        start, self._start = self._start, None
        if start is None:
            return answer

        def is_left(record: Record) -> bool:
            return record.position.sequence != start.sequence or record.position.sub_sequence <= start.sub_sequence

        return Answer(
            records=[record for record in answer.records if is_left(record)],
            next_iterator=answer.next_iterator,
            millis_behind=answer.millis_behind,
            children=answer.children,
        )


def checkpoint_before_the_sink() -> AbstractContextManager[object]:
    return _readers_with(path=_Eager)


def batch_dropped_on_backpressure() -> AbstractContextManager[object]:
    return _readers_with(path=_Careless)


def restart_after_instead_of_inside_an_aggregate() -> AbstractContextManager[object]:
    return _readers_with(stream=_AfterTheAggregate)


def no_fencing() -> AbstractContextManager[object]:
    """A worker never looks at the age of its leases, nor at whose they are."""
    return mock.patch.multiple(Tenure, check=lambda tenure: None, compare=lambda tenure, row: None)


def zombies_checkpoint_is_accepted() -> AbstractContextManager[object]:
    """A refused checkpoint is written again with the counter that the row has now."""
    checkpoint = Tenure.checkpoint

    def insist(tenure: Any, to: Checkpoint) -> None:
        try:
            checkpoint(tenure, to)
        except LeaseLost:
            table = tenure._table
            row = next(row for row in table.read_all() if row.shard_id == tenure.lease.shard_id)
            table.checkpoint(row, to)

    return mock.patch.object(Tenure, "checkpoint", insist)


def child_before_parent() -> AbstractContextManager[object]:
    def is_readable(lease: Lease, leases: object) -> bool:
        return lease.checkpoint.rank is not Rank.SHARD_END

    return mock.patch.object(worker_module, "is_readable", is_readable)


def expiry_by_a_stored_time() -> AbstractContextManager[object]:
    """The owner stores when it renewed, by its wall clock; the observer compares with its own."""
    stored: dict[str, float] = {}
    renew, scan = Tenure.renew, Worker.scan

    def wall_s() -> float:
        process = current().process
        assert isinstance(process, SimulatedWorker)
        return process.clock.now().timestamp()

    def renew_and_store(tenure: Tenure) -> None:
        renew(tenure)
        stored[tenure.lease.shard_id] = wall_s()

    def scan_and_store(worker: Worker, barred: Collection[str]) -> list[Tenure]:
        taken = scan(worker, barred)
        stored.update({tenure.lease.shard_id: wall_s() for tenure in taken})
        return taken

    def is_free(sightings: Any, lease: Lease, now_s: float) -> bool:
        age_s = wall_s() - stored.get(lease.shard_id, 0.0)
        return lease.owner is None or age_s >= float(sightings._failover_s)

    patches = ExitStack()
    patches.enter_context(mock.patch.object(Tenure, "renew", renew_and_store))
    patches.enter_context(mock.patch.object(Worker, "scan", scan_and_store))
    patches.enter_context(mock.patch.object(Sightings, "is_free", is_free))
    return patches


def first_sight_counts_as_expired() -> AbstractContextManager[object]:
    """As in the Java library: who has just started takes every lease that it sees for long dead."""
    see = Sightings.see

    def see_as_old(sightings: Any, leases: Iterable[Lease], now_s: float) -> None:
        listed = list(leases)
        known = set(sightings._seen)
        see(sightings, listed, now_s)
        for lease in listed:
            if lease.shard_id not in known:
                sightings._seen[lease.shard_id] = (lease.counter, now_s - 1e6)

    return mock.patch.object(Sightings, "see", see_as_old)


def shard_end_without_childrens_leases() -> AbstractContextManager[object]:
    end = Tenure.end

    def end_alone(tenure: Tenure, children: Iterable[ShardInfo]) -> None:
        end(tenure, [])

    return mock.patch.object(Tenure, "end", end_alone)


def latest_for_a_child() -> AbstractContextManager[object]:
    def at_latest(shard: ShardInfo, checkpoint: Checkpoint) -> Lease:
        return lease_of(shard, LATEST)

    return mock.patch.object(tenure_module, "lease_of", at_latest)


def lost_answer_taken_for_a_lost_lease() -> AbstractContextManager[object]:
    checkpoint = Tenure.checkpoint

    def give_up(tenure: Tenure, to: Checkpoint) -> None:
        try:
            checkpoint(tenure, to)
        except Outage as outage:
            tenure.compare(replace(tenure.lease, owner=None))
            raise LeaseLost(str(outage)) from outage

    return mock.patch.object(Tenure, "checkpoint", give_up)


def strays_are_dropped() -> AbstractContextManager[object]:
    """As the Java library does: an aggregate with a record for another shard is left out whole."""
    opened = Opener.records

    def without_strays(opener: Opener, *arguments: Any) -> Iterable[Record]:
        before = opener.strays
        records = list(opened(opener, *arguments))
        return records if opener.strays == before else []

    return mock.patch.object(Opener, "records", without_strays)


def checkpoints_compare_as_strings() -> AbstractContextManager[object]:
    def key(checkpoint: Checkpoint) -> tuple[int, str, int]:
        return int(checkpoint.rank), checkpoint.text, checkpoint.sub_sequence

    return mock.patch.multiple(
        Checkpoint,
        __lt__=lambda one, other: key(one) < key(other),
        __le__=lambda one, other: key(one) <= key(other),
        __gt__=lambda one, other: key(one) > key(other),
        __ge__=lambda one, other: key(one) >= key(other),
    )


def some_leases_are_not_renewed() -> AbstractContextManager[object]:
    """They run out one by one, are taken again, and so on."""
    renew = Tenure.renew

    def renew_some(tenure: Tenure) -> None:
        if int(tenure.lease.shard_id[-1]) % 2:
            renew(tenure)

    return mock.patch.object(Tenure, "renew", renew_some)


def nothing_is_stolen() -> AbstractContextManager[object]:
    def free_only(leases: Collection[Lease], *, free: Collection[str], **more: Any) -> list[Lease]:
        return [lease for lease in leases_to_take(leases, free=free, **more) if lease.shard_id in free]

    return mock.patch.object(worker_module, "leases_to_take", free_only)


BUGS: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        checkpoint_before_the_sink,
        batch_dropped_on_backpressure,
        restart_after_instead_of_inside_an_aggregate,
        no_fencing,
        zombies_checkpoint_is_accepted,
        child_before_parent,
        expiry_by_a_stored_time,
        first_sight_counts_as_expired,
        shard_end_without_childrens_leases,
        latest_for_a_child,
        lost_answer_taken_for_a_lost_lease,
        strays_are_dropped,
        checkpoints_compare_as_strings,
        some_leases_are_not_renewed,
        nothing_is_stolen,
    )
}
