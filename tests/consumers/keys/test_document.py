import base64
import datetime as dt
import json
from typing import Any

import pytest

from consumers.keys.document import document_of, parse_keys
from contract.identity import IdentityKey
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
OLD = IdentityKey(key_id="old", secret=b"o" * 32)
NEW = IdentityKey(key_id="new", secret=b"n" * 32, effective_at=AT)


def b64(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def key(key_id: Any = "k1", secret: Any = None, **more: Any) -> dict[str, Any]:
    return {"key_id": key_id, "secret": b64(b"s" * 32) if secret is None else secret, **more}


def test_keys_are_read_in_the_order_in_which_they_hash() -> None:
    document = {"keys": [key("new", b64(b"n" * 32), effective_at="2026-12-01T00:00:00Z"), key("old", b64(b"o" * 32))]}
    assert parse_keys(json.dumps(document).encode(), "here") == (OLD, NEW)


def test_a_document_may_be_one_key_alone() -> None:
    assert parse_keys(json.dumps(key("old", b64(b"o" * 32))).encode(), "here") == (OLD,)


def test_what_is_written_is_read() -> None:
    assert parse_keys(document_of([NEW, OLD]), "here") == (OLD, NEW)


SECRET = "c2VjcmV0LXRoYXQtbm9ib2R5LXNoYWxsLWV2ZXItc2VlLTE="


@pytest.mark.parametrize(
    "body",
    [
        b"",
        SECRET.encode(),
        b"[]",
        b"\xff\xfe" + SECRET.encode(),
        b"[" * 100_000,
        json.dumps({"keys": []}).encode(),
        json.dumps({"keys": SECRET}).encode(),
        json.dumps({"secret": SECRET}).encode(),
        json.dumps({"key_id": SECRET, "secret": SECRET + "!"}).encode(),
        json.dumps(key("k1", SECRET, effective_from="2026-12-01T00:00:00Z")).encode(),
        json.dumps(key("k1", SECRET, effective_at=SECRET)).encode(),
        json.dumps(key("k1", SECRET, effective_at="2026-12-01T00:00:00")).encode(),
        json.dumps(key("", SECRET)).encode(),
        json.dumps(key(SECRET * 2, SECRET)).encode(),
        json.dumps({"keys": [key("k1", SECRET), key("k1", b64(b"t" * 32))]}).encode(),
        json.dumps({"keys": [key("k1", SECRET), key("k2", b64(b"t" * 32))]}).encode(),
        json.dumps({"keys": [key("k1", SECRET), key("k2", SECRET, effective_at="2026-12-01T00:00:00Z")]}).encode(),
    ],
)
def test_a_document_that_is_none_is_one_line_without_a_word_of_it(body: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^here") as raised:
        parse_keys(body, "here")
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_short_secret_is_refused_by_its_number() -> None:
    with pytest.raises(ConfigError, match="key 1: its secret is shorter than 32 bytes"):
        parse_keys(json.dumps(key("k1", b64(b"short"))).encode(), "here")


def test_no_way_of_printing_a_key_shows_its_secret() -> None:
    (parsed,) = parse_keys(json.dumps(key("k1", SECRET)).encode(), "here")
    for shown in (repr(parsed), str(parsed), f"{parsed}", repr([parsed])):
        assert "secret-that" not in shown and SECRET not in shown
