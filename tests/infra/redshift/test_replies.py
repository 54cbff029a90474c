import struct

import pytest

from infra.local.redshift import replies
from infra.local.redshift.errors import BackendError, SqlError
from infra.local.redshift.wire import fields, message

pytestmark = pytest.mark.unit


def _description(*types: int) -> bytes:
    columns = [f"c{oid}\0".encode() + struct.pack("!ihihih", 7, 1, oid, -1, -1, 0) for oid in types]
    return struct.pack("!h", len(types)) + b"".join(columns)


def test_types_that_only_postgres_has_get_redshifts_numbers() -> None:
    assert replies.row_description(_description(23, 3802, 2950)) == message(
        b"T", _description(23, 4000, 1043).replace(b"c4000", b"c3802").replace(b"c1043", b"c2950")
    )


def test_a_parse_keeps_its_types_but_super() -> None:
    packed = replies.parse(b"s", "select $1", struct.pack("!hii", 2, 4000, 23))
    assert packed == message(b"P", b"s\0select $1\0" + struct.pack("!hii", 2, 3802, 23))


@pytest.mark.parametrize(
    ("tag", "told"), [("SELECT 5", "SELECT"), ("INSERT 0 5", "INSERT 0 5"), ("COPY", "COPY"), ("SELECT", "SELECT")]
)
def test_a_select_tells_no_count(tag: str, told: str) -> None:
    assert replies.command(tag) == message(b"C", told.encode() + b"\0")


def test_a_conflict_of_transactions_is_error_1023() -> None:
    found = fields(replies.error(BackendError("40001", "could not serialize access due to concurrent update"))[5:])
    assert (found["S"], found["C"], found["M"]) == ("ERROR", "XX000", "1023")
    assert "Serializable isolation violation on table" in found["D"]


def test_a_refused_login_has_redshifts_sqlstate() -> None:
    assert fields(replies.error(BackendError("28P01", "no"), severity="FATAL")[5:]) == {
        "S": "FATAL",
        "C": "28000",
        "M": "no",
    }


def test_an_error_keeps_detail_and_hint() -> None:
    found = fields(replies.error(SqlError("0A000", "m", detail="d", hint="h"))[5:])
    assert found == {"S": "ERROR", "C": "0A000", "M": "m", "D": "d", "H": "h"}


def test_the_server_is_redshift() -> None:
    said = replies.parameters({"server_version": "18.4", "DateStyle": "ISO, MDY", "search_path": "x"})
    assert b"server_version\x008.0.2\0" in said
    assert b"18.4" not in said
    assert b"search_path" not in said
