"""The short ways for ordinary lines say exactly what the long ways say."""

from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.stages.access import decode
from consumers.stages.access.combined import any_combined, combined
from consumers.stages.testing import enveloped, heartbeat, stamp_of

pytestmark = pytest.mark.unit

LOGS = Path(__file__).resolve().parents[5] / "shared" / "data" / "weblogs"

words = st.text(max_size=6)
odd = st.sampled_from(['"', "\\", " ", "[", "]", " [", "-", "\\x22", "\n", "é", "\u0660", "\t", ",", ""])
pieces = st.lists(words | odd, max_size=4).map("".join)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines in the combined format with something odd in any place, or nothing."""
    client = draw(st.sampled_from(["192.0.2.77", "::1", "2001:db8::7", "abc", "-", "shop.example", "a, b"]) | pieces)
    identity, user = (
        draw(st.sampled_from(["-", "me"]) | pieces),
        draw(st.sampled_from(["-", "mary ann", "[x"]) | pieces),
    )
    day = draw(st.sampled_from(["27", "31", "32", "00", "\u0660\u0667"]))
    month, year = draw(st.sampled_from(["Nov", "Feb", "nov"])), draw(st.sampled_from(["2026", "0000", "9999", "0001"]))
    clock = draw(st.sampled_from(["10:05:07", "23:59:60", "24:00:00", "10:60:00", "10:05:61", "10.05:07", "1:005:07"]))
    zone = draw(st.sampled_from(["+0000", "-0800", "+2400", "+0199", "0000", "+00:00"]))
    method = draw(st.sampled_from(["GET", "M-SEARCH", "get", "A" * 17, "-"]) | pieces)
    target = draw(st.sampled_from(["/", "/a?b=c", "/a b", "*", "/\\x41", ""]) | pieces)
    protocol = draw(st.sampled_from(["HTTP/1.1", "HTTP/2", "HTTP/11", ""]) | pieces)
    status, size = draw(st.sampled_from(["200", "-", "20", "2000"])), draw(st.sampled_from(["17", "-", "", "9" * 19]))
    referrer, agent = draw(st.just("-") | pieces), draw(st.sampled_from(["-", "", "Mozilla/5.0"]) | pieces)
    end = draw(st.sampled_from(["", " ", ' "more"', "\n", "x"]))
    separator = draw(st.sampled_from([" ", " ", " ", "  "]))
    return (
        f"{client}{separator}{identity} {user} [{day}/{month}/{year}:{clock} {zone}]"
        f' "{method} {target} {protocol}" {status} {size} "{referrer}" "{agent}"{end}'
    )


@given(st.text(max_size=80) | lines())
@example('192.0.2.77 - - [27/Nov/2026:10:05:07 +0000] "GET / HTTP/1.1" 200 17 "-" "-"')
@example('192.0.2.77 " - [27/Nov/2026:10:05:07 +0000] "GET / HTTP/1.1" 200 17 "-" "-"')
@example('a b c [27/Nov/2026:10:05:07 +0000] "GET / HTTP/1.1" 200 17 "-" "-"')
@example('::1 - x [27/Nov/2026:10:05:07 +0000] [27/Nov/2026:10:05:07 +0000] "GET / HTTP/1.1" 200 17 "-" "-"')
def test_an_ordinary_line_is_read_as_any_line_is(line: str) -> None:
    assert combined(line) == any_combined(line)


@pytest.mark.skipif(not LOGS.is_dir(), reason="the real web logs are not there: ../shared/data/weblogs")
def test_so_is_a_real_log_nearly_all_of_it_the_short_way() -> None:
    packed = (LOGS / "elastic_apache_access.log.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed, 1 << 26).decode(errors="replace").splitlines()
    assert [combined(line) for line in text] == [any_combined(line) for line in text]
    records = [enveloped(line.encode(), kind="access") for line in text]
    assert sum(decode._ordinary(record) is not None for record in records) == 9_999


def long_way(record: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(decode, "_ordinary", lambda data: None)
        return decode.decode_access(record)


GOOD = b'192.0.2.77 - - [27/Nov/2026:10:05:07 +0000] "GET / HTTP/1.1" 200 17 "-" "-"'


@pytest.mark.parametrize(
    "record",
    [
        enveloped(GOOD, kind="access"),
        enveloped(GOOD, kind="order"),
        enveloped(b"nonsense", kind="access"),
        enveloped(b'{"time":1}', kind="access"),
        enveloped(b'{"_sp":1}', kind="access"),
        enveloped(b"\xff" + GOOD, kind="access"),
        msgspec.json.encode({"_sp": stamp_of(GOOD, kind="access"), "line": GOOD.decode() + "x"}),
        msgspec.json.encode({"_sp": stamp_of(GOOD, kind="access"), "line": GOOD.decode(), "more": 1}),
        msgspec.json.encode({"_sp": stamp_of(GOOD, kind="access", offset=-1), "line": GOOD.decode()}),
        msgspec.json.encode({"_sp": stamp_of(GOOD, kind="access", file=""), "line": GOOD.decode()}),
        msgspec.json.encode({"_sp": stamp_of(GOOD, kind="access"), "line": None}),
        msgspec.json.encode({"_sp": heartbeat()["_sp"], **heartbeat(kind="access")}),
        b'{"_sp":',
        b'{"_sp":{}}',
        b'{"_sp":\xff}',
    ],
)
def test_a_record_is_read_the_same_either_way(record: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode.decode_access(record) == long_way(record, monkeypatch)
