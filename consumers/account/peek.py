"""The look at a Kinesis stream after a place: two reads a shard as a rule, with respect for those who live on it."""

import datetime as dt
import random
from collections.abc import Collection, Mapping, Sequence

from consumers.account.progress import Place, Waiting
from consumers.delivery import Record, Trimmed
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.stream import IteratorExpired, ShardGone, Stream, Throttled
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage, Stop

RECORDS_PER_LOOK = 2  # the one at the place, and the one after it
_MOST_READS = 5  # of a shard and a look: an empty answer may end before the tip
_MOST_ATTEMPTS = 12  # of a shard, throttled: 20 s and more, while live and cold keep reading
_SLACK = dt.timedelta(seconds=2)  # between our clock and the stream's


class StreamPeek:
    """Remembers what it has seen: which record follows a place never changes, only where none does it asks again."""

    def __init__(self, stream: Stream, clock: Clock, rng: random.Random, stop: Stop) -> None:
        """`stream` answers with RECORDS_PER_LOOK records a read."""
        self._stream = stream
        self._clock = clock
        self._rng = rng
        self._stop = stop
        self._seen: dict[Place, Waiting] = {}

    def waiting_after(self, places: Collection[Place]) -> Mapping[Place, Waiting]:
        """See Peek. Places at one record are answered by one read; shards that are throttled wait for another turn."""
        self._seen = {place: found for place, found in self._seen.items() if place in places}
        bounds: dict[Place, Waiting] = {}
        waiting = _by_record(set(places) - self._seen.keys())
        for attempt in range(_MOST_ATTEMPTS):
            waiting = [together for together in waiting if not self._asked(together, bounds)]
            if not waiting:
                return {**self._seen, **bounds}
            self._stop.wait(0.2 + full_jitter(attempt, self._rng, base_s=0.2))
        raise Outage(f"the read budget of {len(waiting)} shards is used up, {waiting[0][0][0]} among them")

    def _asked(self, together: Sequence[Place], bounds: dict[Place, Waiting]) -> bool:
        """Look after places at one record of a shard. Returns whether the shard answered."""
        try:
            records, bound = self._look(*together[-1])
        except (Throttled, IteratorExpired):
            return False
        for place in together:
            after = place[1].position
            arrival = next((each.arrived_at for each in records if after is None or each.position > after), None)
            if arrival is not None:
                self._seen[place] = Waiting(arrival)
            elif bound is not None:
                bounds[place] = Waiting(bound, is_seen=False)
        return True

    def _look(self, shard_id: str, checkpoint: Checkpoint) -> tuple[list[Record], dt.datetime | None]:
        """The records from the place on, up to one that comes after it, or up to the tip.

        With a time where the look ended before either: until then there was none.
        """
        try:
            iterator: str | None = self._iterator(shard_id, checkpoint)
        except Trimmed:  # the shard itself is gone
            return [], None
        after, found = checkpoint.position, list[Record]()
        for _ in range(_MOST_READS):
            if iterator is None:
                return found, None
            asked_at = self._clock.now()
            answer = self._stream.read(iterator, None)
            found += answer.records
            is_past = any(after is None or record.position > after for record in answer.records)
            if is_past or answer.millis_behind == 0:
                return found, None
            iterator, behind = answer.next_iterator, dt.timedelta(milliseconds=answer.millis_behind)
        return found, asked_at - behind - _SLACK

    def _iterator(self, shard_id: str, checkpoint: Checkpoint) -> str:
        start = TRIM_HORIZON if checkpoint.position is None else checkpoint
        try:
            return self._stream.iterator(shard_id, start)
        except ShardGone:
            raise
        except Trimmed:
            return self._stream.iterator(shard_id, TRIM_HORIZON)  # the record itself is too old; none that follows is


def _by_record(places: Collection[Place]) -> list[list[Place]]:
    """Places at the same record of a shard together, the furthest last."""
    found: dict[tuple[str, int, int], list[Place]] = {}
    for shard_id, checkpoint in sorted(places):
        found.setdefault((shard_id, checkpoint.rank, checkpoint.sequence), []).append((shard_id, checkpoint))
    return list(found.values())
