import hashlib

import pytest

from infra.local.redshift.accounts import answer, verifier

pytestmark = pytest.mark.unit


def test_the_answer_is_what_a_client_that_knows_the_password_says() -> None:
    """PostgreSQL documentation, "Authentication": concat('md5', md5(concat(md5(concat(password, username)), salt)))."""
    salt = b"\x00\xff12"
    inner = hashlib.md5(b"p\xc3\xa4ssword" + b"admin").hexdigest()
    said = "md5" + hashlib.md5(inner.encode() + salt).hexdigest()
    kept = verifier("admin", "pässword")
    assert kept == "md5" + inner
    assert answer(kept, salt) == said
    assert answer(verifier("admin", "other"), salt) != said
    assert answer(verifier("other", "pässword"), salt) != said
