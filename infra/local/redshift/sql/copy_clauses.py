"""COPY and its clauses.

Sources: Redshift Database Developer Guide, "COPY" with the page of each kind of parameter, "COPY from columnar data
formats".
"""

from collections.abc import Callable
from typing import Any

from infra.local.redshift.actions import Copy, Unsupported
from infra.local.redshift.sql.clauses import (
    COMPRESSIONS,
    authorization,
    check_authorization,
    location,
    number_after_as,
    one_character,
    string_after_as,
    text_of,
)
from infra.local.redshift.sql.tokens import Cursor

_MOST_ERRORS = 100_000
# "COPY from columnar data formats": the only parameters that Parquet takes.
_COLUMNAR = {"iam_role", "credentials", "keys", "statupdate", "manifest", "acceptinvchars", "fillrecord"}
_COLUMNAR |= {"explicit_ids", "format", "serializetojson"}


def read_copy(cursor: Cursor) -> Copy:
    """Raises SqlError, Unsupported. Keys in the statement are accepted and forgotten."""
    cursor.expect("copy")
    table = cursor.name()
    columns = cursor.names() if cursor.peek("(") else ()
    cursor.expect("from")
    bucket, key = location(cursor.string())
    found: dict[str, Any] = {"table": table, "columns": columns, "bucket": bucket, "key": key}
    text: dict[str, Any] = {}
    seen: set[str] = set()
    while not cursor.done():
        word = _copy_clause(cursor, found, text)
        if word in seen:
            raise Unsupported(f"conflicting or redundant options: {word.upper()}", sqlstate="42601")
        seen.add(word)
    check_authorization(seen)
    _check_copy(found.get("format", "text"), seen, csv=text.get("csv", False))
    return Copy(**found, text=text_of(text))


def _check_copy(kind: str, seen: set[str], *, csv: bool) -> None:
    """Raises Unsupported for clauses that exclude each other."""
    if kind == "parquet" and (wrong := sorted(seen - _COLUMNAR)):
        raise Unsupported(f"{wrong[0].upper()} is not supported for PARQUET")
    if kind == "json" and (wrong := sorted(seen & {"delimiter", "quote", "escape", "removequotes"})):
        raise Unsupported(f"{wrong[0].upper()} is not supported for JSON", sqlstate="42601")
    if csv and (wrong := sorted(seen & {"escape", "removequotes", "fixedwidth"})):
        raise Unsupported(f"{wrong[0].upper()} is not supported with CSV", sqlstate="42601")
    if "quote" in seen and not csv:
        raise Unsupported("QUOTE is only for CSV", sqlstate="42601")
    if {"maxerror", "ignoreallerrors"} <= seen:
        raise Unsupported("IGNOREALLERRORS and MAXERROR exclude each other", sqlstate="42601")
    if len(seen & set(COMPRESSIONS)) > 1:
        raise Unsupported("more than one compression", sqlstate="42601")


def _copy_clause(cursor: Cursor, found: dict[str, Any], text: dict[str, Any]) -> str:
    """Read one clause into `found` or `text`; returns its name."""
    word = authorization(cursor)
    if word:
        return word
    if cursor.accept("format"):
        cursor.accept("as")
    word = cursor.take().text
    if word in ("csv", "json", "parquet"):
        _copy_format(cursor, word, found, text)
        return "format"
    if word in COMPRESSIONS:
        found["compression"] = word
        return word
    if word in _COPY_FLAGS:
        target, name = _COPY_FLAGS[word]
        (found if target == "copy" else text)[name] = True
        return word
    if word in _COPY_CLAUSES:
        _COPY_CLAUSES[word](cursor, found, text)
        return word
    raise Unsupported(f"COPY option {word.upper()[:40]} is not translated")


