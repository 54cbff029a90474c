"""vnd.amazon.eventstream: the messages that SubscribeToShard answers.

    length of all (4) | length of the headers (4) | CRC-32 of those 8 | headers | payload | CRC-32 of all before it

A header: length of its name (1), name, type (1; 7 is a string), length of its value (2), value. Big-endian throughout.
Source: AWS, "Event stream encoding" (Amazon Transcribe Developer Guide); botocore/eventstream.py reads it.
"""

import struct
from zlib import crc32

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
_STRING = 7


def event(kind: bytes, payload: bytes) -> bytes:
    """A message of an event type, payload in JSON."""
    return _message(((b":message-type", b"event"), (b":event-type", kind), _JSON), payload)


def exception(name: bytes, payload: bytes) -> bytes:
    """The message that ends a stream with one of its modelled errors."""
    return _message(((b":message-type", b"exception"), (b":exception-type", name), _JSON), payload)


_JSON = (b":content-type", b"application/x-amz-json-1.1")


def _message(headers: tuple[tuple[bytes, bytes], ...], payload: bytes) -> bytes:
    head = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value for name, value in headers
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return whole + struct.pack(">I", crc32(whole))
