"""Lines that are one JSON object each: nginx with the log format that ships, and the shop itself."""

from datetime import UTC
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.json import Decoder, Encoder

from consumers.stages.access.hit import Hit, said
from consumers.stages.events import Fault
from consumers.stages.shape import fault_of, is_too_deep
from contract.order import AwareTime
from contract.reasons import Reason
from contract.stamp import Stamp

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The line as it travels. Numbers may be quoted: nginx writes the status of a broken request as 000 or 009."""

    type: str = "access"
    time: AwareTime  # or seconds since 1970
    request_id: str | None = None
    address: str | None = None
    forwarded_for: str | None = None  # X-Forwarded-For, as it came
    host: str | None = None
    method: str | None = None
    path: str | None = None  # with its query
    protocol: str | None = None
    status: Annotated[int, Meta(ge=0, le=999)] | Annotated[str, Meta(pattern="^[0-9]{3}$")] | None = None
    bytes: _Count | None = None  # of the answer's body
    duration_s: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    referer: str | None = None
    agent: str | None = None
    session: str | None = None
    sp: Stamp | None = msgspec.field(default=None, name="_sp")


_line = Decoder(Line, strict=False)
_fields = Decoder(dict[str, msgspec.Raw])
_anything = Decoder()
_encode = Encoder().encode
_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(Line))


def json_line(data: bytes) -> Line | None:
    """The line of a JSON object without unknown fields; None for any other bytes. Raises nothing."""
    try:
        return _line.decode(data)
    except _UNREADABLE:
        return None


def json_line_with_more(data: bytes) -> tuple[Line, bytes] | Fault:
    """The line of any JSON object, and its unknown fields as another one; or what is wrong with it. Raises nothing."""
    if is_too_deep(data):
        return Fault(Reason.BAD_SHAPE, ["$: nested too deeply"])
    try:
        fields = _fields.decode(data)
    except _UNREADABLE:
        return Fault(Reason.NOT_ACCESS)
    try:
        extra = _encode({name: raw for name, raw in fields.items() if name not in _KNOWN})
        _anything.decode(extra)  # refuse now what a reader of the column would stumble over, such as 1e999
        known = _encode({name: raw for name, raw in fields.items() if name in _KNOWN})
        return _line.decode(known), b"" if extra == b"{}" else extra
    except _UNREADABLE as error:
        return fault_of(error)


def hit_of(line: Line, extra: bytes) -> Hit | Fault:
    """The request of a line."""
    if line.type != "access":
        return Fault(Reason.UNKNOWN_TYPE, ["$.type"])
    if not 2 <= line.time.year <= 9998:  # every time zone can express it
        return Fault(Reason.BAD_SHAPE, ["$.time"])
    forwarded = line.forwarded_for.partition(",")[0].strip() if line.forwarded_for else None
    return Hit(
        time=line.time.astimezone(UTC),
        request_id=said(line.request_id),
        host=said(line.host),
        client=said(forwarded) or said(line.address),
        session=said(line.session),
        method=said(line.method),
        target=said(line.path),
        protocol=said(line.protocol),
        status=int(line.status or 0) or None,
        sent_bytes=line.bytes,
        duration_us=None if line.duration_s is None else round(line.duration_s * 1e6),
        referrer=said(line.referer),
        agent=said(line.agent),
        extra=extra,
    )
