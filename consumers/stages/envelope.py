"""Lines that cannot travel as they are: the agent wraps them, and the envelope says what is wrong with them."""

import binascii
import zlib
from typing import NamedTuple

import msgspec
from msgspec.json import Decoder

from consumers.stages.events import Fault, Unreadable
from contract.reasons import Reason
from contract.stamp import Stamp


class _Oversize(msgspec.Struct, frozen=True, gc=False):
    bytes: int
    sha256: str


class _Envelope(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    sp: Stamp = msgspec.field(name="_sp")
    line: str | None = None
    line_b64: str | None = None
    oversize: _Oversize | None = None


_envelope = Decoder(_Envelope)
_object = Decoder(dict[str, msgspec.Raw])


class Opened(NamedTuple):
    """What an envelope holds."""

    stamp: Stamp
    line: bytes  # the original; the text of its SHA-256 where it is too long to travel
    fault: Fault  # why it does not travel as it is, for a stream of JSON objects


def opened(data: bytes) -> Opened | None:
    """What an envelope holds; None for a record that is none, such as a shop's own object with a field `line`.

    The stamp tells them apart: an envelope's line has the length and the checksum of the stamp.
    """
    try:
        envelope = _envelope.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    stamp = envelope.sp
    if envelope.oversize is not None and envelope.oversize.bytes == stamp.n:
        return Opened(stamp, envelope.oversize.sha256.encode(), Fault(Reason.OVERSIZE))
    line = _line_of(envelope)
    if line is None or len(line) != stamp.n or zlib.crc32(line) != stamp.c:
        return None
    if envelope.line_b64 is not None:
        return Opened(stamp, line, Fault(Reason.NOT_UTF8))
    if _brings_a_stamp(line):
        return Opened(stamp, line, Fault(Reason.RESERVED_FIELD, ["$._sp"]))
    return Opened(stamp, line, Fault(Reason.NOT_JSON))


def refused(letter: Opened) -> Unreadable:
    """An envelope on a stream of JSON objects."""
    return Unreadable(fault=letter.fault, stamp=letter.stamp, event_type=letter.stamp.k, line=letter.line)


def _line_of(envelope: _Envelope) -> bytes | None:
    if envelope.line is not None:
        return envelope.line.encode()
    try:
        return None if envelope.line_b64 is None else binascii.a2b_base64(envelope.line_b64, strict_mode=True)
    except (binascii.Error, ValueError):
        return None


def _brings_a_stamp(line: bytes) -> bool:
    try:
        return "_sp" in _object.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
