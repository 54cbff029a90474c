"""Who has passed what: until when everything that arrived at a stream is in a store.

A shard has passed a time when the store has taken every record that arrived at the shard before it. The store knows
what it took last; what comes after that, the stream itself says, so that shards where nothing arrives pass as well.

The order of looks is what makes it exact without trusting any clock: first the newest heartbeat that anybody knows,
then what each store has taken, then the stream, then the stores' rows. If the stream holds nothing after what was
taken, then nothing that arrived before that newest heartbeat is missing.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumers.keeper.store import HistoryStore
from consumers.sources.kinesis.checkpoints import SHARD_END, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.stream import ShardInfo
from consumers.sources.kinesis.table import LeaseTable, TableGone
from runtime.outage import Outage

_LAST_SUB_SEQUENCE = 2**63 - 1  # a manifest ends at a record's end: all that was packed into it is taken
# Shards are on different machines, and AWS promises nothing for the accuracy of arrival times (API reference,
# ApproximateArrivalTimestamp): a line may bear a later time than the heartbeat that was sent after it.
SKEW = dt.timedelta(seconds=1)

Place = tuple[str, Checkpoint]  # of a shard; what comes after it was not taken


class Progress(Protocol):
    """What a store has taken of each shard."""

    def taken(self) -> Mapping[str, Checkpoint]:
        """By shard; a shard of which nothing was taken may be absent. Raises Outage, ConfigError."""
        ...


class LeaseProgress:
    """Of a store that an application writes to before it checkpoints: OpenSearch, by live's leases."""

    def __init__(self, leases: LeaseTable, shards: Callable[[], Sequence[ShardInfo]]) -> None:
        self._leases = leases
        self._shards = shards

    def taken(self) -> Mapping[str, Checkpoint]:
        """A shard whose descendant has a lease is finished, though its own may have been tidied away."""
        try:
            positions = {lease.shard_id: lease.checkpoint for lease in self._leases.read_all()}
        except TableGone:  # the application never ran, or will read from the start
            return {}
        except Outage as outage:
            raise Outage(f"live's leases: {outage}") from outage
        shards = {shard.shard_id: shard for shard in self._shards()}
        waiting = [shards[shard_id] for shard_id in positions if shard_id in shards]
        while waiting:
            for parent in waiting.pop().parents:
                if parent in shards and parent not in positions:
                    positions[parent] = SHARD_END
                    waiting.append(shards[parent])
        return positions


class HistoryProgress:
    """Of a store that remembers the manifests that it took: the lake, the warehouse."""

    def __init__(self, store: HistoryStore, application: str) -> None:
        self._store = store
        self._application = application

    def taken(self) -> Mapping[str, Checkpoint]:
        return {
            shard_id: Checkpoint(Rank.NUMBER, sequence, _LAST_SUB_SEQUENCE)
            for (application, shard_id), sequence in self._store.taken().items()
            if application == self._application
        }


class Waiting(NamedTuple):
    """What comes after a place."""

    since: dt.datetime  # arrival of the first record there
    is_seen: bool = True  # no: the look did not get that far, and there is none that arrived before `since`


class Peek(Protocol):
    """A look at what a shard holds after a place."""

    def waiting_after(self, places: Collection[Place]) -> Mapping[Place, Waiting]:
        """What was not taken, by place; absent where there is nothing. Raises Outage."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Heartbeats that arrived earlier than `before` are closed: all that their agents sent until then is stored."""

    before: dt.datetime
    behind: Mapping[str, Waiting]  # shards with records that were not taken

    @property
    def open_since(self) -> dt.datetime | None:
        """All that arrived earlier is taken; None: all there is."""
        return _open_since(self.behind)


def frontiers(
    shards: Sequence[ShardInfo],
    taken: Mapping[str, Mapping[str, Checkpoint]],
    peek: Peek,
    until: dt.datetime,
) -> dict[str, Frontier]:
    """The frontier of each store, by name. In: what each has `taken`, by name and shard.

    `until`: just after the newest heartbeat that was known before `taken` was read. Raises what `peek` raises.
    """
    places = {
        (name, shard.shard_id): positions.get(shard.shard_id, TRIM_HORIZON)
        for name, positions in taken.items()
        for shard in shards
    }
    # A finished shard is passed, and one that the stream no longer lists can hold nothing more.
    asked = {(shard, place) for (_, shard), place in places.items() if place.rank is not SHARD_END.rank}
    waiting = peek.waiting_after(asked)
    found: dict[str, Frontier] = {}
    for name in taken:
        behind = {
            shard: waiting[shard, place]
            for (store, shard), place in places.items()
            if store == name and (shard, place) in waiting
        }
        found[name] = Frontier(before=min(until, _open_since(behind) or until), behind=behind)
    return found


def _open_since(behind: Mapping[str, Waiting]) -> dt.datetime | None:
    return min((waiting.since - SKEW for waiting in behind.values()), default=None)
