"""What brings a shard's answers to its reader, in order: polls, or a subscription."""

from collections.abc import Callable
from typing import Protocol

from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import Answer


class Intake(Protocol):
    """One shard's answers. Called by one thread; it may have one of its own, which `close` ends.

    After an error it goes on where the last answer ended, as soon as that is wise: see `wait_s`.
    """

    def begin(self, start: Checkpoint) -> None:
        """Bring what follows `start`; what comes first may be up to a whole record before it."""
        ...

    def take(self) -> Answer | None:
        """The next answer, None where there is none yet: the last one is accepted. Keeps to the stream's budget.

        Raises Throttled, Outage, Trimmed (begin again where records are left), ShardGone.
        """
        ...

    def ahead(self) -> None:
        """The reader will be busy for a while: the next answer may be read meanwhile."""
        ...

    def wait_s(self) -> float:
        """How long until `take` is worth a call (s), 0 for now."""
        ...

    def close(self) -> None:
        """Nothing is read any more. May be called again."""
        ...


class Intakes(Protocol):
    """The way in which an application reads its stream."""

    def prepare(self) -> None:
        """Once, before any shard is read. Raises ConfigError, Outage (repeat it)."""
        ...

    def open(self, shard_id: str, hash_range: HashRange | None, ring: Callable[[], None]) -> Intake:
        """The intake of one shard. It calls `ring`, from any thread, when news come before `wait_s` is over."""
        ...
