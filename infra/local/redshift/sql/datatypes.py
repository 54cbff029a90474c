"""Redshift's types, as columns and in casts.

Sources: Redshift Database Developer Guide, "Data types", "Character types", "Numeric types",
"Unsupported PostgreSQL data types".
"""

from collections.abc import Sequence

from infra.local.redshift.errors import SqlError
from infra.local.redshift.sql.tokens import Cursor, Kind

LONGEST_VARCHAR = 65_535  # bytes
LONGEST_CHAR = 4_096  # bytes
_DEFAULT_VARCHAR = 256
_WIDEST_DECIMAL = 38

_PLAIN = {
    "smallint": "smallint",
    "int2": "smallint",
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "bigint": "bigint",
    "int8": "bigint",
    "real": "real",
    "float4": "real",
    "double precision": "double precision",
    "float8": "double precision",
    "float": "double precision",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "time": "time",
    "time without time zone": "time",
    "timetz": "timetz",
    "time with time zone": "timetz",
    "super": "jsonb",
}
_VARCHAR = {"varchar", "character varying", "nvarchar", "text"}
_CHAR = {"char", "character", "nchar", "bpchar"}
_DECIMAL = {"decimal", "numeric"}
_UNTRANSLATED = {"geometry", "geography", "hllsketch", "varbyte", "varbinary", "binary varying", "interval"}
_WORDS = {
    "double": ("precision",),
    "character": ("varying",),
    "binary": ("varying",),
}


def read_type(cursor: Cursor) -> tuple[str, tuple[str, ...]]:
    """The type that comes next: its name in lower case, and its arguments as written."""
    name = cursor.identifier()
    for word in _WORDS.get(name, ()):
        if cursor.accept(word):
            name = f"{name} {word}"
    arguments: tuple[str, ...] = ()
    if cursor.accept("("):
        arguments = (_argument(cursor),)
        while cursor.accept(","):
            arguments += (_argument(cursor),)
        cursor.expect(")")
    if name in ("timestamp", "time"):
        for zone in ("with", "without"):
            if cursor.accept(zone, "time", "zone"):
                name = f"{name} {zone} time zone"
    return name, arguments


def _argument(cursor: Cursor) -> str:
    token = cursor.take()
    if token.kind is Kind.NUMBER or token.text == "max":
        return token.text
    raise cursor.unexpected(token)


def column_type(name: str, arguments: Sequence[str] = ()) -> str:
    """PostgreSQL's type of a column. Raises SqlError for what Redshift does not have."""
    if name in _VARCHAR and not arguments:
        return f"varchar({_DEFAULT_VARCHAR})"
    if name == "bpchar" and not arguments:
        return f"char({_DEFAULT_VARCHAR})"
    return cast_type(name, arguments)


def cast_type(name: str, arguments: Sequence[str] = ()) -> str:
    """PostgreSQL's type in a cast, where a VARCHAR without a length takes it from the value."""
    if name in _PLAIN and not arguments:
        return _PLAIN[name]
    if name in _VARCHAR:
        return f"varchar({_length(name, arguments[0], LONGEST_VARCHAR)})" if arguments else "varchar"
    if name in _CHAR:
        return f"char({_length(name, arguments[0], LONGEST_CHAR)})" if arguments else "char(1)"
    if name in _DECIMAL:
        return _decimal(arguments)
    if name in _UNTRANSLATED:
        raise SqlError("0A000", f"the data type {name.upper()} is not translated")
    if name in _PLAIN:
        raise SqlError("42601", f'type "{name}" takes no arguments in Redshift')
    raise SqlError("0A000", f'unsupported data type "{name}"')


def _length(name: str, argument: str, longest: int) -> int:
    length = longest if argument == "max" else int(argument)
    if not 1 <= length <= longest:
        raise SqlError("22023", f"length for type {name} must be between 1 and {longest}")
    return length


def _decimal(arguments: Sequence[str]) -> str:
    precision, scale = (*(int(argument) for argument in arguments), *(18, 0)[len(arguments) :])
    if not 1 <= precision <= _WIDEST_DECIMAL:
        raise SqlError("22023", f"DECIMAL precision {precision} must be between 1 and {_WIDEST_DECIMAL}")
    if not 0 <= scale <= min(37, precision):
        raise SqlError("22023", f"DECIMAL scale {scale} must be between 0 and {min(37, precision)}")
    return f"numeric({precision}, {scale})"
