"""A subscription on a connection: when to ask it for its next event."""

import asyncio
from collections.abc import Callable

from infra.local.kinesis.subscription import Subscription


class Feed:
    """Rings when the subscription may have something to say: its shard has news, or its time has come."""

    __slots__ = ("_ring", "_timer", "_told", "subscription")

    def __init__(self, subscription: Subscription, ring: Callable[[], None]) -> None:
        self.subscription = subscription
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._told = False  # the timer is set for news already: more news changes nothing
        subscription.wake = self._wake

    def wait(self) -> None:
        """Ring when something is due; to be called when `poll` had nothing."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.subscription.due_in_s(), self._fire)

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._timer:
            self._timer.cancel()
        self._told = True
        self.subscription.close()

    def _wake(self) -> None:
        if not self._told:
            self._told = True
            self.wait()

    def _fire(self) -> None:
        self._told = False
        self._ring()
