"""Sending a batch until the stream has acknowledged every entry of it."""

import random
from collections.abc import Sequence
from typing import Protocol

from producers.agent.pack import Packed
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage, Stop, Trouble, wait_at_start

# PutRecords: 500 records a request. 10 MiB by the newer documents, 5 MiB by the older: stay under both.
MAX_ENTRIES = 500
MAX_BYTES = 4_500_000  # of data and partition keys

# Shard limits renew every second, so waiting much longer than that only adds to the lag.
LONGEST_WAIT_S = 2.0


class Stream(Protocol):
    """Where records go."""

    def check(self) -> None:
        """Whether records can be sent at all. Raises Outage, and ConfigError where waiting will not help."""
        ...

    def put(self, batch: Sequence[Packed]) -> Sequence[str | None]:
        """One request, 1 to MAX_ENTRIES records of together at most MAX_BYTES.

        Returns for each record, in order, None once it is stored durably, else the error's code. Raises as `check`.
        """
        ...


class Sender:
    """Patience without limit once it has begun, memory for one batch: the disk is the backlog."""

    def __init__(self, stream: Stream, *, rng: random.Random, clock: Clock, start_patience_s: float) -> None:
        self._stream = stream
        self._rng = rng
        self._clock = clock
        self._start_patience_s = start_patience_s
        self._trouble = Trouble("stream", clock)
        self._fruitless = 0  # requests in a row that got nothing through
        self.is_well = False  # the last request got something through

    def wait_until_ready(self, stop: Stop) -> None:
        """Return when the stream can be sent to, or `stop` is set.

        Raises ConfigError, see Stream, and when the stream is still away after `start_patience_s`.
        """
        wait_at_start(
            self._stream.check,
            stop,
            trouble=self._trouble,
            patience_s=self._start_patience_s,
            advice="start Kinesis (a local one: `make up`), or change [aws] kinesis_endpoint;"
            " [agent] start_patience_s waits longer",
            clock=self._clock,
            rng=self._rng,
        )

    def send(self, batch: Sequence[Packed], stop: Stop) -> list[bool]:
        """Send until all is acknowledged, each retry only what failed; `stop` ends it after the request in flight.

        Returns for each record whether it is acknowledged. Raises ConfigError, see Stream.
        """
        acknowledged = [False] * len(batch)
        left = list(range(len(batch)))
        attempt = 0
        while left and not stop.is_set():
            for i, is_in in zip(left, self.offer([batch[i] for i in left]), strict=True):
                acknowledged[i] = is_in
            left = [i for i in left if not acknowledged[i]]
            if left:
                stop.wait(self.pause_s(attempt))
                attempt += 1
        return acknowledged

    def offer(self, batch: Sequence[Packed]) -> list[bool]:
        """One request for what Stream.put takes. Returns and raises as `send`; an outage acknowledges nothing."""
        try:
            codes = self._stream.put(batch)
        except Outage as outage:
            acknowledged, trouble = [False] * len(batch), str(outage)
        else:
            acknowledged = [code is None for code in codes]
            trouble = next((code for code in codes if code is not None), "")
        self.is_well = any(acknowledged)
        if self.is_well:
            self._fruitless = 0
            self._trouble.over()
        else:
            self._fruitless += 1
            if self._fruitless > 1:  # one alone is daily life
                self._trouble.goes_on(trouble)
        return acknowledged

    def pause_s(self, attempt: int) -> float:
        """How long to wait before retry number `attempt`, from 0 on."""
        return full_jitter(attempt, self._rng, cap_s=LONGEST_WAIT_S)
