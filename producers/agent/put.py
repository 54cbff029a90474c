"""Sending a batch until the stream has acknowledged every entry of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from producers.agent.pack import Packed
from runtime.backoff import full_jitter
from runtime.clock import Clock
from runtime.outage import Outage, Stop, Trouble, wait_at_start

# Shard limits renew every second, so waiting much longer than that only adds to the lag.
LONGEST_WAIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one call of Stream.put takes: the lines that the agent holds in memory."""

    lines: int
    bytes: int  # of data and partition keys


# PutRecords: 500 records a request. 10 MiB by the newer documents, 5 MiB by the older: stay under both.
ONE_REQUEST = Limits(lines=500, bytes=4_500_000)

HELD_BACK = "held back"  # code of a record that was not offered: no room for it yet, or an earlier one was refused


class Stream(Protocol):
    """Where records go."""

    @property
    def limits(self) -> Limits: ...

    def check(self) -> None:
        """Whether records can be sent at all. Raises Outage, and ConfigError where waiting will not help."""
        ...

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """Offer records, at least one, within `limits`. May wait for room, but not once `stop` is set.

        Returns for each record, in order, None once it is stored durably, else the error's code, or HELD_BACK. Raises
        as `check`, and then none of them is known to be stored.
        """
        ...

    def close(self) -> None:
        """Leave nothing running."""
        ...


class _Now:
    """A Stop for what shall not wait."""

    def is_set(self) -> bool:
        return True

    def wait(self, timeout: float) -> bool:
        return True


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

    @property
    def limits(self) -> Limits:
        """Of what `send` and `offer` take."""
        return self._stream.limits

    def wait_until_ready(self, stop: Stop) -> None:
        """Return when the stream can be sent to, or `stop` is set.

        Raises ConfigError, see Stream, and when the stream is still away after `start_patience_s`.
        """
        wait_at_start(
            self._stream.check,
            stop,
            trouble=self._trouble,
            patience_s=self._start_patience_s,
            advice="start it (a local one: `make up`), or change [aws] kinesis_endpoint or [kafka] servers;"
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
            outcome = self._offer(batch if len(left) == len(batch) else [batch[i] for i in left], stop)
            if len(left) == len(batch) and all(outcome):
                return outcome
            for i, is_in in zip(left, outcome, strict=True):
                acknowledged[i] = is_in
            left = [i for i in left if not acknowledged[i]]
            if left:
                attempt = 0 if any(outcome) else attempt
                stop.wait(self.pause_s(attempt))
                attempt += 1
        return acknowledged

    def offer(self, batch: Sequence[Packed]) -> list[bool]:
        """Once, without waiting, what Stream.put takes. Returns and raises as `send`."""
        return self._offer(batch, _Now())

    def _offer(self, batch: Sequence[Packed], stop: Stop) -> list[bool]:
        """An outage acknowledges nothing."""
        try:
            codes = self._stream.put(batch, stop)
        except Outage as outage:
            acknowledged, trouble = [False] * len(batch), str(outage)
        else:
            acknowledged = [code is None for code in codes]
            trouble = next((code for code in dict.fromkeys(codes) if code is not None and code is not HELD_BACK), "")
        if any(acknowledged):
            self.is_well = True
            self._fruitless = 0
            self._trouble.over()
        elif trouble:
            self.is_well = False
            self._fruitless += 1
            if self._fruitless > 1:  # one alone is daily life
                self._trouble.goes_on(trouble)
        return acknowledged

    def pause_s(self, attempt: int) -> float:
        """How long to wait before retry number `attempt`, from 0 on."""
        return full_jitter(attempt, self._rng, cap_s=LONGEST_WAIT_S)
