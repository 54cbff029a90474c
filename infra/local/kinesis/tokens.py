"""Opaque tokens: shard iterators and page tokens. Both expire 300 s after they were made (API reference).

They hold all they need, so they stay good over a restart of the server.
"""

import base64
import binascii
import struct
import zlib

import msgspec

from infra.local.kinesis.errors import KinesisError, expired_iterator, invalid

LIFE_MS = 300_000


class Iterator(msgspec.Struct, frozen=True, array_like=True):
    """A place in a shard's log."""

    stream: str
    created_ms: int  # of the stream
    shard_id: str
    offset: int  # bytes, a record's start
    made_ms: int


class PageToken(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page of ListShards goes on."""

    stream: str
    created_ms: int  # of the stream
    after: str  # shard id
    filter_kind: str
    since_ms: int
    made_ms: int


_encode = msgspec.msgpack.Encoder().encode
_iterator = msgspec.msgpack.Decoder(Iterator)
_page = msgspec.msgpack.Decoder(PageToken)


def write(token: Iterator | PageToken) -> str:
    """The token as a client carries it: base64 with a checksum, so that a mangled one is seen."""
    raw = _encode(token)
    return base64.b64encode(struct.pack(">I", zlib.crc32(raw)) + raw).decode("ascii")


def iterator(text: str, now_ms: int) -> Iterator:
    """Raises InvalidArgumentException if mangled, ExpiredIteratorException after five minutes."""
    try:
        token = _iterator.decode(_payload(text))
    except (ValueError, binascii.Error, struct.error) as error:
        raise invalid("Invalid ShardIterator.") from error
    age_ms = now_ms - token.made_ms
    if age_ms > LIFE_MS:
        raise expired_iterator(
            f"Iterator expired. It was made {age_ms} ms ago; iterators live for {LIFE_MS} ms after they are made."
        )
    return token


def page(text: str, now_ms: int) -> PageToken:
    """Raises InvalidArgumentException if mangled, ExpiredNextTokenException after five minutes."""
    try:
        token = _page.decode(_payload(text))
    except (ValueError, binascii.Error, struct.error) as error:
        raise invalid("Invalid NextToken.") from error
    if now_ms - token.made_ms > LIFE_MS:
        raise KinesisError("ExpiredNextTokenException", f"The token is older than {LIFE_MS} ms.")
    return token


def _payload(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    (checksum,) = struct.unpack_from(">I", raw)
    if zlib.crc32(raw[4:]) != checksum:
        raise ValueError("checksum differs")
    return raw[4:]
