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
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from contract.stamp import Stamp

RECORD_LIMIT = 1 << 20  # bytes of data and partition key: Kinesis, a stream's default MaxRecordSizeInKiB
_KEY_CHARACTERS = 16
_KEYS_KNOWN = 1 << 16  # customers and sessions come again: two hashes saved; about 12 MB
_BLANK, _BRACE = ord(" "), ord("{")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Origin:
    """What the lines of one file have in common, for as long as one batch."""

    kind: Literal["order", "access"]
    file_id: str
    where: str  # host/path, for people
    read_at: str  # RFC 3339 UTC
    head: bytes = field(init=False)  # of every line's stamp, up to its offset
    tail: bytes = field(init=False)  # after its crc32

    def __post_init__(self) -> None:
        stamp = _encode(Stamp(k=self.kind, f=self.file_id, o=0, n=0, c=0, h=self.where, t=self.read_at))
        head, numbers, tail = stamp.partition(b'"o":0,"n":0,"c":0')  # a text that looks like it has its quotes escaped
        assert numbers
        object.__setattr__(self, "head", head + b'"o":')
        object.__setattr__(self, "tail", tail)


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
    size, crc = len(content), zlib.crc32(content)
    stamp = b'%b%d,"n":%d,"c":%d%b' % (origin.head, offset, size, crc, origin.tail)
    key: str | None = None
    event = _object(content)
    if event is None:
        data = _enveloped(stamp, content)
    else:
        data = _spliced(stamp, content)
        key = _key_of(event.customer_id) or _key_of(event.session_id)
    if len(data) + _KEY_CHARACTERS > RECORD_LIMIT:
        return None
    file_id = origin.file_id
    return Packed(file_id, offset, offset + size + 1, crc, key or partition_key(f"{file_id}:{offset}"), data)


def pack_oversize(origin: Origin, offset: int, *, size: int, crc: int, sha256: str) -> Packed:
    """The record that stands for a line of `size` bytes that no record can hold."""
    stub = _encode({"bytes": size, "sha256": sha256})
    stamp = b'%b%d,"n":%d,"c":%d%b' % (origin.head, offset, size, crc, origin.tail)
    data = b'{"_sp":%b,"oversize":%b}' % (stamp, stub)
    return Packed(origin.file_id, offset, offset + size + 1, crc, partition_key(f"{origin.file_id}:{offset}"), data)


def stamped(moment: datetime) -> str:
    """A time as stamps write it. `moment` is aware UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _object(content: bytes) -> _Event | None:
    """The event, if `content` is one we can splice."""
    if not content.isascii() and _text(content) is None:  # msgspec does not look inside what it skips
        return None
    try:
        event = _decode(content)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return event if event.stamp is msgspec.UNSET else None


def _spliced(stamp: bytes, content: bytes) -> bytes:
    if content[-1:] == b"}" and content[-2] > _BLANK and content[-2] != _BRACE:
        return b'%b,"_sp":%b}' % (content[:-1], stamp)
    brace = content.rindex(b"}")  # only white space may follow it
    comma = b"" if content[:brace].rstrip().endswith(b"{") else b","
    return b'%b%b"_sp":%b%b' % (content[:brace], comma, stamp, content[brace:])


def _enveloped(stamp: bytes, content: bytes) -> bytes:
    text = _text(content)
    if text is None:
        return b'{"_sp":%b,"line_b64":"%b"}' % (stamp, base64.b64encode(content))
    return b'{"_sp":%b,"line":%b}' % (stamp, _encode(text))


def _key_of(name: msgspec.Raw | msgspec.UnsetType) -> str | None:
    return None if name is msgspec.UNSET else _key_of_name(bytes(name))


@lru_cache(_KEYS_KNOWN)
def _key_of_name(raw: bytes) -> str | None:
    """The partition key of a JSON value; None if it is no text, or an empty one."""
    who = msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else None
    return partition_key(who) if who else None


def partition_key(who: str) -> str:
    """Hides who it is, and spreads over the shards."""
    return hashlib.sha256(who.encode()).hexdigest()[:_KEY_CHARACTERS]
