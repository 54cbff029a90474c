import base64
import hashlib
from typing import Any

import msgspec
import pytest

from consumers.stages.decode import decode
from consumers.stages.events import Event, Unreadable
from consumers.stages.shape import DEEPEST
from consumers.stages.testing import encoded, heartbeat, order, stamp_of, stamped
from contract.heartbeat import Heartbeat
from contract.reasons import Reason

pytestmark = pytest.mark.unit

GOOD = msgspec.json.encode(order())


def readable(data: bytes) -> Event:
    event = decode(data)
    assert isinstance(event, Event)
    return event


def refused(data: bytes) -> Unreadable:
    event = decode(data)
    assert isinstance(event, Unreadable)
    return event


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_a_stamped_order_comes_apart_into_order_and_stamp() -> None:
    event = readable(stamped(GOOD, offset=7))
    assert event.order.order_id == "O-1"
    assert event.stamp == stamp_of(GOOD, offset=7)
    assert event.extra == b""


@pytest.mark.parametrize("file", ["", "f" * 129, "é" * 65, "😀" * 128])
def test_a_file_id_that_no_identity_can_be_made_of_is_refused(file: str) -> None:
    assert refused(stamped(GOOD, file=file)).fault.reason is Reason.RESERVED_FIELD


def test_a_line_that_would_end_beyond_all_offsets_is_refused() -> None:
    last = 2**63 - 2 - len(GOOD)
    assert readable(stamped(GOOD, offset=last)).stamp is not None
    assert refused(stamped(GOOD, offset=last + 1)).fault.reason is Reason.RESERVED_FIELD


def test_a_foreign_producers_order_has_no_stamp() -> None:
    assert readable(GOOD).stamp is None


def test_unknown_fields_are_kept_as_they_were_written() -> None:
    line = GOOD[:-1] + b',"gift":{"wrap": true,"paid":0.10000000000000000001}}'
    event = readable(stamped(line))
    assert event.extra == b'{"gift":{"wrap": true,"paid":0.10000000000000000001}}'
    assert event.order == readable(GOOD).order


