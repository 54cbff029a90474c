"""The MultiLangDaemon's protocol: one JSON object a line, on stdin from the daemon, on stdout to it.

The daemon sends an action and waits for a `status` that names it; until then the child may ask for checkpoints, each
answered with `checkpoint`. No I/O here. As in amazon-kinesis-client-multilang 2.5.4 and 3.1.3, package `messages`.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from consumers.delivery import Position, Record


class ProtocolError(Exception):
    """The daemon said what it must not say here: nothing can be promised any more, so the process ends."""


class WireRecord(msgspec.Struct, rename="camel", gc=False):
    """A user record: the KCL opens aggregates itself."""

    sequence_number: str
    data: bytes | None = None  # base64 on the wire
    approximate_arrival_timestamp: int = 0  # milliseconds since the epoch
    sub_sequence_number: int | None = None


class Initialize(msgspec.Struct, tag_field="action", tag="initialize", rename="camel"):
    """The shard of this process, and the checkpoint that the lease table has for it."""

    shard_id: str
    sequence_number: str | None = None  # a number or a sentinel
    sub_sequence_number: int | None = None


class ProcessRecords(msgspec.Struct, tag_field="action", tag="processRecords", rename="camel"):
    """The next records; none, where the daemon is told to say so too (callProcessRecordsEvenForEmptyRecordList)."""

    records: list[WireRecord]
    millis_behind_latest: int | None = None


class LeaseLost(msgspec.Struct, tag_field="action", tag="leaseLost"):
    """The end, without a checkpoint."""


class ShardEnded(msgspec.Struct, tag_field="action", tag="shardEnded"):
    """All records were handed over: the shard has to be checkpointed as ended."""


class ShutdownRequested(msgspec.Struct, tag_field="action", tag="shutdownRequested"):
    """The daemon stops: the last chance for a checkpoint."""


class Checkpointed(msgspec.Struct, tag_field="action", tag="checkpoint", rename="camel"):
    """The answer to a checkpoint. `error` is the simple name of a Java exception."""

    sequence_number: str | None = None
    sub_sequence_number: int | None = None
    error: str | None = None


Message = Initialize | ProcessRecords | LeaseLost | ShardEnded | ShutdownRequested | Checkpointed
Action = Initialize | ProcessRecords | LeaseLost | ShardEnded | ShutdownRequested

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class State(Enum):
    """Where a conversation is."""

    NEW = "before initialize"
    READING = "reading"
    STOPPING = "after shutdownRequested"
    OVER = "after the shard's end or the loss of its lease"


# What the daemon may say, and where that leads.
_NEXT: dict[tuple[State, type[Action]], State] = {
    (State.NEW, Initialize): State.READING,
    (State.READING, ProcessRecords): State.READING,
    (State.READING, ShutdownRequested): State.STOPPING,
    (State.READING, ShardEnded): State.OVER,
    (State.READING, LeaseLost): State.OVER,
    (State.STOPPING, ShardEnded): State.OVER,
    (State.STOPPING, LeaseLost): State.OVER,
}


class Conversation:
    """One process's talk with the daemon. A message out of turn raises ProtocolError and changes nothing."""

    def __init__(self) -> None:
        self.state = State.NEW

    def action(self, line: bytes) -> Action:
        """What the daemon wants next. Raises ProtocolError."""
        message = _decoded(line)
        if isinstance(message, Checkpointed):
            raise ProtocolError("the daemon answers a checkpoint that nobody asked for")
        following = _NEXT.get((self.state, type(message)))
        if following is None:
            raise ProtocolError(f"{_name(message)} came {self.state.value}")
        self.state = following
        return message

    def checkpointed(self, line: bytes) -> Checkpointed:
        """The answer to a checkpoint. Raises ProtocolError."""
        message = _decoded(line)
        if not isinstance(message, Checkpointed):
            raise ProtocolError(f"{_name(message)} came where a checkpoint was to be answered")
        return message


def records_of(action: ProcessRecords) -> list[Record]:
    """Its records, in order. Raises ProtocolError for a sequence number that is none."""
    return [
        Record(
            position_of(record.sequence_number, record.sub_sequence_number),
            datetime.fromtimestamp(record.approximate_arrival_timestamp / 1000, UTC),
            record.data or b"",
        )
        for record in action.records
    ]


def position_of(sequence_number: str, sub_sequence_number: int | None) -> Position:
    """Raises ProtocolError for a sequence number that is none."""
    if not (sequence_number.isascii() and sequence_number.isdecimal()):
        raise ProtocolError(f"{sequence_number!r} is no sequence number")
    return Position(int(sequence_number), sub_sequence_number or 0)


def status(action: Action) -> bytes:
    """The line that says that `action` is done."""
    return _line({"action": "status", "responseFor": _name(action)})


def checkpoint(position: Position | None) -> bytes:
    """The line that asks for a checkpoint; None: at all that was handed over, at a shard's end as ended."""
    if position is None:
        return _line({"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None})
    sequence, sub_sequence = position
    return _line({"action": "checkpoint", "sequenceNumber": str(sequence), "subSequenceNumber": sub_sequence})


def _decoded(line: bytes) -> Message:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # Says which field, never what it holds: a record may carry names and addresses.
        raise ProtocolError(f"a line of {len(line)} bytes is no message of the MultiLangDaemon: {error}") from None


def _name(message: Message) -> str:
    return str(type(message).__struct_config__.tag)


def _line(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\n"
