"""The SHOW commands of the catalogue, which drivers use for their metadata calls, as queries of its functions.

Source: Redshift Developer Guide, "SHOW COLUMNS", "SHOW CONSTRAINTS" and so on. Names and patterns may be parameters.
"""

import re

_NAME = r'(?:\$\d+|"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_PATTERN = r"(?:\$\d+|'(?:[^']|'')*')"

# The command, the function that answers it, and what its names stand for: a database, then schema, then object.
_COMMANDS = (
    ("DATABASES", "show_databases", 0),
    ("SCHEMAS FROM DATABASE", "show_schemas", 1),
    ("TABLES FROM SCHEMA", "show_tables", 2),
    ("COLUMNS FROM TABLE", "show_columns", 3),
    ("CONSTRAINTS PRIMARY KEYS FROM TABLE", "show_primary_keys", 3),
    ("CONSTRAINTS FOREIGN KEYS FROM TABLE", "show_foreign_keys", 3),
    ("CONSTRAINTS FOREIGN KEYS EXPORTED FROM TABLE", "show_exported_keys", 3),
    ("COLUMN GRANTS ON TABLE", "show_column_grants", 3),
    ("GRANTS ON TABLE", "show_grants", 3),
    ("PROCEDURES FROM SCHEMA", "show_procedures", 2),
    ("FUNCTIONS FROM SCHEMA", "show_functions", 2),
)
_FIRST = re.compile(r"\s*show\b", re.IGNORECASE)


def _compiled(words: str, names: int) -> "re.Pattern[str]":
    parts = rf"\s+(?P<names>{_NAME}(?:\s*\.\s*{_NAME}){{0,{names - 1}}})" if names else ""
    command = r"\s+".join(words.split())
    return re.compile(rf"\s*show\s+{command}{parts}(?:\s+like\s+(?P<like>{_PATTERN}))?\s*;?\s*", re.IGNORECASE)


_GRAMMAR = [(_compiled(words, names), function, names) for words, function, names in _COMMANDS]


def query(sql: str) -> str | None:
    """The query that answers a SHOW of the catalogue; None for any other statement."""
    if not _FIRST.match(sql):
        return None
    for pattern, function, names in _GRAMMAR:
        found = pattern.fullmatch(sql)
        if found:
            told = re.findall(_NAME, found["names"]) if names else []
            places = [*["null"] * (names - len(told)), *(_value(name) for name in told)]
            arguments = ", ".join([*places, found["like"] or "null"])
            return f"select * from pg_catalog.{function}({arguments})"
    return None


def _value(name: str) -> str:
    """A name of the statement as a value: a parameter as it is, an identifier as a string in lower case."""
    if name.startswith("$"):
        return name
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return "'" + plain.lower().replace("'", "''") + "'"