def test_unknown_fields_of_lines_are_kept_by_index() -> None:
    lines = [
        {"sku": "71053", "quantity": 1, "unit_price": 5, "note": "n"},
        {"sku": "a", "quantity": 1, "unit_price": 2},
    ]
    event = readable(encoded(order(lines=lines, gift=1)))
    assert msgspec.json.decode(event.extra) == {"gift": 1, "lines": [{"note": "n"}, {}]}
    assert [line.sku for line in event.order.lines] == ["71053", "a"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"\x00\x00", Reason.NOT_JSON),
        (b'"text"', Reason.NOT_JSON),
        (b"[1]", Reason.NOT_JSON),
        (b"null", Reason.NOT_JSON),
        (GOOD[:-1], Reason.NOT_JSON),
        (GOOD + b"{}", Reason.NOT_JSON),
        (GOOD.replace(b"2025", b"NaN"), Reason.NOT_JSON),
        (GOOD.replace(b'"O-1"', rb'"\ud800"'), Reason.NOT_JSON),
        (GOOD.replace(b'{"type"', rb'{"note":"\udc00","type"'), Reason.NOT_JSON),
        (GOOD.replace(b'"O-1"', b'"\xff"'), Reason.NOT_UTF8),
        (GOOD.replace(b'{"type"', b'{"note":"\xff","type"'), Reason.NOT_UTF8),
        (b'{"note":' + nested(100_000) + b"}", Reason.BAD_SHAPE),
        (GOOD.replace(b'{"type"', b'{"note":%b,"type"' % nested(DEEPEST)), Reason.BAD_SHAPE),
        (GOOD.replace(b'{"type"', b'{"note":1e999,"type"'), Reason.OUT_OF_RANGE),
        (GOOD.replace(b"2025", b"1e999"), Reason.OUT_OF_RANGE),
        (GOOD.replace(b"2025", b"9" * 5000), Reason.OUT_OF_RANGE),
        (GOOD[:-1] + b',"_sp":"mine"}', Reason.RESERVED_FIELD),
        (GOOD[:-1] + b',"_sp":{"k":"order","f":"x","o":-1,"n":1,"c":1}}', Reason.RESERVED_FIELD),
        (GOOD[:-1] + b',"_sp":{"k":"order","f":"%b","o":1,"n":1,"c":1}}' % (b"x" * 129), Reason.RESERVED_FIELD),
        (GOOD[:-1] + b',"_sp":{"k":"order","f":"x","o":%d,"n":1,"c":1}}' % 2**63, Reason.RESERVED_FIELD),
        (b"{}", Reason.UNKNOWN_TYPE),
        (b'{"type":7}', Reason.UNKNOWN_TYPE),
        (b'{"type":"heartbeat"}', Reason.UNKNOWN_TYPE),
        (b'{"type":"order","schema_version":2}', Reason.UNKNOWN_VERSION),
        (b'{"type":"order","schema_version":1}', Reason.BAD_SHAPE),
    ],
)
def test_what_is_no_order_is_refused_for_the_right_reason(data: bytes, reason: Reason) -> None:
    assert refused(data).fault.reason is reason


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"order_id": ...}, "$: Object missing required field order_id"),
        ({"order_id": 7}, "$.order_id: Expected str, got int"),
        ({"order_id": ""}, "$.order_id: Expected str of length >= 1"),
        ({"order_id": "x" * 257}, "$.order_id: Expected str of length <= 256"),
        ({"kind": "secret"}, "$.kind: no allowed value"),
        ({"kind": "Number out of range"}, "$.kind: no allowed value"),
        ({"event_time": "secret"}, "$.event_time: Invalid RFC3339 encoded datetime"),
        ({"event_time": "2026-11-27T08:00:00"}, "$.event_time: Expected datetime with a timezone component"),
        ({"lines": [{"sku": "a", "quantity": 1.5, "unit_price": 1}]}, "$.lines[0].quantity: Expected int, got float"),
        ({"lines": "secret"}, "$.lines: Expected array, got str"),
        ({"lines": ["secret"]}, "$.lines[0]: Expected object, got str"),
        ({"customer_id": ["secret"]}, "$.customer_id: Expected str | null, got array"),
    ],
)
def test_a_bad_shape_is_named_by_path_and_type_and_never_quoted(changes: dict[str, Any], detail: str) -> None:
    for secret_too in ({}, {"secret": "secret"}):
        event = refused(encoded(order(**changes, **secret_too)))
        assert event.fault.reason is Reason.BAD_SHAPE
        assert event.fault.at == [detail]
        assert event.event_id == "e-1"


def test_a_refused_event_keeps_only_ids_that_are_text() -> None:
    event = refused(encoded(order(order_id=7, event_id={"a": 1})))
    assert (event.order_id, event.event_id, event.event_type) == (None, None, "order")


def test_a_type_of_the_shops_own_is_not_repeated() -> None:
    assert refused(b'{"type":"secret"}').event_type == "unknown"
    assert refused(encoded(order(type="secret"))).event_type == "order"  # the kind of its file


def envelope(of: bytes, **content: Any) -> bytes:
    return msgspec.json.encode({"_sp": stamp_of(of), **content})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no json", Reason.NOT_JSON),
        (b"", Reason.NOT_JSON),
        (b"[1]", Reason.NOT_JSON),
        (b'{"a":1,"_sp":{}}', Reason.RESERVED_FIELD),
        (b'{"_sp":null}', Reason.RESERVED_FIELD),
    ],
)
def test_a_wrapped_line_says_why_it_was_wrapped(line: bytes, reason: Reason) -> None:
    event = refused(envelope(line, line=line.decode()))
    assert event.fault.reason is reason
    assert event.line == line
    assert event.stamp == stamp_of(line)


def test_a_wrapped_line_of_other_bytes_is_not_utf8() -> None:
    line = b"caf\xe9"
    event = refused(envelope(line, line_b64=base64.b64encode(line).decode()))
    assert event.fault.reason is Reason.NOT_UTF8
    assert event.line == line


