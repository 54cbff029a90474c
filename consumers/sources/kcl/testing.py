"""The daemon's side of one process, in memory: what it says, and by which rules it stores checkpoints."""

import base64
import threading
from collections.abc import MutableSequence, Sequence
from typing import Any

import msgspec

from consumers.delivery import Position
from consumers.sources.kcl.wire import DaemonGone

SHARD_ID = "shardId-000000000000"
ARRIVED_AT_MS = 1_795_766_400_123
SHARD_END = "SHARD_END"
_IDLE_S = 0.002  # between two empty reads


def record(position: Position, data: bytes, *, arrived_at_ms: int = ARRIVED_AT_MS) -> dict[str, Any]:
    """One record as the daemon writes it."""
    return {
        "action": "record",
        "data": base64.b64encode(data).decode(),
        "partitionKey": "a",
        "sequenceNumber": str(position.sequence),
        "subSequenceNumber": position.sub_sequence,
        "approximateArrivalTimestamp": arrived_at_ms,
    }


def line(action: str, **fields: Any) -> bytes:
    """One line of the daemon's."""
    return msgspec.json.encode({"action": action, **fields}) + b"\n"


class FakeDaemon:
    """A shard of the MultiLangDaemon, one that hands over empty reads too. A Wire for KclSource.

    As ShardRecordProcessorCheckpointer has it: a checkpoint lies between the last one and the last record handed over;
    at the shard's end, one without a number ends it.
    """

    def __init__(
        self,
        records: Sequence[tuple[Position, bytes]],
        *,
        shard_id: str = SHARD_ID,
        checkpoint: Position | str = "TRIM_HORIZON",
        batch_size: int = 10,
        stop: threading.Event | None = None,
        closed: bool = False,
        refusals: MutableSequence[str] = (),  # type: ignore[assignment]
    ) -> None:
        """`records` may grow. `stop` asks for the shutdown; `closed`: after the last record the shard ends.

        `refusals` are the errors of the next checkpoints.
        """
        self.checkpoint = checkpoint
        self.log: list[str] = []  # what was said on both sides, in order
        self._records = records
        self._shard_id = shard_id
        self._batch_size = batch_size
        self._stop = stop or threading.Event()
        self._closed = closed
        self._refusals = list(refusals)
        self._handed_over = 0
        self._waits_for: str | None = None  # the action that the child works on
        self._answers: list[bytes] = []
        self._last: Position | None = checkpoint if isinstance(checkpoint, Position) else None
        self._largest = self._last
        self._is_lost = False
        self._is_over = False

    def lose(self) -> None:
        """Another worker has the lease: checkpoints are refused, and the child is told next."""
        self._is_lost = True

    def hang_up(self) -> None:
        """As if killed."""
        self._is_over = True

    def receive(self) -> bytes:
        if self._answers:
            return self._answers.pop(0)
        assert self._waits_for is None, f"nobody answered {self._waits_for}"
        if self._is_over:
            raise DaemonGone
        said = self._next()
        self._waits_for = msgspec.json.decode(said)["action"]
        self.log.append(str(self._waits_for))
        return said

    def send(self, line: bytes) -> None:
        assert line.endswith(b"\n") and line.count(b"\n") == 1, line
        if self._is_over:
            raise DaemonGone
        message = msgspec.json.decode(line)
        if message["action"] == "status":
            assert message == {"action": "status", "responseFor": self._waits_for}
            assert self._waits_for != "shardEnded" or self.checkpoint == SHARD_END, "a shard end without a checkpoint"
            self._is_over = self._waits_for in ("leaseLost", "shardEnded")
            self._waits_for = None
            self.log.append("status")
        else:
            self._answers.append(self._checkpointed(message["sequenceNumber"], message["subSequenceNumber"]))

    def wait(self, wait_s: float) -> None:
        if self._is_over:
            raise DaemonGone

    def _next(self) -> bytes:
        if not self.log:
            number, sub = self.checkpoint if isinstance(self.checkpoint, Position) else (self.checkpoint, 0)
            return line("initialize", shardId=self._shard_id, sequenceNumber=str(number), subSequenceNumber=sub)
        if self._is_lost or "shutdownRequested" in self.log:
            return line("leaseLost")
        if self._stop.is_set():
            return line("shutdownRequested")
        batch = self._records[self._handed_over : self._handed_over + self._batch_size]
        if not batch and self._closed:
            return line("shardEnded")
        if not batch:
            self._stop.wait(_IDLE_S)
        self._handed_over += len(batch)
        fresh = [(position, data) for position, data in batch if self._last is None or position > self._last]
        if fresh:
            self._largest = fresh[-1][0]
        return line(
            "processRecords", records=[record(position, data) for position, data in fresh], millisBehindLatest=0
        )

    def _checkpointed(self, number: str | None, sub: int | None) -> bytes:
        error = self._refusals.pop(0) if self._refusals else self._store(number, sub)
        self.log.append(f"checkpoint {number}.{sub}" + (f": {error}" if error else ""))
        return line("checkpoint", sequenceNumber=number, subSequenceNumber=sub, error=error)

    def _store(self, number: str | None, sub: int | None) -> str | None:
        if self._is_lost:
            return "ShutdownException"
        if self._waits_for == "initialize":
            return "InvalidStateException"
        if number is None:
            self.checkpoint = SHARD_END if self._waits_for == "shardEnded" else self._largest or self.checkpoint
            return None
        position = Position(int(number), sub or 0)
        if self._largest is None or position > self._largest or (self._last is not None and position < self._last):
            return "IllegalArgumentException"
        self.checkpoint = self._last = position
        return None
