"""What PostgreSQL says, in Redshift's words."""

import struct
from collections.abc import Mapping

from infra.local.redshift import wire
from infra.local.redshift.errors import SqlError
from infra.local.redshift.wire import cstring, message

SERVER_VERSION = "8.0.2"  # what every Redshift reports; clients choose their dialect by it

# Type numbers that only PostgreSQL has: jsonb is SUPER; text-like things are VARCHAR to a client.
_JSONB, _SUPER, _VARCHAR = 3802, 4000, 1043
_TYPES = {
    _JSONB: _SUPER,
    114: _VARCHAR,  # json
    2950: _VARCHAR,  # uuid
    13: _VARCHAR,  # information_schema's domains arrive as their base types; unknown ones as text
}
_FIELD = struct.Struct("!ihihih")
_SHORT = struct.Struct("!h")
_INT = struct.Struct("!i")

# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html: both are "1023" there.
_CONFLICTS = ("40001",)
_LOGIN = ("28P01",)


def parameters(found: Mapping[str, str]) -> bytes:
    """The ParameterStatus messages after a login: Redshift's own beside those that clients read."""
    told = {
        name: found[name] for name in ("DateStyle", "integer_datetimes", "is_superuser", "TimeZone") if name in found
    }
    told |= {
        "server_version": SERVER_VERSION,
        "server_encoding": "UNICODE",
        "client_encoding": "UNICODE",
        "session_authorization": found.get("session_authorization", ""),
        "show_discovery": "4",  # the SHOW commands that `shows` serves
        "padb_revision": "1",
        "padb_version": "1.0.100000",
        "max_numeric_precision": "38",
        "max_varchar_size": "65535",
        "datashare_enabled": "off",
    }
    return b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in told.items())


def parameter(body: bytes) -> bytes:
    """A ParameterStatus in mid-session, the version apart; empty when Redshift has no such parameter."""
    name, _ = cstring(body)
    return (
        message(b"S", body) if name in (b"DateStyle", b"TimeZone", b"session_authorization", b"is_superuser") else b""
    )


def row_description(body: bytes) -> bytes:
    """A RowDescription with Redshift's type numbers."""
    out = bytearray(body)
    (count,) = _SHORT.unpack_from(body)
    place = 2
    for _ in range(count):
        _, place = cstring(body, place)
        table, column, oid, size, modifier, form = _FIELD.unpack_from(body, place)
        if oid in _TYPES:
            _FIELD.pack_into(out, place, table, column, _TYPES[oid], size, modifier, form)
        place += _FIELD.size
    return message(b"T", bytes(out))


def parse(name: bytes, sql: str, types: bytes) -> bytes:
    """A Parse for PostgreSQL; `types` is the rest of the client's, whose SUPER becomes jsonb."""
    (count,) = _SHORT.unpack_from(types)
    oids = struct.unpack_from(f"!{count}i", types, 2)
    told = struct.pack(f"!h{count}i", count, *(_JSONB if oid == _SUPER else oid for oid in oids))
    return message(b"P", name + b"\0" + sql.encode() + b"\0" + told)


def command(tag: str) -> bytes:
    """A CommandComplete. Redshift tells no count of a SELECT's rows."""
    return message(b"C", ("SELECT" if tag.startswith("SELECT ") else tag).encode() + b"\0")


def error(failure: SqlError, *, severity: str = "ERROR") -> bytes:
    """The ErrorResponse of a failure that PostgreSQL or the front itself found."""
    if failure.sqlstate in _CONFLICTS:
        detail = f"Serializable isolation violation on table ({failure.message})"
        return wire.error_response("XX000", "1023", severity=severity, extra={"D": detail})
    code = "28000" if failure.sqlstate in _LOGIN else failure.sqlstate
    extra = {"D": failure.detail or "", "H": failure.hint or ""}
    return wire.error_response(code, failure.message, severity=severity, extra=extra)


def information(text: str) -> bytes:
    """A notice of severity INFO, as COPY and UNLOAD give."""
    return wire.packed_fields(b"N", {"S": "INFO", "C": "00000", "M": text})
