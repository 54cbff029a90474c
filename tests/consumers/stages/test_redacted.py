import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.stages.redacted import path_only, stored_extra, truncated, without_emails

pytestmark = pytest.mark.unit

ANNA, HASH = "anna.muster+shop@example.com", "0123456789abcdef0123456789abcdef"


def kept(value: object, **hashes: str) -> object:
    """What is stored of the field `note` with this value."""
    extra = stored_extra(msgspec.json.encode({"note": value}), dict(hashes))
    return msgspec.json.decode(extra)["note"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (ANNA, "[email]"),
        (f"write to <{ANNA}>, soon", "write to <[email]>, soon"),
        ("mailto:anna%40example.com?subject=x", "mailto:[email]?subject=x"),
        ("https://anna:word@example.com/a", "https://example.com/a"),
        ("ANNA@EXAMPLE.COM;b@c", "[email];[email]"),
        ("ä.ö@exämple.de", "[email]"),
        ("a @ b", "a @ b"),
    ],
)
def test_e_mail_addresses_are_hidden(written: str, stored: str) -> None:
    assert kept(written) == without_emails(written) == stored
    assert kept({written: [written]}) == {stored: [stored]}


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("203.0.113.77, 10.1.2.3", "203.0.113.0, 10.1.2.0"),
        ("from 203.0.113.77:443.", "from 203.0.113.0:443."),
        ("client:203.0.113.77", "client:203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("[2001:DB8:1:2::6]:80", "[2001:db8:1::]:80"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("08:00:00.123", "08:00:00.123"),
        ("aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
        ("2026-11-27T08:00:00Z", "2026-11-27T08:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("999.0.0.1", "999.0.0.1"),
    ],
)
def test_addresses_are_truncated(written: str, stored: str) -> None:
    assert kept(written) == stored


def test_a_known_id_is_hidden_inside_longer_text() -> None:
    assert kept("for C-4711-X, twice: C-4711-X", **{"C-4711-X": HASH}) == f"for {HASH}, twice: {HASH}"
    assert kept("C-1", **{"C-1": HASH}) == HASH
    assert kept("C-10 is not C-1", **{"C-1": HASH}) == "C-10 is not C-1"


def test_what_names_nobody_is_kept_byte_for_byte() -> None:
    extra = b'{"a":1.50,"b":"\\u00eb\\/","c":[true,null,"Mozilla/5.0 (X11; Linux)"],"v":"1.2.3"}'
    assert stored_extra(extra, {}) == extra.decode()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/cart?id=1#x", "/cart"),
        ("/cart;jsessionid=ABC?x", "/cart"),
        ("/a;v=1/b;w=2", "/a/b"),
        ("https://shop/a;s=1/b?q", "https://shop/a/b"),
        ("?q", ""),
    ],
)
def test_a_path_has_no_query_and_no_parameters(target: str, path: str) -> None:
    assert path_only(target) == path


@given(st.text(alphabet='a@%40.:;1f ["\\/é\0', max_size=200))
def test_it_is_the_same_the_second_time_and_stays_json(text: str) -> None:
    once = stored_extra(msgspec.json.encode({"note": text}), {"1f1f1f": HASH})
    assert stored_extra(once.encode(), {"1f1f1f": HASH}) == once
    assert msgspec.json.decode(once).keys() == {"note"}


@pytest.mark.parametrize("hostile", ["a" * 60_000 + "@", "1." * 30_000, ":" * 60_000, "a:" * 30_000, "@" * 60_000])
def test_no_text_takes_long(hostile: str) -> None:
    extra, started_s = msgspec.json.encode({"note": hostile}), time.process_time()
    stored_extra(extra, {"a@example.com": HASH})
    assert time.process_time() - started_s < 1.0


def test_what_is_no_address_has_no_network() -> None:
    assert truncated("example.com") is None and truncated("") is None
