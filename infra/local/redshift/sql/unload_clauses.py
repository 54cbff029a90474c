"""UNLOAD and its clauses. Source: Redshift Database Developer Guide, "UNLOAD"."""

from typing import Any

from infra.local.redshift.actions import Unload, Unsupported
from infra.local.redshift.sql.clauses import (
    COMPRESSIONS,
    authorization,
    check_authorization,
    location,
    one_character,
    string_after_as,
    switch,
    text_of,
)
from infra.local.redshift.sql.query import translated_query
from infra.local.redshift.sql.tokens import Cursor

_SMALLEST_FILE, _LARGEST_FILE = 5 << 20, int(6.2 * (1 << 30))
# "UNLOAD", FORMAT: what Parquet and JSON do not take.
_NOT_PARQUET = {"delimiter", "fixedwidth", "addquotes", "escape", "null", "header", "gzip", "bzip2", "zstd"}
_NOT_JSON = {"delimiter", "header", "fixedwidth", "addquotes", "escape", "null"}


def read_unload(cursor: Cursor) -> Unload:
    """Raises SqlError, Unsupported."""
    cursor.expect("unload")
    cursor.expect("(")
    select = cursor.string()
    cursor.expect(")")
    cursor.expect("to")
    bucket, prefix = location(cursor.string())
    inner = Cursor(select)
    if not (inner.peek("select") or inner.peek("with") or inner.peek("(")):
        raise Unsupported("UNLOAD takes a SELECT", sqlstate="42601")
    found: dict[str, Any] = {"sql": translated_query(select), "bucket": bucket, "prefix": prefix}
    text: dict[str, Any] = {}
    seen: set[str] = set()
    while not cursor.done():
        word = _unload_clause(cursor, found, text)
        if word in seen:
            raise Unsupported(f"conflicting or redundant options: {word.upper()}", sqlstate="42601")
        seen.add(word)
    check_authorization(seen)
    kind = found.get("format", "text")
    if wrong := sorted(seen & {"parquet": _NOT_PARQUET, "json": _NOT_JSON}.get(kind, set())):
        raise Unsupported(f"{wrong[0].upper()} is not supported for UNLOAD to {kind.upper()}")
    if found.get("overwrite") and found.get("clean"):
        raise Unsupported("CLEANPATH and ALLOWOVERWRITE exclude each other", sqlstate="42601")
    if text.get("csv") and found.get("add_quotes"):
        raise Unsupported("ADDQUOTES is not supported with CSV", sqlstate="42601")
    if _has_limit(select):
        raise Unsupported("LIMIT clause is not supported in the outer SELECT of UNLOAD")
    return Unload(**found, text=text_of(text))


def _has_limit(select: str) -> bool:
    cursor = Cursor(select)
    while not cursor.done():
        if cursor.peek("("):
            cursor.skip_parentheses()
        elif cursor.one_of("limit", "top"):
            return True
        else:
            cursor.take()
    return False


_UNLOAD_FLAGS = {"header": "header", "addquotes": "add_quotes", "allowoverwrite": "overwrite", "cleanpath": "clean"}


def _unload_clause(cursor: Cursor, found: dict[str, Any], text: dict[str, Any]) -> str:
    word = authorization(cursor)
    if word:
        return word
    if cursor.accept("format"):
        cursor.accept("as")
    if cursor.accept("partition", "by"):
        found["partition_by"] = cursor.names()
        found["include_partitions"] = cursor.accept("include")
        return "partition"
    word = cursor.take().text
    if word == "csv":
        text["csv"] = True
        return "format"
    if word in ("json", "parquet"):
        found["format"] = word
        return "format"
    if word in COMPRESSIONS:
        found["compression"] = word
    elif word in _UNLOAD_FLAGS:
        found[_UNLOAD_FLAGS[word]] = True
    elif word == "manifest":
        found["manifest"] = True
        found["verbose"] = cursor.accept("verbose")
    elif word == "delimiter":
        text["delimiter"] = one_character(cursor, "DELIMITER")
    elif word == "null":
        text["null_as"] = string_after_as(cursor)
    elif word == "escape":
        text["escape"] = True
    elif word == "parallel":
        found["parallel"] = switch(cursor)
    elif word == "maxfilesize":
        found["largest_bytes"] = _file_size(cursor)
    elif word == "rowgroupsize":
        _size(cursor)
    elif word == "extension":
        found["extension"] = cursor.string()
    elif word == "region":
        string_after_as(cursor)
    else:
        raise Unsupported(f"UNLOAD option {word.upper()[:40]} is not translated")
    return word


def _size(cursor: Cursor) -> int:
    cursor.accept("as")
    number = float(cursor.number())
    return int(number * (1 << (30 if cursor.one_of("mb", "gb") == "gb" else 20)))


def _file_size(cursor: Cursor) -> int:
    size = _size(cursor)
    if not _SMALLEST_FILE <= size <= _LARGEST_FILE:
        raise Unsupported("MAXFILESIZE must be between 5 MB and 6.2 GB", sqlstate="22023")
    return size
