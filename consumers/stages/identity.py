"""Stage three: which event this is, and whether a second one with its identity says the same."""

import hashlib
import zlib

import msgspec
from msgspec.json import Decoder, Encoder

from consumers.delivery import Position
from consumers.stages.access.hit import Request
from consumers.stages.events import Event, Unreadable
from contract import identity
from contract.heartbeat import Heartbeat
from contract.stamp import Stamp

LONGEST_ID = 512  # bytes of UTF-8 in an OpenSearch `_id`

_encode = Encoder().encode


class _Kept(msgspec.Struct, frozen=True, gc=False):
    event_id: str | None = None


_kept = Decoder(_Kept)


def event_id_of(
    own: str | None, stamp: Stamp | None, line: bytes | None, data: bytes, shard_id: str, position: Position
) -> str:
    """The event's own id; else its line's; else its record's. At most LONGEST_ID bytes, and no NUL.

    `line` is the original line where the record held it apart, `data` the record.
    """
    if own and "\0" not in own:
        # Four bytes a character at most.
        short = len(own) <= LONGEST_ID // 4 or len(own.encode()) <= LONGEST_ID
        return own if short else "long:" + hashlib.sha256(own.encode()).hexdigest()[:32]
    if stamp is not None:
        return identity.event_id_of_line(stamp, original_line(data, stamp) if line is None else line)
    return identity.event_id_of_record(shard_id, position.sequence, position.sub_sequence)


def identity_of(read: Event | Heartbeat | Unreadable, data: bytes, shard_id: str, position: Position) -> str:
    """Identity of a record of the transactions stream. `data` is the record, `read` what `decode` made of it."""
    if isinstance(read, Event):
        return event_id_of(read.order.event_id, read.stamp, None, data, shard_id, position)
    if isinstance(read, Heartbeat):
        return event_id_of(None, read.sp, None, data, shard_id, position)
    return event_id_of(read.event_id, read.stamp, read.line, data, shard_id, position)


def identity_of_access(read: Request | Heartbeat | Unreadable, data: bytes, shard_id: str, position: Position) -> str:
    """The same of the access stream, as `decode_access` read it. A line's own id is none there: a client may send any.

    What a letter was mended into keeps the letter's, which was written beside the stamp.
    """
    stamp, line = (read.sp, None) if isinstance(read, Heartbeat) else (read.stamp, read.line)
    own = _kept_id(data) if stamp is not None and stamp.a and line is None else None
    return event_id_of(own, stamp, line, data, shard_id, position)


def _kept_id(data: bytes) -> str | None:
    try:
        return _kept.decode(data).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def original_line(data: bytes, stamp: Stamp) -> bytes:
    """The line as the shop wrote it, from the record that the agent made of it by splicing `"_sp":{...}` in.

    A record made any other way gives length and checksum instead: with file and offset they name the line as well,
    and do not change when the agent reads it again.
    """
    start = data.rfind(b'"_sp"')
    start -= data[start - 1 : start] == b","
    line = data[:start] + data[start + len(data) - stamp.n :]
    return line if len(line) == stamp.n and zlib.crc32(line) == stamp.c else f"{stamp.n}:{stamp.c}".encode()


def content_hash_of(event: Event) -> str:
    """Hash of what the shop said: whatever its order of fields, spaces, explicit nulls, or the stamp.

    Unknown fields count as they are written.
    """
    return identity.content_hash(_encode(event.order) + event.extra)
