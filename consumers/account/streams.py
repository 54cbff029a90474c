"""The streams that lines travel on, and how far each store is with each of them."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.account.progress import Frontier, Peek, Progress, frontiers
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import ShardInfo
from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStream:
    """One stream, and who says what was taken of it."""

    kind: str  # of the files whose lines travel on it
    progress: Mapping[str, Progress]  # by name of the store
    shards: Callable[[], Sequence[ShardInfo]]
    peek: Peek


@dataclass(slots=True, kw_only=True)
class Passed:
    """How far the stores are. A stream is in one of the three."""

    frontiers: dict[str, dict[str, Frontier]] = field(default_factory=dict)  # by kind of file, then store
    absent: dict[str, str] = field(default_factory=dict)  # by kind of file: there is no such stream
    away: dict[str, str] = field(default_factory=dict)  # by kind of file: why the stream could not be looked at

    def of_store(self, name: str) -> dict[str, Frontier]:
        """By kind of file."""
        return {kind: by_store[name] for kind, by_store in self.frontiers.items() if name in by_store}

    def blind(self, heard: frozenset[str]) -> dict[str, str]:
        """The kinds of files whose lines cannot be compared, and why. `heard`: the kinds that there are files of."""
        unseen = {kind: self.absent.get(kind, "none is set") for kind in heard - self.frontiers.keys()}
        return dict(sorted({**unseen, **self.away}.items()))


def passed(
    streams: Sequence[LineStream],
    taken: Callable[[LineStream], Mapping[str, Mapping[str, Checkpoint]]],
    until: Callable[[str], dt.datetime],
) -> Passed:
    """The frontiers of each store on each stream. Trouble with one stream hides no other.

    `taken` asks the stores for their positions, `until` gives a time for each kind of file: see `frontiers`.
    """
    found = Passed()
    for stream in streams:
        kind = stream.kind
        try:
            positions = taken(stream)
            found.frontiers[kind] = frontiers(stream.shards(), positions, stream.peek, until(kind))
        except StreamAbsent as absent:
            found.absent[kind] = str(absent)
        except (Outage, ConfigError) as error:
            found.away[kind] = str(error)
    return found
