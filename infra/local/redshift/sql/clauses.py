"""Clauses that COPY and UNLOAD share.

Source: Redshift Database Developer Guide, "Authorization parameters".
"""

from dataclasses import replace
from typing import Any

from infra.local.redshift.actions import Text, Unsupported
from infra.local.redshift.sql.tokens import Cursor

COMPRESSIONS = ("gzip", "bzip2", "zstd")


def text_of(values: dict[str, Any]) -> Text:
    """The format of the text; the delimiter hangs on whether it is CSV."""
    text = Text(**values)
    return replace(text, delimiter=values.get("delimiter", "," if text.csv else "|"))


def location(url: str) -> tuple[str, str]:
    """Bucket and key. Raises Unsupported."""
    if not url.startswith("s3://"):
        raise Unsupported("only s3:// locations are supported here")
    bucket, _, key = url[5:].partition("/")
    if not bucket:
        raise Unsupported(f"the S3 location is not valid: {url}", sqlstate="22023")
    return bucket, key


def check_authorization(seen: set[str]) -> None:
    """Raises Unsupported unless exactly one kind of authorization was among the clauses."""
    kinds = seen & {"iam_role", "credentials", "keys"}
    if not kinds:
        raise Unsupported("CREDENTIALS argument is required: use IAM_ROLE", sqlstate="42601")
    if len(kinds) > 1:
        raise Unsupported("more than one kind of authorization", sqlstate="42601")


def authorization(cursor: Cursor) -> str | None:
    """Step over an authorization and say its kind, None if none comes next.

    Whose objects can be reached is a matter of the server's own account; keys are nowhere kept.
    """
    if cursor.accept("iam_role"):
        if not cursor.accept("default"):
            arn = cursor.string()
            if not arn.startswith("arn:aws") or ":role/" not in arn:
                raise Unsupported("IAM_ROLE takes the ARN of a role, or default", sqlstate="22023")
        return "iam_role"
    if cursor.accept("credentials") or cursor.accept("with", "credentials"):
        cursor.accept("as")
        cursor.string()
        return "credentials"
    if cursor.accept("access_key_id"):
        cursor.string()
        cursor.expect("secret_access_key")
        cursor.string()
        if cursor.one_of("session_token", "token"):
            cursor.string()
        return "keys"
    return None


def switch(cursor: Cursor) -> bool:
    """ON, TRUE, or nothing."""
    return cursor.one_of("on", "true", "off", "false") not in ("off", "false")


def string_after_as(cursor: Cursor) -> str:
    cursor.accept("as")
    return cursor.string()


def number_after_as(cursor: Cursor) -> int:
    cursor.accept("as")
    return int(cursor.number())


def one_character(cursor: Cursor, clause: str) -> str:
    value = string_after_as(cursor)
    if len(value) != 1 or not value.isascii():
        raise Unsupported(f"{clause} must be a single ASCII character", sqlstate="22023")
    return value
