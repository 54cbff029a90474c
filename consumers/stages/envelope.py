"""Lines that cannot travel as they are: the agent wraps them, and the envelope says what is wrong with them."""

import binascii
import zlib

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


def opened(data: bytes, stamp: Stamp | None) -> Unreadable | None:
    """What an envelope holds; None for a record that is none, such as a shop's own object with a field `line`.

    The stamp tells them apart: an envelope's line has the length and the checksum of the stamp.
    """
    if stamp is None:
        return None
    try:
        envelope = _envelope.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if envelope.oversize is not None and envelope.oversize.bytes == stamp.n:
        return _refused(Fault(Reason.OVERSIZE), stamp, envelope.oversize.sha256.encode())
    line = _line_of(envelope)
    if line is None or len(line) != stamp.n or zlib.crc32(line) != stamp.c:
        return None
    if envelope.line_b64 is not None:
        return _refused(Fault(Reason.NOT_UTF8), stamp, line)
    if _brings_a_stamp(line):
        return _refused(Fault(Reason.RESERVED_FIELD, ["$._sp"]), stamp, line)
    return _refused(Fault(Reason.NOT_JSON), stamp, line)


def _refused(fault: Fault, stamp: Stamp, line: bytes) -> Unreadable:
    return Unreadable(fault=fault, stamp=stamp, event_type=stamp.k, line=line)


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
