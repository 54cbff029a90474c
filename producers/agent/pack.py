"""From a line to the record that carries it. Pure.

A JSON object travels as its own bytes with the stamp spliced in before the closing brace; nothing is serialised anew:

    {"type":"order", ... ,"_sp":{...}}

Any other line, and one that brings an `_sp` of its own, travels inside an envelope, which is the only kind of record
that *begins* with the stamp (an empty object, spliced, does too: it has no field beside it):

    {"_sp":{...},"line":"..."}   {"_sp":{...},"line_b64":"..."} where it is not UTF-8
    {"_sp":{...},"oversize":{"bytes":n,"sha256":"..."}} for a line that fits no record
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zlib import crc32

import msgspec

from contract.stamp import Stamp

RECORD_LIMIT = 1 << 20  # bytes of data and partition key: Kinesis, a stream's default MaxRecordSizeInKiB
# Few enough that the shard of each is soon known by heart, and found in the processor's cache.
_KEYS = tuple(f"{number:04x}" for number in range(1 << 14))
_LAST_KEY = len(_KEYS) - 1  # their number is a power of two
# Lines without either share a key with their neighbours: few keys cost little, and still spread over the shards.
_PLACE_BYTES = 16 << 10
_NUMBERS_AND_KEY = 100  # bytes, at most: what a stamp says of a line, and the partition key
_CLOSE, _ASKEW = ord("}"), frozenset(b"{ \t\r")  # before the last brace, these may mean that the object is empty
_UNSET = msgspec.UNSET
_new = tuple.__new__  # of Packed: without the call in Python that a named tuple makes
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

    def stamp(self, offset: int, size: int, crc: int) -> bytes:
        """Of one line, as JSON."""
        return b'%b%d,"n":%d,"c":%d%b' % (self.head, offset, size, crc, self.tail)


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

    customer_id: str | None = None
    session_id: str | None = None
    stamp: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_sp")


class _AnyEvent(msgspec.Struct, gc=False):
    """The same of one whose ids are no text: that is for the readers to judge."""

    customer_id: Any = None
    session_id: Any = None
    stamp: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_sp")


_decode = msgspec.json.Decoder(_Event).decode
_decode_any = msgspec.json.Decoder(_AnyEvent).decode


def pack(origin: Origin, offset: int, content: bytes) -> Packed | None:
    """The record of the line `content` at `offset`. None if no record can hold it. Raises nothing."""
    size, crc, file_id = len(content), crc32(content), origin.file_id
    stamp, event = origin.stamp(offset, size, crc), _object(content)
    who = None if event is None else event.customer_id or event.session_id
    key = partition_key(who) if who else _key_of_place(file_id, offset // _PLACE_BYTES)
    data = _enveloped(stamp, content) if event is None else _spliced(stamp, content)
    if len(data) + len(key) > RECORD_LIMIT:
        return None
    return Packed(file_id, offset, offset + size + 1, crc, key, data)


def pack_all(origin: Origin, offset: int, contents: Sequence[bytes]) -> list[Packed]:
    """The records of neighbouring lines, the first of them at `offset`, up to the first that no record can hold.

    The same as of each by itself. Plain objects go a short way: each call more would be a tenth of its cost.
    Raises nothing.
    """
    file_id, head, tail = origin.file_id, b',"_sp":' + origin.head, origin.tail + b"}"
    longest = RECORD_LIMIT - len(head) - len(tail) - _NUMBERS_AND_KEY
    packed: list[Packed] = []
    for content, crc in zip(contents, map(crc32, contents), strict=True):
        size, key = len(content), ""
        try:
            event = _decode(content) if size < longest and content.isascii() else None
        except (msgspec.MsgspecError, RecursionError):
            event = None
        if event is not None and event.stamp is _UNSET and content[-1] == _CLOSE:
            if who := event.customer_id or event.session_id:
                hashed = crc32(who.encode())
                key = _KEYS[(hashed ^ hashed >> 16) & _LAST_KEY]
            elif content[-2] not in _ASKEW:
                key = _key_of_place(file_id, offset // _PLACE_BYTES)
        if not key:
            line = pack(origin, offset, content)
            if line is None:
                break
            packed.append(line)
            offset = line.end
            continue
        data = b'%.*b%b%d,"n":%d,"c":%d%b' % (size - 1, content, head, offset, size, crc, tail)
        start, offset = offset, offset + size + 1
        packed.append(_new(Packed, (file_id, start, offset, crc, key, data)))
    return packed


def pack_oversize(origin: Origin, offset: int, *, size: int, crc: int, sha256: str) -> Packed:
    """The record that stands for a line of `size` bytes that no record can hold."""
    stub = _encode({"bytes": size, "sha256": sha256})
    data = b'{"_sp":%b,"oversize":%b}' % (origin.stamp(offset, size, crc), stub)
    key = _key_of_place(origin.file_id, offset // _PLACE_BYTES)
    return Packed(origin.file_id, offset, offset + size + 1, crc, key, data)


def stamped(moment: datetime) -> str:
    """A time as stamps write it. `moment` is aware UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _object(content: bytes) -> _Event | _AnyEvent | None:
    """The event, if `content` is one we can splice."""
    event: _Event | _AnyEvent
    try:
        if not content.isascii():
            content.decode()  # msgspec does not look inside what it skips
        event = _decode(content)
    except msgspec.ValidationError:
        try:
            event = _decode_any(content)
        except (msgspec.MsgspecError, RecursionError):
            return None
        event.customer_id = event.customer_id if isinstance(event.customer_id, str) else None
        event.session_id = event.session_id if isinstance(event.session_id, str) else None
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return None
    return event if event.stamp is msgspec.UNSET else None


def _spliced(stamp: bytes, content: bytes) -> bytes:
    brace = content.rindex(b"}")  # only white space may follow it
    comma = b"" if content[:brace].rstrip().endswith(b"{") else b","
    return b'%b%b"_sp":%b%b' % (content[:brace], comma, stamp, content[brace:])


def _enveloped(stamp: bytes, content: bytes) -> bytes:
    text = _text(content)
    if text is None:
        return b'{"_sp":%b,"line_b64":"%b"}' % (stamp, base64.b64encode(content))
    return b'{"_sp":%b,"line":%b}' % (stamp, _encode(text))


@lru_cache(1 << 10)
def _key_of_place(file_id: str, place: int) -> str:
    return partition_key(f"{file_id}:{place}")


def partition_key(who: str) -> str:
    """One of 16,384: hides who it is among others, and spreads over a hundred shards within some eight per cent."""
    crc = crc32(who.encode())
    return _KEYS[(crc ^ crc >> 16) & _LAST_KEY]
