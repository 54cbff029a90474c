"""What lies between one process and a service: a way that takes time, breaks, and loses answers."""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumers.delivery import LeaseLost
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.simulation.laws import Laws
from consumers.sources.kinesis.simulation.threads import check_alive, current, scheduler
from runtime.outage import Outage

_REFUSED_AFTER_S = 0.5  # of a service that is away
_PATIENCE_S = 2.0  # with an answer that does not come
_LATENCY_S = 0.04
_WRITES = {"renew", "take", "checkpoint", "evict"}  # of a lease that somebody holds


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What is wrong with one process's ways."""

    table_away_until_s: float = 0.0
    stream_away_until_s: float = 0.0
    answers_to_lose: int = 0  # of the next writes to the table
    stalls: deque[tuple[bool, float]] = field(default_factory=deque)  # of the next calls: after the effect?, seconds

    def end(self) -> None:
        self.table_away_until_s = self.stream_away_until_s = 0.0
        self.answers_to_lose = 0
        self.stalls.clear()


class StreamWire:
    """The stream as one process reaches it. Implements `Stream`."""

    def __init__(self, stream: Any, trouble: Trouble) -> None:
        self._stream = stream
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            check_alive()
            after, stall_s = _stall(self._trouble)
            if stall_s and not after:
                scheduler().sleep(stall_s)
            if self._trouble.stream_away_until_s > scheduler().now_s:
                scheduler().sleep(_REFUSED_AFTER_S)
                raise Outage("Kinesis is away")
            answer = found(*args, **options)
            if stall_s and after:
                scheduler().sleep(stall_s)
            return answer

        setattr(self, name, call)
        return call


class TableWire:
    """The lease table as one process reaches it. Implements `LeaseTable`; every call is shown to the laws."""

    def __init__(
        self, worker: str, table: Any, trouble: Trouble, laws: Laws, rng: random.Random, calls: Counter[str]
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._table = table
        self._trouble = trouble
        self._laws = laws
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._table, name)

        def call(*args: Any, **options: Any) -> Any:
            return self._call(name, found, args, options)

        setattr(self, name, call)
        return call

    def _call(self, name: str, effect: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        check_alive()
        self._calls[name] += 1
        began_s = scheduler().now_s
        after, stall_s = _stall(self._trouble)
        if name in _WRITES:
            self._laws.tried(self._worker, args[0])
        if name == "evict":
            self._laws.gave_back(self._worker, args[0])
        scheduler().sleep(self._latency_s() + (0.0 if after else stall_s))
        if self._trouble.table_away_until_s > scheduler().now_s:
            scheduler().sleep(_REFUSED_AFTER_S)
            raise Outage("DynamoDB is away")
        landed_s = scheduler().now_s
        try:
            answer = effect(*args, **options)
        except LeaseLost:
            scheduler().sleep(self._latency_s() + (stall_s if after else 0.0))
            self._laws.gave_back(self._worker, args[0])
            raise
        if name in _WRITES:
            self._laws.landed(self._worker, name, args[0], began_s, answer)
            if self._trouble.answers_to_lose > 0:
                self._trouble.answers_to_lose -= 1
                self._laws.unanswered(self._worker, args[0])
                scheduler().sleep(_PATIENCE_S)
                raise Outage("DynamoDB does not answer")
        scheduler().sleep(self._latency_s() + (stall_s if after else 0.0))
        self._show_answer(name, args, answer, landed_s)
        return answer

    def _show_answer(self, name: str, args: tuple[Any, ...], answer: Any, landed_s: float) -> None:
        if name == "read_all" and current().shard_id is None:  # a reader's own look is no news for the worker
            leases: list[Lease] = answer
            self._laws.read(self._worker, landed_s, leases)
        elif name in _WRITES:
            self._laws.answered(self._worker, args[0])

    def _latency_s(self) -> float:
        return self._rng.random() * _LATENCY_S


def _stall(trouble: Trouble) -> tuple[bool, float]:
    return trouble.stalls.popleft() if trouble.stalls else (False, 0.0)
