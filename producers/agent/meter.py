"""What one road does, as others may look at it: the command `status`, the health endpoint, CloudWatch."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from producers.agent.pack import Packed
from producers.agent.put import HELD_BACK, Limits, Stream
from runtime.clock import Clock
from runtime.outage import Outage, Stop

RATE_OVER_S = 10.0  # long enough that a batch a second makes no waves
_REMEMBERED_ERRORS = 5
_PUT_RECORDS = "kinesis.PutRecords"


@dataclass(slots=True)
class Spread:
    """Values as CloudWatch takes many at once."""

    count: int = 0
    total: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def add(self, value: float, times: int = 1) -> None:
        if not times:
            return
        self.low = min(self.low, value) if self.count else value
        self.high = max(self.high, value) if self.count else value
        self.count += times
        self.total += value * times


@dataclass(slots=True)
class Tally:
    """What has happened since the last one was taken."""

    received: int = 0  # lines read for sending
    put: int = 0  # lines acknowledged
    records: int = 0  # Kinesis records stored: aggregates, or lines that travel alone
    errors: Counter[str] = field(default_factory=Counter)  # records refused, by the service's code; outages as such
    retries: Spread = field(default_factory=Spread)  # per line
    buffering_ms: Spread = field(default_factory=Spread)  # from the read of a line to the call that brought it through
    request_ms: Spread = field(default_factory=Spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that there is to see at one moment."""

    is_ready: bool  # the stream has answered once
    failure: str | None  # why the road does not go, and will not by waiting
    waits_s: float  # for how long nothing has got through that was tried; 0.0: all is well
    silent_s: float  # since the last sign of life
    lines: int  # acknowledged since the start
    bytes: int  # of those lines
    pending: int  # lines in memory, not acknowledged
    lines_a_s: float
    bytes_a_s: float
    caught_up_at: datetime | None  # the last time that all there was to read was acknowledged
    errors: Sequence[tuple[datetime, str]]  # the last ones, oldest first
    unreadable: Mapping[str, str]  # by path: why


