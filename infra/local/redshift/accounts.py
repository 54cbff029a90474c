"""Who may log in: the challenge, and what the answer must be."""

import hashlib
import hmac
import secrets

from infra.local.redshift.backend import Upstream
from infra.local.redshift.errors import SqlError
from infra.local.redshift.postgres import SUPERUSER

SALT_BYTES = 4


def verifier(user: str, password: str) -> str:
    """What is kept of a password, the form that `CREATE USER ... PASSWORD 'md5...'` takes too."""
    return "md5" + hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()


def answer(kept: str, salt: bytes) -> str:
    """What a client that knows the password says to the challenge `salt`."""
    return "md5" + hashlib.md5(kept.removeprefix("md5").encode() + salt, usedforsecurity=False).hexdigest()


def check(upstream: Upstream, user: str, salt: bytes, said: str) -> None:
    """Raises SqlError 28000 unless `said` answers the challenge for this user, whether or not there is such a user."""
    with_superuser = upstream.connect(user=SUPERUSER, database="postgres")
    try:
        rows = with_superuser.query(
            "select rolpassword from pg_authid where rolname = $1 and rolcanlogin and rolpassword like 'md5%'"
            " and coalesce(rolvaliduntil > now(), true)",
            user,
        )
    finally:
        with_superuser.close()
    kept = rows[0][0] if rows and rows[0][0] else verifier(user, secrets.token_hex())
    if not hmac.compare_digest(answer(kept, salt).encode(), said.encode()):
        raise SqlError("28000", f'password authentication failed for user "{user}"')
