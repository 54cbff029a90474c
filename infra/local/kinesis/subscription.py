"""What one SubscribeToShard answers: events, for as long as it lasts.

A connection asks `poll` for the next event when its client can take one, and asks again when it is woken (records came,
the shard was closed) or `due_in_s` is over. Nothing waits here, and nothing is held but a place in the log.
"""

import math
from collections.abc import Callable

import msgspec

from infra.local.kinesis.clock import Clock
from infra.local.kinesis.errors import KinesisError, in_use
from infra.local.kinesis.eventstream import event, exception
from infra.local.kinesis.limits import BYTES_OUT, Window
from infra.local.kinesis.log import FRAME, SEPARATOR, Page
from infra.local.kinesis.shards import Shard, ShardInfo, child

LASTS_S = 300.0  # API reference, SubscribeToShard: up to 5 minutes
KEPT_S = 5.0  # API reference, SubscribeToShard: only after this may another call take a subscription over
_BEAT_S = 5.0  # ours: how often an event without records tells that a quiet shard lives
_GATHER_S = 0.01  # ours: records that come within this go together
_MOST_RECORDS = 10_000
_MOST_BYTES = 256 << 10  # of an event: a client that does not take it has it held in memory
_LARGEST = 2 << 20  # but for one of a single record, which may take 1.4 MiB
_encode = msgspec.json.Encoder().encode


class Seat:
    """One consumer's claim to one shard: how often it called, how much it took, and the subscription it has."""

    __slots__ = ("bytes_out", "calls", "current")

    def __init__(self, *, limits: bool) -> None:
        self.calls = Window(1 if limits else math.inf)  # API reference, SubscribeToShard: one call per second
        self.bytes_out = Window(BYTES_OUT if limits else math.inf)
        self.current: Subscription | None = None

    def end(self, error: KinesisError) -> None:
        """End the subscription, if there is one, with an error that its client meets in the stream."""
        if self.current:
            self.current.fail(error)

    def take(self, subscription: "Subscription", now_s: float) -> None:
        """Give the seat to a new subscription. Raises ResourceInUseException while the old one may keep it."""
        if self.current and not self.current.ended:
            if now_s - self.current.began_s < KEPT_S:
                raise in_use(f"Another active subscription exists for this consumer and shard {subscription.shard_id}.")
            self.end(in_use("Another call to SubscribeToShard has taken this subscription over."))
        self.current = subscription


class Subscription:
    """Events from a place in a shard on. `ended`: no more will come."""

    def __init__(
        self, seat: Seat, clock: Clock, shard: Shard, offset: int, children: Callable[[], list[ShardInfo]]
    ) -> None:
        """`offset`: the place in the shard's log. `children`: the shards that follow it once it is closed."""
        self._seat, self._clock, self._shard, self._children = seat, clock, shard, children
        self.shard_id = shard.shard_id
        self.began_s = clock.monotonic()
        self.ended = False
        self.broken = False  # a fault: the connection is to be reset
        self.wake: Callable[[], None] = _nobody
        self._offset = offset
        self._greeted = False
        self._failure: KinesisError | None = None
        self._beat_s = self._gathered_s = self.began_s
        self._mute_s = self._break_s = math.inf
        shard.watchers.add(self._woken)

    def mute(self, after_s: float) -> None:
        """Say nothing more from then on, and do not end either: what AWS's streams have been seen to do."""
        self._mute_s = self.began_s + after_s

    def break_off(self, after_s: float) -> None:
        """Have the connection reset then."""
        self._break_s = self.began_s + after_s

    def fail(self, error: KinesisError) -> None:
        """End with an error as the last event."""
        self._failure = self._failure or error
        self.wake()

    def close(self) -> None:
        """Nobody listens any more. Twice does no harm."""
        self.ended = True
        self._shard.watchers.discard(self._woken)
        if self._seat.current is self:
            self._seat.current = None

    def poll(self) -> bytes | None:
        """The next event, if one is due."""
        now_s = self._clock.monotonic()
        if self.ended:
            return None
        if not self._greeted:
            self._greeted = True
            return event(b"initial-response", b"{}")
        if now_s >= self._break_s:
            self.broken = True
        elif self._failure:
            self.close()
            return exception(self._failure.name.encode(), _encode({"message": self._failure.message}))
        elif now_s - self.began_s >= LASTS_S:
            self.close()
        elif now_s < self._mute_s:
            return self._said(now_s)
        return None

    def due_in_s(self) -> float:
        """When to poll again if nothing wakes it before: seconds from now, 0 or more."""
        now_s = self._clock.monotonic()
        if self._failure or not self._greeted:
            return 0.0
        last_s = min(self.began_s + LASTS_S, self._break_s)
        if now_s >= self._mute_s:
            next_s = last_s
        elif self._has_news:
            next_s = max(self._gathered_s, self._seat.bytes_out.opens_s(1))
        else:
            next_s = self._beat_s
        return max(0.0, min(next_s, last_s) - now_s)

    @property
    def _has_news(self) -> bool:
        return self._offset < self._shard.log.size or self._shard.info.closed_ms is not None

    def _woken(self) -> None:
        self.wake()

    def _said(self, now_s: float) -> bytes | None:
        if self._has_news:
            if now_s < self._gathered_s or not self._seat.bytes_out.fits(1, now_s):
                return None
        elif now_s < self._beat_s:
            return None
        log = self._shard.log
        page = log.page(self._offset, _MOST_RECORDS, _MOST_BYTES)
        if not page.records:
            page = log.page(self._offset, 1, _LARGEST)
        self._seat.bytes_out.take((page.end - page.start - page.records * FRAME) * 3 // 4, now_s)
        self._offset = page.end
        self._beat_s = now_s + _BEAT_S
        if self._offset == log.size:
            self._gathered_s = now_s + _GATHER_S
        records = log.read(page.start, page.end - page.start - len(SEPARATOR)) if page.records else b""
        payload = b'{"MillisBehindLatest":%d,%b,"Records":[%b]}' % (
            self._shard.behind_ms(page.end, self._clock.now_ms()),
            self._onwards(page),
            records,
        )
        return event(b"SubscribeToShardEvent", payload)

    def _onwards(self, page: Page) -> bytes:
        """Where to go on after the five minutes; at the end of a closed shard its children, and the end of this."""
        shard = self._shard
        if page.end < shard.log.size:
            return b'"ContinuationSequenceNumber":"%b"' % shard.log.before(page.end).sequence.encode()
        if shard.info.closed_ms is None:
            return b'"ContinuationSequenceNumber":"%b"' % shard.newest.encode()
        self.close()
        return b'"ContinuationSequenceNumber":null,"ChildShards":%b' % _encode([child(s) for s in self._children()])


def _nobody() -> None:
    """No connection has taken the subscription up yet."""
