import hmac

import pytest

from contract.identity import IdentityKey, content_hash, event_id_of_line, event_id_of_record
from contract.stamp import Stamp

pytestmark = pytest.mark.unit

KEY = IdentityKey(key_id="k1", secret=b"0" * 32)
STAMP = Stamp(k="order", f="i-1.aa", o=100, n=3, c=7)


def test_a_customer_hash_depends_on_the_key() -> None:
    other = IdentityKey(key_id="k2", secret=b"1" * 32)
    assert KEY.hash_of("customer", "C-1") != other.hash_of("customer", "C-1")


def test_a_customer_hash_is_half_an_hmac_sha256() -> None:
    whole = hmac.digest(b"0" * 32, b"customer:Zo\xc3\xab", "sha256").hex()
    assert [KEY.hash_of("customer", "Zoë") for _ in range(2)] == [whole[:32]] * 2


def test_the_same_id_as_customer_and_as_session_has_two_hashes() -> None:
    assert KEY.hash_of("customer", "7") != KEY.hash_of("session", "7")


def test_a_key_never_shows_its_secret() -> None:
    assert "0000" not in repr(KEY)


def test_a_line_is_identified_by_file_offset_and_bytes() -> None:
    same = event_id_of_line(STAMP, b"abc")
    assert same == event_id_of_line(STAMP, b"abc")
    assert (
        len(
            {
                same,
                event_id_of_line(STAMP, b"abd"),
                event_id_of_line(Stamp(k="order", f="i-1.aa", o=101, n=3, c=7), b"abc"),
            }
        )
        == 3
    )


def test_a_foreign_record_is_identified_by_its_position() -> None:
    assert event_id_of_record("shardId-000000000001", 5, 2) == "record:shardId-000000000001:5:2"


def test_a_content_hash_is_128_bits_of_hex() -> None:
    assert len(content_hash(b"x")) == 32