def test_a_stub_is_oversize() -> None:
    line = b"x" * 2000
    stub = {"bytes": len(line), "sha256": hashlib.sha256(line).hexdigest()}
    assert refused(envelope(line, oversize=stub)).fault.reason is Reason.OVERSIZE


def test_a_shops_own_field_called_line_is_no_envelope() -> None:
    assert refused(stamped(b'{"line":"hello"}')).fault.reason is Reason.UNKNOWN_TYPE
    assert refused(stamped(b'{"line_b64":"!"}')).fault.reason is Reason.UNKNOWN_TYPE
    event = readable(encoded(order(line="hello")))
    assert event.extra == b'{"line":"hello"}'


def test_the_last_of_two_equal_fields_counts() -> None:
    assert readable(GOOD[:-1] + b',"order_id":"O-2"}').order.order_id == "O-2"
    assert readable(GOOD[:-1] + b',"order_id":"O-2","gift":1}').order.order_id == "O-2"


def test_text_that_no_column_holds_is_refused_and_named() -> None:
    lines = [{"sku": "71053", "quantity": 1, "unit_price": 5}, {"sku": "a\0", "quantity": 1, "unit_price": 5}]
    for extra in ({}, {"gift": 1}):
        event = refused(encoded(order(channel="\0", region="\0", lines=lines, **extra)))
        assert event.fault == (Reason.BAD_SHAPE, ["$.channel: a NUL", "$.region: a NUL", "$.lines[1].sku: a NUL"])
        assert (event.event_type, event.event_id, event.order_id) == ("order", "e-1", "O-1")


def test_a_nul_in_what_is_hashed_or_kept_as_json_is_no_fault() -> None:
    event = readable(encoded(order(customer_id="a\0", session_id="\0", gift="\0", channel="\\u0000")))
    assert event.order.channel == "\\u0000"
    assert event.extra == b'{"gift":"\\u0000"}'


def test_a_file_id_with_a_nul_is_no_stamp() -> None:
    assert refused(stamped(GOOD, file="a\0")).fault.reason is Reason.RESERVED_FIELD


def test_a_heartbeat_is_read_by_type_and_stamp() -> None:
    beat = decode(msgspec.json.encode(heartbeat(note="unknown")))
    assert isinstance(beat, Heartbeat)
    assert (beat.kind, beat.lines, beat.bytes, beat.final, beat.sp.f, beat.sp.o) == (
        "order", 3, 1098, False, "i-1-abc", 1101,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "stamp", "reason", "at"),
    [
        ({"lines": "x"}, {}, Reason.BAD_SHAPE, "$.lines: Expected int, got str"),
        ({"final": ...}, {}, Reason.BAD_SHAPE, "$: Object missing required field final"),
        ({"kind": "secret"}, {}, Reason.BAD_SHAPE, "$.kind: no allowed value"),
        ({"lines": -1, "size": 2**63}, {}, Reason.OUT_OF_RANGE, "$.lines"),
        ({}, {"t": "secret"}, Reason.BAD_SHAPE, "$._sp.t"),
        ({}, {"t": "2026-11-27T08:00:00"}, Reason.BAD_SHAPE, "$._sp.t"),
        ({}, {"t": "0001-01-01T00:00:00+14:00"}, Reason.BAD_SHAPE, "$._sp.t"),
        ({}, {"h": "x\0"}, Reason.BAD_SHAPE, "$._sp.h"),
        ({}, {"h": "é" * 2_049}, Reason.BAD_SHAPE, "$._sp.h"),
    ],
)
def test_a_malformed_heartbeat_is_refused(
    changes: dict[str, Any], stamp: dict[str, Any], reason: Reason, at: str
) -> None:
    event = refused(msgspec.json.encode(heartbeat(**changes, _sp={**heartbeat()["_sp"], **stamp})))
    assert (event.fault.reason, event.fault.at[0], event.event_type) == (reason, at, "heartbeat")
    assert event.stamp is not None


def test_a_line_that_calls_itself_a_heartbeat_is_none() -> None:
    assert refused(encoded(heartbeat(_sp=...))).fault.reason is Reason.UNKNOWN_TYPE