def _copy_format(cursor: Cursor, word: str, found: dict[str, Any], text: dict[str, Any]) -> None:
    if word == "csv":
        text["csv"] = True
        if cursor.accept("quote"):
            text["quote"] = one_character(cursor, "QUOTE")
        return
    found["format"] = word
    if word == "json":
        cursor.accept("as")
        found["json_paths"] = cursor.string()
        if found["json_paths"] not in ("auto", "auto ignorecase", "noshred"):
            location(found["json_paths"])


_COPY_FLAGS = {
    "manifest": ("copy", "manifest"),
    "truncatecolumns": ("copy", "truncate_columns"),
    "serializetojson": ("copy", "serialize_to_json"),
    "explicit_ids": ("copy", "explicit_ids"),
    "noload": ("copy", "no_load"),
    "removequotes": ("text", "remove_quotes"),
    "escape": ("text", "escape"),
    "ignoreblanklines": ("text", "ignore_blank_lines"),
    "blanksasnull": ("text", "blanks_as_null"),
    "emptyasnull": ("text", "empty_as_null"),
    "trimblanks": ("text", "trim_blanks"),
    "fillrecord": ("text", "fill_record"),
    "roundec": ("text", "round_decimals"),
}


def _delimiter(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["delimiter"] = one_character(cursor, "DELIMITER")


def _quote(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["quote"] = one_character(cursor, "QUOTE")


def _null(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["null_as"] = string_after_as(cursor)


def _ignore_header(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["ignore_header"] = number_after_as(cursor)


def _max_error(cursor: Cursor, found: dict[str, Any], _text: dict[str, Any]) -> None:
    found["max_errors"] = number_after_as(cursor)
    if not 0 <= found["max_errors"] <= _MOST_ERRORS:
        raise Unsupported(f"MAXERROR must be between 0 and {_MOST_ERRORS}", sqlstate="22023")


def _all_errors(_cursor: Cursor, found: dict[str, Any], _text: dict[str, Any]) -> None:
    found["max_errors"] = -1


def _invalid_characters(cursor: Cursor, found: dict[str, Any], _text: dict[str, Any]) -> None:
    found["replacement"] = "?"
    mark = cursor.mark()
    cursor.accept("as")
    token = cursor.token
    if token and token.kind.name == "STRING":
        found["replacement"] = cursor.string()
        if len(found["replacement"]) != 1 or not found["replacement"].isascii():
            raise Unsupported("ACCEPTINVCHARS takes a single ASCII character", sqlstate="22023")
    else:
        cursor.back(mark)


def _date_format(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["date_format"] = string_after_as(cursor)


def _time_format(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    text["time_format"] = string_after_as(cursor)


def _encoding(cursor: Cursor, _found: dict[str, Any], text: dict[str, Any]) -> None:
    cursor.accept("as")
    name = cursor.take().text.lower()
    encodings = {"utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be"}
    if name not in encodings:
        raise Unsupported(f"ENCODING {name.upper()} is not supported", sqlstate="22023")
    text["encoding"] = encodings[name]


def _no_effect(cursor: Cursor, _found: dict[str, Any], _text: dict[str, Any]) -> None:
    """COMPUPDATE, STATUPDATE: compression and statistics change no answer."""
    cursor.one_of("on", "true", "off", "false", "preset")


def _comp_rows(cursor: Cursor, _found: dict[str, Any], _text: dict[str, Any]) -> None:
    cursor.number()


def _region(cursor: Cursor, _found: dict[str, Any], _text: dict[str, Any]) -> None:
    string_after_as(cursor)


_COPY_CLAUSES: dict[str, Callable[[Cursor, dict[str, Any], dict[str, Any]], None]] = {
    "delimiter": _delimiter,
    "quote": _quote,
    "null": _null,
    "ignoreheader": _ignore_header,
    "maxerror": _max_error,
    "ignoreallerrors": _all_errors,
    "acceptinvchars": _invalid_characters,
    "dateformat": _date_format,
    "timeformat": _time_format,
    "encoding": _encoding,
    "compupdate": _no_effect,
    "statupdate": _no_effect,
    "comprows": _comp_rows,
    "region": _region,
}
