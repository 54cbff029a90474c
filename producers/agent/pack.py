"""From a line to the record that carries it. Pure.

A JSON object travels as its own bytes with the stamp spliced in before the closing brace; nothing is serialised anew:

    {"type":"order", ... ,"_sp":{...}}

Any other line, and one that brings an `_sp` of its own, travels inside an envelope, which is the only kind of record
that *begins* with the stamp (an empty object, spliced, does too: it has no field beside it):

    {"_sp":{...},"line":"..."}   {"_sp":{...},"line_b64":"..."} where it is not UTF-8
    {"_sp":{...},"oversize":{"bytes":n,"sha256":"..."}} for a line that fits no record
"""

import base64
import hashlib
import zlib
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from contract.stamp import Stamp

RECORD_LIMIT = 1 << 20  # bytes of data and partition key: Kinesis, a stream's default MaxRecordSizeInKiB
_KEY_CHARACTERS = 16
_encode = msgspec.json.Encoder().encode


class Origin(NamedTuple):
    """What the lines of one file have in common, for as long as one batch."""

    kind: Literal["order", "access"]
    file_id: str
    where: str  # host/path, for people
    read_at: str  # RFC 3339 UTC


class Packed(NamedTuple):
    """One line, ready to be sent."""

    file_id: str
    offset: int  # of the line's first byte
    end: int  # of the next line: the checkpoint once this one is acknowledged
    crc: int  # crc32 of the line as it stands in the file
    key: str  # partition key
    data: bytes


class _Event(msgspec.Struct, gc=False):
    """The little that the agent reads of an event; the rest is checked to be JSON and skipped."""

    customer_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    session_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    stamp: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_sp")


_decode = msgspec.json.Decoder(_Event).decode


def pack(origin: Origin, offset: int, content: bytes) -> Packed | None:
    """The record of the line `content` at `offset`. None if no record can hold it. Raises nothing."""
    crc = zlib.crc32(content)
    stamp = _stamp(origin, offset, len(content), crc)
    text = _text(content)
    event = _object(content) if text is not None else None
    if event is None:
        data = _enveloped(stamp, content, text)
        who = f"{origin.file_id}:{offset}"
    else:
        data = _spliced(stamp, content)
        who = _name(event.customer_id) or _name(event.session_id) or f"{origin.file_id}:{offset}"
    if len(data) + _KEY_CHARACTERS > RECORD_LIMIT:
        return None
    return Packed(origin.file_id, offset, offset + len(content) + 1, crc, partition_key(who), data)


def pack_oversize(origin: Origin, offset: int, *, size: int, crc: int, sha256: str) -> Packed:
    """The record that stands for a line of `size` bytes that no record can hold."""
    stub = _encode({"bytes": size, "sha256": sha256})
    data = b'{"_sp":%b,"oversize":%b}' % (_stamp(origin, offset, size, crc), stub)
    return Packed(origin.file_id, offset, offset + size + 1, crc, partition_key(f"{origin.file_id}:{offset}"), data)


def stamped(moment: datetime) -> str:
    """A time as stamps write it. `moment` is aware UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp(origin: Origin, offset: int, size: int, crc: int) -> bytes:
    return _encode(
        Stamp(k=origin.kind, f=origin.file_id, o=offset, n=size, c=crc, h=origin.where, t=origin.read_at),
    )


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _object(content: bytes) -> _Event | None:
    """The event, if `content` (which is UTF-8: msgspec does not look inside what it skips) is one we can splice."""
    try:
        event = _decode(content)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return event if event.stamp is msgspec.UNSET else None


def _spliced(stamp: bytes, content: bytes) -> bytes:
    brace = content.rindex(b"}")  # only white space may follow it
    comma = b"" if content[:brace].rstrip().endswith(b"{") else b","
    return b'%b%b"_sp":%b%b' % (content[:brace], comma, stamp, content[brace:])


def _enveloped(stamp: bytes, content: bytes, text: str | None) -> bytes:
    if text is None:
        return b'{"_sp":%b,"line_b64":"%b"}' % (stamp, base64.b64encode(content))
    return b'{"_sp":%b,"line":%b}' % (stamp, _encode(text))


def _name(raw: msgspec.Raw | msgspec.UnsetType) -> str | None:
    if isinstance(raw, msgspec.UnsetType) or not bytes(raw).startswith(b'"'):
        return None
    return msgspec.json.decode(raw, type=str)


def partition_key(who: str) -> str:
    """Hides who it is, and spreads over the shards."""
    return hashlib.sha256(who.encode()).hexdigest()[:_KEY_CHARACTERS]
