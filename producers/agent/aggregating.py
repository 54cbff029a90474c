"""Kinesis with many lines a record: KPL aggregates, packed for the shard that their keys lead to.

One request is in flight at a time, with at most one record of each shard in it, and a shard's next record leaves only
after its last one is stored: the lines of one key are stored in their order, except across a reshard. What one shard
refuses waits, with everything behind it, while the other shards go on.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from typing import Any

from producers.agent.kinesis import KinesisStream
from producers.agent.lanes import Lanes
from producers.agent.pack import Packed
from producers.agent.put import ONE_REQUEST, Limits
from producers.agent.shard_map import ShardMap
from producers.agent.tokens import Room
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop

# KPL's default is 51,200. With four shards that is 370 orders a request, and the request itself then costs a fifth as
# much as they do. A shard takes five of these a second, so that a refusal costs it 0.2 s.
AGGREGATE_BYTES = 200 << 10
# A second of what four shards take, with which an on-demand stream begins: what a crash may send again.
AT_ONCE = Limits(lines=10_000, bytes=4 << 20)
LOOK_EVERY_S = 60.0  # at the shards, unasked: a reshard shows by itself in the next answer
_TOGETHER_S = 0.02  # longer than its room needs a shard waits for others, and one request serves them
_LOOK_PAUSE_S = 1.0  # what ListShards says may trail a reshard

_log = logging.getLogger(__name__)


class AggregatingKinesisStream:
    """One stream. Sends plainly where it may not aggregate, or cannot tell the shards."""

    limits: Limits = AT_ONCE

    def __init__(
        self, client: Any, name: str, *, clock: Clock, rng: random.Random, aggregate_bytes: int = AGGREGATE_BYTES
    ) -> None:
        """`client`: see KinesisStream."""
        self._kinesis = KinesisStream(client, name)
        self._name = name
        self._clock = clock
        self._rng = rng
        self._aggregate_bytes = aggregate_bytes
        self._shards: ShardMap | None = None
        self._rooms: dict[str, Room] = {}  # by shard id
        self._look_at_s = clock.monotonic()
        self._looked_at_s = self._look_at_s - _LOOK_PAUSE_S
        self._had_trouble = False
        self._why_plain: str | None = None  # as said

    def check(self) -> None:
        self._kinesis.check()
        self._look()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """As Stream: request after request, until all is stored or one gets nothing through."""
        if self._clock.monotonic() >= self._look_at_s:
            self._look()
        shards = self._shards
        try:
            codes = self._put_plainly(batch, stop) if shards is None else self._put(batch, shards, stop)
        except Outage:
            self._had_trouble = True
            raise
        if self._had_trouble:
            self._had_trouble = False
            self._look_soon()
        return codes

    def close(self) -> None:
        self._kinesis.close()

    def _put(self, batch: Sequence[Packed], shards: ShardMap, stop: Stop) -> Sequence[str | None]:
        lanes = Lanes(batch, shards, self._room_of, most_bytes=self._aggregate_bytes)
        got_through = True
        while got_through and not lanes.are_empty:
            request = lanes.next_request()
            if not request:
                if stop.is_set():
                    break
                stop.wait(lanes.opens_in_s() + _TOGETHER_S)
                continue
            try:
                results = self._kinesis.put_records([entry.record() for entry in request])
            except Outage as outage:
                lanes.fail(request, str(outage))
                if None in lanes.codes:
                    return lanes.codes
                raise
            got_through = False
            for entry, (code, shard_id) in zip(request, results, strict=True):
                lanes.settle(entry, code)
                got_through |= code is None
                if code is None and shard_id != entry.lane.shard_id:  # stored all the same, and readers take it
                    self._shards = None
            if self._shards is None:  # what is left is parted anew
                self._look_soon()
                break
        return lanes.codes

    def _put_plainly(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        codes: list[str | None] = []
        for request in _requests(batch):
            try:
                codes += self._kinesis.put(request, stop)
            except Outage as outage:
                if None not in codes:
                    raise
                return codes + [str(outage)] * (len(batch) - len(codes))
        return codes

    def _look_soon(self) -> None:
        """At the next put, but not again and again."""
        self._look_at_s = min(self._look_at_s, self._looked_at_s + _LOOK_PAUSE_S)

    def _look(self) -> None:
        """At the shards. What is known of them stays while they cannot be listed."""
        self._looked_at_s = self._clock.monotonic()
        self._look_at_s = self._looked_at_s + LOOK_EVERY_S
        why_plain = None
        try:
            self._shards = self._kinesis.shards()
        except Outage:
            if self._shards is None:
                self._look_at_s = self._looked_at_s + _LOOK_PAUSE_S
            return
        except ConfigError as error:
            self._shards, why_plain = None, str(error)
        else:
            if self._shards is None:
                why_plain = "its RecordDistributionStrategy is AUTO"
            else:
                self._rooms = {shard_id: self._room_of(shard_id) for shard_id in self._shards.shard_ids}
        if why_plain and why_plain != self._why_plain:
            _log.warning("stream %s: every line travels alone, at a higher cost: %s", self._name, why_plain)
        self._why_plain = why_plain

    def _room_of(self, shard_id: str) -> Room:
        room = self._rooms.get(shard_id)
        if room is None:
            room = self._rooms[shard_id] = Room(self._clock, self._rng)
        return room


def _requests(batch: Sequence[Packed]) -> Iterator[Sequence[Packed]]:
    """Parts of a batch that are one request each."""
    start = size = 0
    for place, line in enumerate(batch):
        more = len(line.data) + len(line.key)
        if place - start == ONE_REQUEST.lines or size + more > ONE_REQUEST.bytes:
            yield batch[start:place]
            start, size = place, 0
        size += more
    yield batch[start:]
