"""A batch, parted by shards: what may go next, in order, and what has to wait. Pure."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from contract.kpl.aggregate import OUTER_KEY, hash_key_of
from contract.kpl.writing import OVERHEAD, packed_together
from producers.agent.pack import Packed
from producers.agent.put import HELD_BACK, ONE_REQUEST
from producers.agent.shard_map import ShardMap
from producers.agent.tokens import Room


class Lane:
    """One shard's lines of a batch."""

    def __init__(
        self, shard_id: str, room: Room, places: list[int], keys: Sequence[str], data: Sequence[bytes]
    ) -> None:
        """`places` in the batch, `keys` and `data` of its lines."""
        self.shard_id = shard_id
        self.room = room
        self.places = places
        self.keys = keys
        self.data = data
        self.done = 0  # so many of them are stored
        around = OVERHEAD + max(map(len, keys))
        self.ends = list(accumulate([len(line) + around for line in data]))

    @property
    def is_empty(self) -> bool:
        return self.done == len(self.data)


class Entry:
    """One record of a request: the next lines of a lane, or the next one as it is."""

    def __init__(self, lane: Lane, most_bytes: int) -> None:
        """`most_bytes` of an aggregate; one line alone may be larger, as large as a record may be."""
        begin = lane.done
        start = lane.ends[begin - 1] if begin else 0
        self.lane = lane
        self.begin = begin
        self.end = max(bisect_right(lane.ends, start + most_bytes, begin), begin + 1)
        self.size = lane.ends[self.end - 1] - start  # bytes of data and keys, at most

    def record(self) -> dict[str, Any]:
        """As PutRecords takes it."""
        lane = self.lane
        keys, data = lane.keys[self.begin : self.end], lane.data[self.begin : self.end]
        if len(data) == 1:
            return {"Data": data[0], "PartitionKey": keys[0]}
        hash_key = str(hash_key_of(keys[0]))
        return {"Data": packed_together(keys, data), "PartitionKey": OUTER_KEY, "ExplicitHashKey": hash_key}


class Lanes:
    """At most one record of a shard in a request; the next one once it is stored."""

    def __init__(
        self, batch: Sequence[Packed], shards: ShardMap, room_of: Callable[[str], Room], *, most_bytes: int
    ) -> None:
        self._most_bytes = most_bytes
        self.codes: list[str | None] = [HELD_BACK] * len(batch)  # of the batch's lines
        # Columns: each look at a line itself is a walk to a place in memory that the processor has forgotten.
        _, _, _, _, keys, data = zip(*batch, strict=True)
        places: list[list[int]] = [[] for _ in shards.shard_ids]
        take = [mine.append for mine in places]
        for place, shard in enumerate(shards.shards_of(keys)):
            take[shard](place)
        self._lanes = deque(
            Lane(shard_id, room_of(shard_id), mine, [keys[place] for place in mine], [data[place] for place in mine])
            for shard_id, mine in zip(shards.shard_ids, places, strict=True)
            if mine
        )

    @property
    def are_empty(self) -> bool:
        """Whether every line is stored."""
        return all(lane.is_empty for lane in self._lanes)

    def next_request(self) -> list[Entry]:
        """At least one entry, or none: every line is stored, or waits. `settle` each before the next request."""
        request: list[Entry] = []
        size = 0
        for _ in range(len(self._lanes)):
            lane = self._lanes[0]
            if not lane.is_empty and not lane.room.opens_in_s():
                entry = Entry(lane, self._most_bytes)
                if len(request) == ONE_REQUEST.lines or size + entry.size > ONE_REQUEST.bytes:
                    break  # its turn comes first in the next one
                lane.room.spend(entry.size)
                request.append(entry)
                size += entry.size
            self._lanes.rotate(-1)
        return request

    def settle(self, entry: Entry, code: str | None) -> None:
        """What became of an entry: `code` is None once it is stored, else the error's."""
        lane = entry.lane
        for place in lane.places[entry.begin : entry.end]:
            self.codes[place] = code
        if code is None:
            lane.done = entry.end
            lane.room.taken()
        else:
            lane.room.refused(entry.size)

    def fail(self, request: Iterable[Entry], why: str) -> None:
        """Nobody knows whether it is stored; the shards are not to blame."""
        for entry in request:
            for place in entry.lane.places[entry.begin : entry.end]:
                self.codes[place] = why

    def opens_in_s(self) -> float:
        """How long until the first of those that wait may go (s); 0.0 if none waits, or it may go now."""
        return min((lane.room.opens_in_s() for lane in self._lanes if not lane.is_empty), default=0.0)
