"""Sending a batch until the stream has acknowledged every entry of it."""

import random
from collections.abc import Sequence
from typing import Protocol

from producers.agent.outage import Outage
from producers.agent.pack import Packed
from runtime.backoff import full_jitter
from runtime.clock import Clock

# PutRecords: 500 records a request. 10 MiB by the newer documents, 5 MiB by the older: stay under both.
MAX_ENTRIES = 500
MAX_BYTES = 4_500_000  # of data and partition keys

# Shard limits renew every second, so waiting much longer than that only adds to the lag.
LONGEST_WAIT_S = 2.0


class Unavailable(Exception):
    """The request may or may not have been taken: wait and send it again. The text is the same for the same trouble."""


class Stream(Protocol):
    """Where records go."""

    def check(self) -> None:
        """Whether records can be sent at all. Raises Unavailable, and ConfigError where waiting will not help."""
        ...

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        """One request, 1 to MAX_ENTRIES records of together at most MAX_BYTES.

        Returns for each record, in order, None once it is stored durably, else the error's code. Raises as `check`.
        """
        ...


class Stop(Protocol):
    """What threading.Event offers: how the loop learns that it shall end, and waits."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Sender:
    """Patience without limit, memory for one batch: the disk is the backlog."""

    def __init__(self, stream: Stream, *, rng: random.Random, clock: Clock) -> None:
        self._stream = stream
        self._rng = rng
        self._outage = Outage("stream", clock)

    def wait_until_ready(self, stop: Stop) -> None:
        """Return when the stream can be sent to, or `stop` is set. Raises ConfigError, see Stream."""
        attempt = 0
        while not stop.is_set():
            try:
                self._stream.check()
            except Unavailable as why:
                self._outage.goes_on(str(why))
                attempt = self._wait(attempt, stop)
            else:
                return self._outage.over()

    def send(self, batch: Sequence[Packed], stop: Stop) -> list[bool]:
        """Send until all is acknowledged, each retry only what failed; `stop` ends it after the request in flight.

        Returns for each record whether it is acknowledged. Raises ConfigError, see Stream.
        """
        acknowledged = [False] * len(batch)
        left = list(range(len(batch)))
        attempt = 0
        while left and not stop.is_set():
            try:
                codes = self._stream.put([batch[i] for i in left])
            except Unavailable as why:
                failed, trouble = left, str(why)
            else:
                failed = [i for i, code in zip(left, codes, strict=True) if code is not None]
                trouble = next((code for code in codes if code is not None), "")
                for i, code in zip(left, codes, strict=True):
                    acknowledged[i] = code is None
            if len(failed) < len(left):
                self._outage.over()
            elif attempt:  # the second request in a row that got nothing through; one alone is daily life
                self._outage.goes_on(trouble)
            left = failed
            if left:
                attempt = self._wait(attempt, stop)
        return acknowledged

    def _wait(self, attempt: int, stop: Stop) -> int:
        stop.wait(full_jitter(attempt, self._rng, cap_s=LONGEST_WAIT_S))
        return attempt + 1
