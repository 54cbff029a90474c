"""From a statement of a client to what the front does with it.

An allow-list: what Redshift refuses is refused, and so is what is not known to be translated faithfully; the error
names the construct (SQLSTATE 0A000).
"""

import re
from functools import lru_cache

from infra.local.redshift.actions import Copy, Plain, Text, Unload, Unsupported
from infra.local.redshift.errors import SqlError
from infra.local.redshift.sql.commands import COMMANDS
from infra.local.redshift.sql.copy_clauses import read_copy
from infra.local.redshift.sql.definitions import alter, comment, create, drop, grant, refresh
from infra.local.redshift.sql.query import translated_query
from infra.local.redshift.sql.remove_duplicates import is_simplified, simplified_merge
from infra.local.redshift.sql.system_queries import catalogue_query
from infra.local.redshift.sql.tokens import Cursor, quoted
from infra.local.redshift.sql.unload_clauses import read_unload

__all__ = ["Copy", "Plain", "Text", "Unload", "Unsupported", "translated"]

_LONGEST_KEPT = 65_536  # characters of a statement; longer ones come once
_KEPT = 1_024
_DEFINITIONS = {"create": create, "drop": drop, "alter": alter, "comment": comment, "grant": grant, "revoke": grant}
_DEFINITIONS |= {"refresh": refresh}
# Commands of PostgreSQL, or of Redshift and not translated.
_REFUSED = {"call", "cancel", "checkpoint", "cluster", "discard", "do", "import", "listen", "load", "move", "notify"}
_REFUSED |= {"reassign", "reindex", "release", "savepoint", "security", "table", "unlisten", "use", "values"}
_QUERIES = ("select", "with", "(", "insert", "update", "delete", "merge")
# Rows of parameters alone, as clients send them by the thousand: only the names need a look.
_ROWS_OF_PARAMETERS = re.compile(
    r"\s*insert\s+into\s+(?P<head>[^()']+?\s*(?:\([^()']*\))?)\s*values\s*"
    r"(?P<rows>\(\s*\$\d+\s*(?:,\s*\$\d+\s*)*\)(?:\s*,\s*\(\s*\$\d+\s*(?:,\s*\$\d+\s*)*\))*)\s*;?\s*",
    re.IGNORECASE,
)


def translated(sql: str) -> Plain | Copy | Unload:
    """What to do for one statement; `$1` and so on keep their places. Raises SqlError, Unsupported."""
    return _kept(sql) if len(sql) <= _LONGEST_KEPT else _translated(sql)


def _translated(sql: str) -> Plain | Copy | Unload:
    rows = _ROWS_OF_PARAMETERS.fullmatch(sql)
    if rows:
        return _rows_of_parameters(rows)
    cursor = Cursor(sql)
    token = cursor.token
    if token is None:
        return Plain(sql="")
    word = token.text
    if word == "copy":
        return read_copy(cursor)
    if word == "unload":
        return read_unload(cursor)
    if word in _QUERIES:
        return _query(sql, word)
    if word in COMMANDS:
        return COMMANDS[word](cursor)
    if word in _DEFINITIONS:
        return _DEFINITIONS[word](cursor)
    if word in _REFUSED:
        raise Unsupported(f"{word.upper()} is not supported")
    raise SqlError("42601", f'syntax error at or near "{word[:40]}"')


_kept = lru_cache(maxsize=_KEPT)(_translated)


def _query(sql: str, word: str) -> Plain:
    catalogue = catalogue_query(sql)
    if catalogue is not None:
        return Plain(sql=catalogue)
    if word == "merge" and is_simplified(sql):
        return simplified_merge(sql)
    return Plain(sql=translated_query(sql))


def _rows_of_parameters(match: re.Match[str]) -> Plain:
    cursor = Cursor(match["head"])
    name = quoted(*cursor.name())
    columns = ""
    if cursor.peek("("):
        columns = " (" + ", ".join(quoted(column) for column in cursor.names()) + ")"
    cursor.end()
    return Plain(sql=f"INSERT INTO {name}{columns} VALUES {match['rows']}")
