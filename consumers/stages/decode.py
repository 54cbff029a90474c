"""Stage one: the bytes of a record to an order with its stamp, a heartbeat, or to the reason why they are neither.

Ordinary orders take one typed decode. Only what that refuses is taken apart: heartbeats, envelopes, unknown fields, bad
shapes.
"""

import msgspec
from msgspec.json import Decoder, Encoder
from msgspec.structs import force_setattr

from consumers.stages.envelope import opened, refused
from consumers.stages.events import Event, Fault, Unreadable
from consumers.stages.heartbeats import heartbeat_of
from consumers.stages.origin import is_plausible
from consumers.stages.shape import fault_of, is_too_deep
from contract.heartbeat import Heartbeat
from contract.order import SCHEMA_VERSION, Line, Order
from contract.reasons import Reason
from contract.stamp import STREAM_KINDS, Stamp


class _Wire(Order, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """An order as it travels."""

    sp: Stamp | None = msgspec.field(default=None, name="_sp")


_wire = Decoder(_Wire)
_stamp = Decoder(Stamp | None)
_fields = Decoder(dict[str, msgspec.Raw])
_line_fields = Decoder(list[dict[str, msgspec.Raw]])
_anything = Decoder()
_encode = Encoder().encode

_KNOWN = frozenset(Order.__struct_fields__) | {"_sp"}
_TEXTS = ("event_id", "order_id", "returns", "channel", "region")  # that become columns as they are
_KNOWN_IN_LINE = frozenset(Line.__struct_fields__)
_NUL = b"\\u0000"  # JSON has no other way to write it
# UnicodeDecodeError and RecursionError are not msgspec's own.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode(data: bytes) -> Event | Heartbeat | Unreadable:
    """Read one record. Exactly one answer for any bytes; raises nothing.

    A field given twice counts as its last value, as in every JSON reader of the stores. Unknown fields are kept as
    they were written, byte for byte.
    """
    try:
        wire = _wire.decode(data)
    except _UNREADABLE:
        return _taken_apart(data)
    stamp = wire.sp
    if stamp is not None:
        if not is_plausible(stamp):
            return _taken_apart(data)
        force_setattr(wire, "sp", None)  # this is its only reader; what is left is the shop's own content
    event = Event(order=wire, stamp=stamp)
    # Most orders have no escape at all, and one byte is found ten times as fast as six.
    return _storable(event) if b"\\" in data and _NUL in data else event


def _taken_apart(data: bytes) -> Event | Heartbeat | Unreadable:
    try:
        data.decode()
    except UnicodeDecodeError:
        return Unreadable(fault=Fault(Reason.NOT_UTF8))
    if is_too_deep(data):
        return Unreadable(fault=Fault(Reason.BAD_SHAPE, ["$: nested too deeply"]))
    try:
        fields = _fields.decode(data)
    except _UNREADABLE:
        return Unreadable(fault=Fault(Reason.NOT_JSON))
    try:
        stamp = _stamp.decode(fields["_sp"]) if "_sp" in fields else None
    except _UNREADABLE:
        return Unreadable(fault=Fault(Reason.RESERVED_FIELD, ["$._sp"]))
    if stamp is not None and not is_plausible(stamp):
        return Unreadable(fault=Fault(Reason.RESERVED_FIELD, ["$._sp"]))
    if stamp is not None and stamp.k == "heartbeat" and _value(fields, "type") == "heartbeat":
        return heartbeat_of(data, stamp)
    envelope = opened(data)
    return _order_with_unknown_fields(fields, stamp) if envelope is None else refused(envelope)


def _order_with_unknown_fields(fields: dict[str, msgspec.Raw], stamp: Stamp | None) -> Event | Unreadable:
    try:
        extra = _unknown_of(fields)
        # Refuse now what a reader of the `extra` column would stumble over, such as 1e999.
        _anything.decode(extra)
        wire = _wire.decode(_encode({name: raw for name, raw in fields.items() if name in _KNOWN and name != "_sp"}))
    except _UNREADABLE as error:
        return _unreadable(fields, stamp, fault_of(error))
    return _storable(Event(order=wire, stamp=stamp, extra=b"" if extra == b"{}" else extra))


def _storable(event: Event) -> Event | Unreadable:
    """An order with a NUL in text that becomes a column is refused: no VARCHAR holds it. Ids that are hashed may."""
    order = event.order
    texts = {f"$.{name}": getattr(order, name) for name in _TEXTS}
    texts |= {f"$.lines[{i}].sku": line.sku for i, line in enumerate(order.lines)}
    paths = [f"{path}: a NUL" for path, text in texts.items() if text and "\0" in text]
    if not paths:
        return event
    return Unreadable(
        fault=Fault(Reason.BAD_SHAPE, paths),
        stamp=event.stamp,
        event_type="order",
        event_id=order.event_id,
        order_id=order.order_id,
    )


def _unknown_of(fields: dict[str, msgspec.Raw]) -> bytes:
    """Fields that the contract does not name, as JSON; those of lines by index under `lines`. Takes them out."""
    extra: dict[str, object] = {name: raw for name, raw in fields.items() if name not in _KNOWN}
    try:
        lines = _line_fields.decode(fields["lines"])
    except (KeyError, msgspec.ValidationError):
        return _encode(extra)  # no lines of the right shape: the typed decode says so
    if any(line.keys() - _KNOWN_IN_LINE for line in lines):
        extra["lines"] = [{n: raw for n, raw in line.items() if n not in _KNOWN_IN_LINE} for line in lines]
        known = [{n: raw for n, raw in line.items() if n in _KNOWN_IN_LINE} for line in lines]
        fields["lines"] = msgspec.Raw(_encode(known))
    return _encode(extra)


def _unreadable(fields: dict[str, msgspec.Raw], stamp: Stamp | None, fault: Fault) -> Unreadable:
    """A wrong shape is a lesser fault than another type or a newer version, which may well have another shape."""
    kind, version = _value(fields, "type"), _value(fields, "schema_version")
    if kind != "order":
        fault = Fault(Reason.UNKNOWN_TYPE, ["$.type"])
    elif isinstance(version, int) and version > SCHEMA_VERSION:
        fault = Fault(Reason.UNKNOWN_VERSION, ["$.schema_version"])
    known_kind = kind if kind in STREAM_KINDS else stamp.k if stamp else "unknown"
    event_id, order_id = _value(fields, "event_id"), _value(fields, "order_id")
    return Unreadable(
        fault=fault,
        stamp=stamp,
        event_type=str(known_kind),
        event_id=event_id if isinstance(event_id, str) else None,
        order_id=order_id if isinstance(order_id, str) else None,
    )


def _value(fields: dict[str, msgspec.Raw], name: str) -> object:
    try:
        return _anything.decode(fields[name]) if name in fields else None
    except _UNREADABLE:
        return None
