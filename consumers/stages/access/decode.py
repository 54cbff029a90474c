"""Stage one of access lines: the bytes of a record to a request, a heartbeat, or the reason why they are neither.

Lines are JSON objects or text. Text travels in an envelope, as does JSON that is not UTF-8: servers log what a client
sent, byte for byte, and U+FFFD stands in the rows for what is none; the original is among the raw records.
"""

import zlib

import msgspec
from msgspec.json import Decoder

from consumers.stages.access.combined import combined
from consumers.stages.access.hit import Hit, Request
from consumers.stages.access.json_line import Line, hit_of, json_line, json_line_with_more
from consumers.stages.envelope import Opened, opened
from consumers.stages.events import Fault, Unreadable
from consumers.stages.heartbeats import heartbeat_of
from consumers.stages.origin import is_plausible
from contract.heartbeat import Heartbeat
from contract.reasons import Reason
from contract.stamp import Stamp

_KIND = "access"
_ENVELOPE = b'{"_sp":'  # as the agent begins one: most lines are text


class _Text(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An envelope that holds text."""

    sp: Stamp = msgspec.field(name="_sp")
    line: str


class _Stamped(msgspec.Struct, frozen=True, gc=False):
    type: msgspec.Raw = msgspec.Raw(b"")
    sp: Stamp | None = msgspec.field(default=None, name="_sp")


_text = Decoder(_Text).decode
_stamped = Decoder(_Stamped)
_crc32 = zlib.crc32


def decode_access(data: bytes) -> Request | Heartbeat | Unreadable:
    """Read one record. Exactly one answer for any bytes; raises nothing."""
    if data.startswith(_ENVELOPE):
        if (request := _ordinary(data)) is not None:
            return request
        if (envelope := opened(data)) is not None and is_plausible(envelope.stamp):
            return _of_envelope(envelope)
    elif data[:1] != b"{":
        return _of_text(data, None)
    if (line := json_line(data)) is not None:
        if line.sp is None or is_plausible(line.sp):
            return _judged(line, b"", line.sp, None)
        return _refused(Fault(Reason.RESERVED_FIELD, ["$._sp"]), None)
    return _taken_apart(data)


def _ordinary(data: bytes) -> Request | None:
    """The request of an envelope with a line of text in a combined format; None for anything else. Raises nothing.

    Nearly every record of a web server's own log: it only ever says what the way by `opened` would say.
    """
    try:
        envelope = _text(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    stamp, text = envelope.sp, envelope.line
    line = text.encode()
    if len(line) != stamp.n or _crc32(line) != stamp.c or line[:1] == b"{" or not is_plausible(stamp):
        return None
    hit = combined(text)
    return None if hit is None else Request(hit, stamp, line)


def _taken_apart(data: bytes) -> Request | Heartbeat | Unreadable:
    """Envelopes, heartbeats, unknown fields, bad shapes."""
    try:
        record = _stamped.decode(data)
    except (msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return _refused(Fault(Reason.RESERVED_FIELD, ["$._sp"]), None)
    except msgspec.DecodeError:
        return _refused(Fault(Reason.NOT_ACCESS), None)
    stamp = record.sp
    if stamp is not None:
        if not is_plausible(stamp):
            return _refused(Fault(Reason.RESERVED_FIELD, ["$._sp"]), None)
        if stamp.k == "heartbeat" and bytes(record.type) == b'"heartbeat"':
            return heartbeat_of(data, stamp)
        envelope = opened(data)
        if envelope is not None:
            return _of_envelope(envelope)
    return _of_object(data, stamp, None)


def _of_envelope(envelope: Opened) -> Request | Unreadable:
    if envelope.fault.reason in (Reason.OVERSIZE, Reason.RESERVED_FIELD):
        return _refused(envelope.fault, envelope.stamp, envelope.line)
    return _of_text(envelope.line, envelope.stamp)


def _of_text(original: bytes, stamp: Stamp | None) -> Request | Unreadable:
    text = original.decode(errors="replace")
    if text.startswith("{"):
        return _of_object(text.encode(), stamp, original)
    hit = combined(text)
    return _refused(Fault(Reason.NOT_ACCESS), stamp, original) if hit is None else Request(hit, stamp, original)


def _of_object(data: bytes, stamp: Stamp | None, original: bytes | None) -> Request | Unreadable:
    read = json_line_with_more(data)
    return _refused(read, stamp, original) if isinstance(read, Fault) else _judged(*read, stamp, original)


def _judged(line: Line, extra: bytes, stamp: Stamp | None, original: bytes | None) -> Request | Unreadable:
    hit = hit_of(line, extra)
    return Request(hit, stamp, original) if isinstance(hit, Hit) else _refused(hit, stamp, original)


def _refused(fault: Fault, stamp: Stamp | None, line: bytes | None = None) -> Unreadable:
    return Unreadable(fault=fault, stamp=stamp, event_type=_KIND, line=line)
