"""The delivery contracts: what a source, a path and a sink promise each other.

A *source* reads a shard in order and owns its checkpoint. It hands batches to a *path*, which ends in *sinks* and
answers with the position up to which its effects are durable. Only then does the source checkpoint.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import NamedTuple, Protocol

import msgspec

from contract.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """An ordered unit of a stream (a Kafka partition maps to it)."""

    stream: str
    shard_id: str


class Position(NamedTuple):
    """A place in one shard; compares in stream order. `sub_sequence` counts inside an aggregate, from 0."""

    sequence: int
    sub_sequence: int = 0


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as the stream delivered it."""

    position: Position
    arrived_at: datetime  # at the stream, aware UTC
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A contiguous run of one shard's records, oldest first; never empty."""

    shard: Shard
    records: Sequence[Record]

    @property
    def end(self) -> Position:
        """Position of the last record."""
        return self.records[-1].position


class Mended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The letter that a row was, before it was sent again and accepted."""

    index: str  # of the letter, whose identity is the row's own
    mark: bytes  # one JSON object: what the letter itself lacks, to be added to it
    document: bytes  # what is known of the letter, the mark among it, to stand for it until it comes


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One judged event on its way to a store."""

    index: str  # where it goes: an index or table name
    row_id: str  # identity in that place: writing it again changes nothing
    document: bytes  # one JSON object, no newline
    origin: tuple[str, int] | None = None  # (file id, offset) of its line, None for a foreign producer's record
    content_hash: str = ""
    mended: Mended | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that a sink will never take."""

    row: Row
    reason: Reason
    detail: str  # the store's error type; never a value of the document


class Backpressure(Exception):
    """Trouble that passes: wait `wait_s` seconds, then offer the same batch again."""

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class LeaseLost(Exception):
    """Another worker owns the shard: stop reading it, and do not checkpoint."""


class ShardEnded(Exception):
    """The shard is closed and read to its end: checkpoint it as ended and release its children."""


class Trimmed(Exception):
    """The stream no longer holds the records after the checkpoint: a named gap, never a silent jump."""


class Source(Protocol):
    """Reads shards in order and owns their checkpoints: the Kinesis fleet, a Kafka group, a Lambda event, a replay."""

    def run(self, open_path: "Callable[[Shard], Path]", stop: Event) -> None:
        """Read until `stop` is set, then settle every path, checkpoint, and release the shards."""
        ...


class Path(Protocol):
    """One shard's way from records to durable effects. One caller at a time; shards share nothing but clients."""

    def resume(self, checkpoint: Position | None) -> Position | None:
        """Where to read on *after*, if this path knows better than the lease (cold: the end of its manifest chain).

        `checkpoint` is the lease's: never ahead of what the path called durable, so a good place to look from.
        """
        ...

    def accept(self, batch: Batch) -> Position | None:
        """Take the next batch. Returns the last position whose effects are durable, None if none yet.

        The position may trail the batch. Raises Backpressure(wait_s): the same batch again. Any other error stops
        the shard; nothing was promised.
        """
        ...

    def tick(self) -> Position | None:
        """Called at least once a poll while there is nothing to accept: time may end what is open.

        Returns and raises what `accept` does; after Backpressure it is called again.
        """
        ...

    def settle(self) -> Position | None:
        """Make all that was accepted durable now: before a hand-over, at shard end, at stop."""
        ...


class Sink(Protocol):
    """What live writes to; cold's span writer has the manifest instead."""

    def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
        """Durable on return. Writing the same rows again changes nothing.

        Poison rows come back with reasons; trouble that passes raises Backpressure.
        """
        ...
