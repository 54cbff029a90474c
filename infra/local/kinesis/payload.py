"""The `Data` of a record as it comes in: a JSON string of base64. It is checked and sized, never decoded.

Deleting the alphabet from 25 KiB takes 9 us, where decoding takes 17 to 41 us (msgspec, binascii): measured.
"""

import msgspec
from msgspec import Raw

from infra.local.kinesis.errors import KinesisError, serialization

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LEFT = {b'""': 0, b'"="': 1, b'"=="': 2}  # what may be left over, and how much padding that is


def sized(data: Raw) -> tuple[Raw, int]:
    """The JSON string to store, and how many bytes it decodes to. Raises SerializationException."""
    text = bytes(data)
    padding = _padding(text)
    if padding is None:  # some clients write "/" as "\/", or escape more than they have to
        text = _unescaped(text)
        data, padding = Raw(text), _padding(text)
    if padding is None:
        raise _refused()
    return data, (len(text) - 2) // 4 * 3 - padding


def _padding(text: bytes) -> int | None:
    left = text.translate(None, _ALPHABET)
    padding = _LEFT.get(left)
    if padding is None or len(text) % 4 != 2 or not text.endswith(left[1:]):
        return None
    return padding


def _unescaped(text: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(text, type=str))
    except msgspec.ValidationError as error:
        raise _refused() from error


def _refused() -> KinesisError:
    return serialization("Data is not a base64 string")