class Meter:
    """Written by its road, read by others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tally = Tally()
        self._is_ready = False
        self._failure: str | None = None
        self._waits_since_s: float | None = None
        self._alive_s = clock.monotonic()
        self._lines = self._bytes = self._pending = 0
        self._history: deque[tuple[float, int, int]] = deque([(self._alive_s, 0, 0)])
        self._caught_up_at: datetime | None = None
        self._errors: deque[tuple[datetime, str]] = deque(maxlen=_REMEMBERED_ERRORS)
        self._unreadable: Mapping[str, str] = {}

    def ready(self) -> None:
        """The stream can be sent to."""
        self._is_ready, self._failure = True, None
        self._alive_s = self._clock.monotonic()

    def failed(self, why: str) -> None:
        """The road does not go."""
        self._failure = why
        self._note_error(why)

    def took(self, batch: Sequence[Packed], unreadable: Mapping[str, str]) -> None:
        """One look at the files: what is to be sent, and what could not be read."""
        with self._lock:
            self._alive_s = self._clock.monotonic()
            self._unreadable = unreadable
            self._pending = len(batch)
            self._tally.received += len(batch)

    def acknowledged(self, lines: int, size: int) -> None:
        """So many of them, of so many bytes in their files, are in the stream; the others will be read again."""
        with self._lock:
            self._lines += lines
            self._bytes += size
            self._pending = 0
            self._tally.put += lines
            if lines:
                self._note_rate()

    def caught_up(self) -> None:
        """There is nothing more to read."""
        self._caught_up_at = self._clock.now()

    def put(self, codes: Sequence[str | None], *, retries: Mapping[int, int], buffered_s: float) -> None:
        """One call of Stream.put. `retries` of lines by place in the call, where they are not 0."""
        stored = codes.count(None)
        with self._lock:
            self._alive_s = self._clock.monotonic()
            self._tally.buffering_ms.add(buffered_s * 1_000, stored)
            again = [tries for place, tries in retries.items() if codes[place] is None]
            for tries in again:
                self._tally.retries.add(tries)
            self._tally.retries.add(0, stored - len(again))
        if stored:
            self._waits_since_s = None
        elif (code := next((code for code in codes if code != HELD_BACK), None)) is not None:
            self._goes_wrong(code)

    def outage(self, why: str) -> None:
        """A call of Stream.put that got no answer."""
        with self._lock:
            self._alive_s = self._clock.monotonic()
            self._tally.errors["Outage"] += 1
        self._goes_wrong(why)

    def request(self, codes: Sequence[str | None], seconds: float) -> None:
        """One answer of Kinesis, with a code for each record that it has not stored."""
        refused = Counter(code for code in codes if code is not None)
        with self._lock:
            self._tally.records += len(codes) - refused.total()
            self._tally.errors.update(refused)
            self._tally.request_ms.add(seconds * 1_000)

    def take_tally(self) -> tuple[Tally, int]:
        """What has happened since the last call, and the lines that are pending now."""
        with self._lock:
            tally, self._tally = self._tally, Tally()
            return tally, self._pending

    def read(self) -> Reading:
        with self._lock:
            now_s = self._clock.monotonic()
            self._note_rate()
            began_s, lines, size = self._history[0]
            over_s = max(now_s - began_s, 1.0)
            return Reading(
                is_ready=self._is_ready,
                failure=self._failure,
                waits_s=0.0 if self._waits_since_s is None else now_s - self._waits_since_s,
                silent_s=now_s - self._alive_s,
                lines=self._lines,
                bytes=self._bytes,
                pending=self._pending,
                lines_a_s=round((self._lines - lines) / over_s, 1),
                bytes_a_s=round((self._bytes - size) / over_s, 1),
                caught_up_at=self._caught_up_at,
                errors=list(self._errors),
                unreadable=self._unreadable,
            )

    def _goes_wrong(self, why: str) -> None:
        if self._waits_since_s is None:
            self._waits_since_s = self._clock.monotonic()
        self._note_error(why)

    def _note_error(self, why: str) -> None:
        with self._lock:
            if self._errors and self._errors[-1][1] == why:
                self._errors.pop()
            self._errors.append((self._clock.now(), why))

    def _note_rate(self) -> None:
        """One point a second, back to the first one older than the time that rates are taken over."""
        now_s = self._clock.monotonic()
        if now_s - self._history[-1][0] >= 1.0:
            self._history.append((now_s, self._lines, self._bytes))
        while len(self._history) > 1 and now_s - self._history[1][0] >= RATE_OVER_S:
            self._history.popleft()


class MeteredStream:
    """A stream, and what becomes of each call of it."""

    def __init__(self, stream: Stream, meter: Meter, clock: Clock) -> None:
        self._stream = stream
        self._meter = meter
        self._clock = clock
        self._retried: dict[tuple[str, int], int] = {}  # lines that are in no stream yet, by (file id, offset)
        self._batch_since_s: float | None = None

    @property
    def limits(self) -> Limits:
        return self._stream.limits

    def check(self) -> None:
        self._stream.check()

    def close(self) -> None:
        self._stream.close()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """As Stream."""
        now_s = self._clock.monotonic()
        since_s = now_s if self._batch_since_s is None else self._batch_since_s
        try:
            codes = self._stream.put(batch, stop)
        except Outage as outage:
            self._meter.outage(str(outage))
            self._count_failed(batch, ["Outage"] * len(batch))
            self._batch_since_s = since_s
            raise
        known = self._retried
        retries = {i: known[line[:2]] for i, line in enumerate(batch) if line[:2] in known} if known else {}
        self._meter.put(codes, retries=retries, buffered_s=now_s - since_s)
        if codes.count(None) == len(codes):
            self._retried, self._batch_since_s = {}, None
        else:
            self._count_failed(batch, codes)
            self._batch_since_s = since_s
        return codes

    def _count_failed(self, batch: Sequence[Packed], codes: Sequence[str | None]) -> None:
        """Only what is in this call may come again: a batch is sent to its end before the next one."""
        self._retried = {
            line[:2]: self._retried.get(line[:2], 0) + (code != HELD_BACK)
            for line, code in zip(batch, codes, strict=True)
            if code is not None
        }


def watch_requests(client: Any, meter: Meter, clock: Clock) -> None:
    """From now on `meter` learns of each PutRecords that a boto3 Kinesis client makes."""

    def begin(context: dict[str, Any], **_: Any) -> None:
        context["storepulse-began"] = clock.monotonic()

    def end(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        codes = [record.get("ErrorCode") for record in parsed.get("Records", ())]
        codes = codes or [parsed.get("Error", {}).get("Code")]
        meter.request(codes, clock.monotonic() - context["storepulse-began"])

    client.meta.events.register(f"before-call.{_PUT_RECORDS}", begin, unique_id="storepulse-begin")
    client.meta.events.register(f"after-call.{_PUT_RECORDS}", end, unique_id="storepulse-end")
