"""What a line says: combined formats, JSON objects, and what becomes of all others."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.stages.access.combined import combined
from consumers.stages.access.decode import decode_access
from consumers.stages.access.hit import Hit, Request
from consumers.stages.events import Unreadable
from consumers.stages.testing import access_judge, batch, enveloped, heartbeat, stamped
from contract.heartbeat import Heartbeat
from contract.reasons import Reason
from contract.rows import HitRow, LetterRow

pytestmark = pytest.mark.unit

LOGS = Path(__file__).resolve().parents[5] / "shared" / "data" / "weblogs"
with_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the real web logs are not there: ../shared/data/weblogs")

REQUEST = '"GET /basket?sku=85123A HTTP/1.1" 200 612'
AGENTS = '"https://shop.example/search?q=me@example.com" "Mozilla/5.0 (X11; Linux)"'
WHEN = "[07/Dec/2016:11:05:07 +0100]"
LINE = f"192.0.2.77 - - {WHEN} {REQUEST} {AGENTS}".encode()
NGINX: dict[str, Any] = {
    "type": "access",
    "request_id": "4f2c",
    "time": 1_795_766_400.123,
    "address": "198.51.100.7",
    "forwarded_for": "192.0.2.77, 198.51.100.7",
    "host": "shop.example",
    "method": "GET",
    "path": "/basket?sku=85123A",
    "protocol": "HTTP/2.0",
    "status": "200",
    "bytes": 612,
    "duration_s": 0.042,
    "referer": "",
    "agent": "Mozilla/5.0",
    "session": "S-1",
}


def hit_in(line: str) -> Hit:
    hit = combined(line)
    assert hit is not None
    return hit


def requested(record: bytes) -> Request:
    read = decode_access(record)
    assert isinstance(read, Request), read
    return read


def reason_of(record: bytes) -> Reason:
    read = decode_access(record)
    assert isinstance(read, Unreadable), read
    return read.fault.reason


def row_of(record: bytes) -> HitRow:
    (judged,) = access_judge().judge(batch([record]))
    assert isinstance(judged.row, HitRow), judged.row
    return judged.row


def test_a_combined_line_comes_apart() -> None:
    assert combined(LINE.decode()) == Hit(
        time=dt.datetime(2016, 12, 7, 10, 5, 7, tzinfo=dt.UTC),
        client="192.0.2.77",
        method="GET",
        target="/basket?sku=85123A",
        protocol="HTTP/1.1",
        status=200,
        sent_bytes=612,
        referrer="https://shop.example/search?q=me@example.com",
        agent="Mozilla/5.0 (X11; Linux)",
    )


@pytest.mark.parametrize(
    ("before", "host", "client"),
    [
        ("192.0.2.77 - -", None, "192.0.2.77"),
        ("192.0.2.77 - Mary Ann", None, "192.0.2.77"),
        ("shop.example 192.0.2.77 - -", "shop.example", "192.0.2.77"),
        ("shop.example:443 192.0.2.77 - -", "shop.example", "192.0.2.77"),
        ("shop.example 192.0.2.77, 10.0.0.1, 127.0.0.1 - -", "shop.example", "192.0.2.77"),
        ("192.0.2.77, 10.0.0.1 - -", None, "192.0.2.77"),
        ('"192.0.2.77, 10.0.0.1" 10.2.1.185 - -', None, "192.0.2.77"),
        ('shop.example:80 "192.0.2.77, 10.0.0.1" 10.2.1.185 - -', "shop.example", "192.0.2.77"),
        ("::1 - -", None, "::1"),
        ("2001:db8:10ff:f00f:0:0:0:8000, 10.225.192.17 10.2.2.121 - -", None, "2001:db8:10ff:f00f:0:0:0:8000"),
        ("shop.example 2001:db8::1 - -", "shop.example", "2001:db8::1"),
        ("shop.example:80 unix: - -", "shop.example", "unix:"),
        ("monitoring-server - -", None, "monitoring-server"),
        ("- - -", None, None),
    ],
)
def test_who_asked_whom(before: str, host: str | None, client: str | None) -> None:
    hit = hit_in(f"{before} {WHEN} {REQUEST}")
    assert (hit.host, hit.client) == (host, client)


@pytest.mark.parametrize(
    ("request_line", "said"),
    [
        ("GET / HTTP/1.1", ("GET", "/", "HTTP/1.1")),
        ("GET /a b.html HTTP/1.1", ("GET", "/a b.html", "HTTP/1.1")),
        ("GET /old", ("GET", "/old", None)),
        ("M-SEARCH * HTTP/1.1", ("M-SEARCH", "*", "HTTP/1.1")),
        (r"GET /caf\xe9 HTTP/1.1", ("GET", "/café", "HTTP/1.1")),
        (r"GET /\"quoted\" HTTP/1.1", ("GET", '/"quoted"', "HTTP/1.1")),
        (r"\x16\x03\x01\x02", (None, None, None)),
        ("hello", (None, None, None)),
        ("-", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_requests_of_all_kinds(request_line: str, said: tuple[str | None, ...]) -> None:
    hit = hit_in(f'::1 - - {WHEN} "{request_line}" 400 -')
    assert (hit.method, hit.target, hit.protocol) == said
    assert (hit.status, hit.sent_bytes, hit.referrer, hit.agent) == (400, None, None, None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "192.0.2.77 - - 07/Dec/2016:11:05:07 +0100 " + REQUEST,
        f"192.0.2.77 - - [07/Foo/2016:11:05:07 +0100] {REQUEST}",
        f"192.0.2.77 - - [31/Feb/2016:11:05:07 +0100] {REQUEST}",
        f"192.0.2.77 - - [07/Dec/2016:11:05:07 +9900] {REQUEST}",
        f"192.0.2.77 - - [07/Dec/0000:11:05:07 +0100] {REQUEST}",
        f"192.0.2.77 - - [\u0660\u0667/Dec/2016:11:05:07 +0100] {REQUEST}",
        f'192.0.2.77 - - {WHEN} "GET / HTTP/1.1" 200 12 "-" "torn off',
        f'192.0.2.77 - - {WHEN} "GET / HTTP/1.1" 2000 12',
        '[07/Dec/2016:11:05:07 +0100] 192.0.2.77 TLSv1.2 ECDHE "GET / HTTP/1.1" 1213',
        "[Thu Jun 09 06:07:04 2005] [notice] LDAP: Built with OpenLDAP LDAP SDK",
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert combined(line) is None
    assert reason_of(enveloped(line.encode(), kind="access")) is Reason.NOT_ACCESS


def test_a_row_of_a_text_line_names_nobody() -> None:
    row = row_of(enveloped(LINE, kind="access", offset=40))
    assert (row.address, row.path, row.referrer) == ("192.0.2.0", "/basket", "https://shop.example/search")
    assert row.origin is not None and (row.origin.offset, row.origin.bytes) == (40, len(LINE))
    assert row.event_id.startswith("line:")
    assert b"me@example.com" not in msgspec.json.encode(row)


def test_a_row_of_our_nginx_format_has_all_that_it_says() -> None:
    row = row_of(stamped(msgspec.json.encode(NGINX)))
    assert row.event_time == dt.datetime(2026, 11, 27, 8, 0, 0, 123_000, tzinfo=dt.UTC)
    assert (row.request_id, row.host, row.address) == ("4f2c", "shop.example", "192.0.2.0")
    assert (row.method, row.path, row.protocol) == ("GET", "/basket", "HTTP/2.0")
    assert (row.status, row.sent_bytes, row.duration_us) == (200, 612, 42_000)
    assert (row.referrer, row.agent, row.identity_key_id) == (None, "Mozilla/5.0", "test")
    assert row.session and row.session != "S-1"
    assert row.extra is None


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("[2001:db8::7]", "2001:db8::"),
        ("unknown", None),
        ("unix:", None),
        ("300.1.1.1", None),
    ],
)
def test_addresses_are_truncated(address: str, kept: str | None) -> None:
    assert row_of(stamped(msgspec.json.encode({**NGINX, "forwarded_for": "", "address": address}))).address == kept


def test_times_are_seconds_or_texts_with_a_zone() -> None:
    text = row_of(stamped(msgspec.json.encode({**NGINX, "time": "2026-11-27T09:00:00.123+01:00"})))
    assert text.event_time == row_of(stamped(msgspec.json.encode(NGINX))).event_time
    for wrong in ("2026-11-27T09:00:00", "yesterday", None, "0001-01-01T00:00:00Z"):
        assert reason_of(stamped(msgspec.json.encode({**NGINX, "time": wrong}))) is Reason.BAD_SHAPE


def test_a_server_that_has_no_status_yet_says_000() -> None:
    assert row_of(stamped(msgspec.json.encode({**NGINX, "status": "000"}))).status is None
    assert row_of(stamped(msgspec.json.encode({**NGINX, "status": "009"}))).status == 9


def test_unknown_fields_are_kept_without_the_session() -> None:
    row = row_of(stamped(msgspec.json.encode({**NGINX, "upstream_s": 0.04, "cookie": "S-1"})))
    assert row.extra is not None and msgspec.json.decode(row.extra) == {"upstream_s": 0.04, "cookie": row.session}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "order"}, Reason.UNKNOWN_TYPE),
        ({"status": 1000}, Reason.BAD_SHAPE),
        ({"bytes": -1}, Reason.BAD_SHAPE),
        ({"agent": ["a"]}, Reason.BAD_SHAPE),
        ({"duration_s": "soon"}, Reason.BAD_SHAPE),
    ],
)
def test_a_json_line_of_another_shape_is_refused_with_its_place(changes: dict[str, Any], reason: Reason) -> None:
    record = stamped(msgspec.json.encode({**NGINX, **changes}), offset=9)
    (judged,) = access_judge().judge(batch([record]))
    assert isinstance(judged.row, LetterRow)
    assert (judged.row.reason, judged.row.event_type) == (reason.value, "access")
    assert judged.row.origin is not None and judged.row.origin.offset == 9


def test_bytes_that_are_no_utf8_do_not_cost_the_line() -> None:
    text = row_of(enveloped(LINE.replace(b"/basket", b"/caf\xe9"), kind="access"))
    assert text.path == "/caf\ufffd"
    line = msgspec.json.encode(NGINX).replace(b"/basket", b"/caf\xe9")
    assert row_of(enveloped(line, kind="access")).path == "/caf\ufffd"


def test_nul_and_length_fit_the_columns() -> None:
    row = row_of(stamped(msgspec.json.encode({**NGINX, "agent": "a\0b", "path": "/" + "é" * 5_000})))
    assert row.agent == "a\ufffdb"
    assert row.path is not None and len(row.path.encode()) == 4_095


def test_a_line_that_brings_a_stamp_of_its_own_is_refused() -> None:
    line = msgspec.json.encode({**NGINX, "_sp": 1})
    assert reason_of(enveloped(line, kind="access")) is Reason.RESERVED_FIELD
    assert reason_of(line) is Reason.RESERVED_FIELD


def test_the_same_line_has_one_identity_however_often_it_arrives() -> None:
    first, again = (row_of(enveloped(LINE, kind="access", offset=5)) for _ in range(2))
    other = row_of(enveloped(LINE, kind="access", offset=6))
    assert first.event_id == again.event_id != other.event_id


def test_a_foreign_producers_line_is_read_without_a_stamp() -> None:
    assert row_of(LINE).origin is None
    assert row_of(msgspec.json.encode(NGINX)).event_id.startswith("record:")


def test_heartbeats_pass() -> None:
    record = msgspec.json.encode(heartbeat(kind="access"))
    assert isinstance(decode_access(record), Heartbeat)


def test_the_letter_of_a_store_is_the_lines() -> None:
    judge, records = access_judge(), batch([enveloped(LINE, kind="access")])
    letter = judge.letter_of(Reason.REJECTED_BY_STORE, "mapper", records.shard, records.records[0])
    (judged,) = judge.judge(records)
    assert isinstance(judged.row, HitRow)
    assert (letter.letter_id, letter.origin) == (judged.row.event_id, judged.row.origin)


@given(
    st.one_of(
        st.binary(),
        st.builds(lambda line: enveloped(line, kind="access"), st.binary(max_size=300)),
        st.builds(lambda text: f"192.0.2.1 - - {WHEN} {text}".encode(), st.text()),
        st.builds(
            lambda more: msgspec.json.encode({**NGINX, **more}), st.dictionaries(st.text(), st.none() | st.text())
        ),
    )
)
@example(b"{")
@example(b'{"_sp":{"k":"access"}}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\xff" * 10)
def test_any_bytes_have_one_verdict(data: bytes) -> None:
    (judged,) = access_judge().judge(batch([data]))
    assert isinstance(judged.row, HitRow | LetterRow)
    assert msgspec.json.encode(judged.row)


def test_no_line_costs_more_than_its_length() -> None:
    for unit in (b'"', b"\\", b" [", b", ", b'\\"', b":", b" "):
        record = enveloped(b"192.0.2.1 - - " + WHEN.encode() + b' "' + unit * 200_000, kind="access")
        assert isinstance(decode_access(record), Unreadable)


@with_logs
def test_of_10_000_lines_of_a_real_log_one_is_torn() -> None:
    lines = zstandard.ZstdDecompressor().decompress((LOGS / "elastic_apache_access.log.zst").read_bytes(), 1 << 26)
    rows = [j.row for j in access_judge().judge(batch(enveloped(line, kind="access") for line in lines.splitlines()))]
    assert (len(rows), sum(isinstance(row, HitRow) for row in rows)) == (10_000, 9_999)
    assert sum(isinstance(row, HitRow) and row.sent_bytes is None for row in rows) == 669
    assert sum(isinstance(row, HitRow) and row.agent is None for row in rows) == 190


@with_logs
def test_every_line_of_a_log_of_the_wrong_kind_is_a_letter() -> None:
    lines = zstandard.ZstdDecompressor().decompress((LOGS / "apache_error.log.zst").read_bytes(), 1 << 26).splitlines()
    rows = [judged.row for judged in access_judge().judge(batch(enveloped(line, kind="access") for line in lines))]
    assert {type(row) for row in rows} == {LetterRow}
    assert {row.reason for row in rows if isinstance(row, LetterRow)} == {"not_access"}


@with_logs
def test_odd_lines_of_real_logs_are_hits_unless_torn_or_of_tls() -> None:
    for file in sorted({*LOGS.glob("beats_*"), *LOGS.glob("kinesis_agent*"), *LOGS.glob("lnav*")}):
        lines = [line for line in file.read_bytes().splitlines() if line]
        hits = [isinstance(decode_access(enveloped(line, kind="access")), Request) for line in lines]
        whole = ["ssl-request" not in file.name and not line.endswith(b'HTTP/1.1"') for line in lines]
        assert hits == whole, file.name
