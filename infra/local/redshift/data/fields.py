"""Values of text and JSON files as a column takes them.

Sources: Redshift Database Developer Guide, "Data conversion parameters", "Load error reference", "DATEFORMAT and
TIMEFORMAT strings".
"""

import datetime as dt
import json
import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation

from infra.local.redshift.actions import Copy, Unsupported
from infra.local.redshift.data.columns import Column

_LONGEST_DECIMAL = 38
_WIDE = Context(prec=3 * _LONGEST_DECIMAL)
_INTEGERS = {"smallint": (15, "Short"), "integer": (31, "Integer"), "bigint": (63, "Long")}
_TRUE, _FALSE = {"1", "t", "true", "y", "yes"}, {"0", "f", "false", "n", "no"}
_WHOLE = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|[+-]?inf(inity)?", re.IGNORECASE)
_FRACTION = re.compile(r"\.\d{1,6}")
_SURROGATES = range(0xDC80, 0xDD00)  # what a byte that is no UTF-8 is read as
_PARTS = {
    "YYYY": "%Y",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%H",
    "MI": "%M",
    "SS": "%S",
    "YY": "%y",
    "AM": "%p",
    "PM": "%p",
}
_PART = re.compile("|".join(_PARTS))

Convert = Callable[[str], str | None]


class FieldError(Exception):
    """A value that the column cannot take. `code` and text are those of "Load error reference"."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def converter(column: Column, copy: Copy) -> Convert:
    """A function from a field, read as UTF-8 with surrogates for other bytes, to PostgreSQL's text; None is NULL.

    It raises FieldError.
    """
    convert = _converter(column, copy)
    null_as = r"\N" if copy.text.null_as is None else copy.text.null_as
    characters = column.type in ("character varying", "character")
    empty_as_null = copy.text.empty_as_null or not characters
    blanks_as_null = copy.text.blanks_as_null or not characters

    def field(value: str) -> str | None:
        if value == null_as or (empty_as_null and not value) or (blanks_as_null and value and not value.strip()):
            check_absent(column)
            return None
        return convert(value)

    return field


def check_absent(column: Column) -> None:
    """Raises FieldError where the column takes no NULL."""
    if column.required:
        raise FieldError(1213, "Missing data for not-null field")


def _converter(column: Column, copy: Copy) -> Convert:
    if column.type in ("character varying", "character"):
        return _text(column, copy)
    if column.type in _INTEGERS:
        return _integer(*_INTEGERS[column.type])
    if column.type == "numeric":
        return _decimal(column, copy)
    if column.type in ("real", "double precision"):
        return _float
    if column.type == "boolean":
        return _boolean
    if column.type == "date":
        return _date(copy.text.date_format)
    if column.type in ("timestamp without time zone", "timestamp with time zone"):
        return _time(copy.text.time_format, zoned=column.type == "timestamp with time zone")
    if column.type == "jsonb":
        return _super
    raise Unsupported(f"COPY of text into a column of type {column.shown_type} is not translated")


def _text(column: Column, copy: Copy) -> Convert:
    narrow = column.type == "character"

    def convert(value: str) -> str:
        if not value.isascii():
            value = _valid(value, copy.replacement)
            if narrow and not value.isascii():
                raise FieldError(1220, "CHAR string contains invalid ASCII character")
        if "\0" in value:
            raise FieldError(1220, "String contains invalid or unsupported UTF8 codepoints: NUL")
        if copy.text.trim_blanks and not narrow:
            value = value.rstrip()
        if column.size and len(value.encode()) > column.size:
            shorter = value.rstrip(" ")
            if len(shorter.encode()) > column.size:
                if not copy.truncate_columns:
                    raise FieldError(1204, "String length exceeds DDL length")
                shorter = value
            value = shorter.encode()[: column.size].decode(errors="ignore")
        return value

    return convert


def _valid(value: str, replacement: str) -> str:
    bad = next((character for character in value if ord(character) in _SURROGATES), None)
    if bad is None:
        return value
    if not replacement:
        raise FieldError(
            1220,
            "String contains invalid or unsupported UTF8 codepoints. "
            f"Bad UTF8 hex sequence: {ord(bad) - 0xDC00:02x} (error 1)",
        )
    return value.translate(dict.fromkeys(_SURROGATES, replacement))


def _integer(bits: int, name: str) -> Convert:
    def convert(value: str) -> str:
        value = value.strip()
        if not _WHOLE.fullmatch(value):
            place, wrong = next(
                ((place, c) for place, c in enumerate(value) if not (c.isdigit() or (place == 0 and c in "+-"))),
                (len(value), " "),
            )
            raise FieldError(1207, f"Invalid digit, Value '{wrong}', Pos {place}, Type: {name}")
        if not -(1 << bits) <= int(value) < 1 << bits:
            raise FieldError(1207, f"Overflow, Value '{value[:40]}', Type: {name}")
        return value

    return convert


def _decimal(column: Column, copy: Copy) -> Convert:
    step = Decimal(1).scaleb(-column.scale)
    rounding = ROUND_HALF_UP if copy.text.round_decimals else ROUND_DOWN

    def convert(value: str) -> str:
        value = value.strip()
        try:
            number = Decimal(value)
            if not number.is_finite() or len(value) > 2 * _LONGEST_DECIMAL or number.adjusted() >= _LONGEST_DECIMAL:
                raise InvalidOperation
        except InvalidOperation:
            raise FieldError(1207, f"Invalid digit, Value '{value[:1]}', Pos 0, Type: Decimal") from None
        kept = number.quantize(step, rounding=rounding, context=_WIDE)
        if kept.adjusted() >= column.precision - column.scale and kept:
            raise FieldError(1207, f"Overflow for NUMERIC({column.precision},{column.scale}): '{value[:40]}'")
        return str(kept)

    return convert


def _float(value: str) -> str:
    value = value.strip()
    if not _FLOAT.fullmatch(value):
        raise FieldError(1207, f"Invalid digit, Value '{value[:1]}', Pos 0, Type: Double")
    return value


def _boolean(value: str) -> str:
    word = value.strip().lower()
    if word in _TRUE:
        return "t"
    if word in _FALSE:
        return "f"
    raise FieldError(1210, "Unknown boolean format")


def _strptime(pattern: str, what: str) -> str:
    """The format in Python's words. Raises Unsupported for parts that are not translated."""
    rest = _PART.sub("", pattern.upper())
    if any(character.isalpha() for character in rest.replace("T", "")):
        raise Unsupported(f"{what} '{pattern}' is not translated")
    return _PART.sub(lambda part: _PARTS[part[0]], pattern.upper())


def _date(pattern: str) -> Convert:
    if pattern == "auto":
        return lambda value: _moment_auto(value, "date").date().isoformat()
    form = _strptime(pattern, "DATEFORMAT")

    def convert(value: str) -> str:
        try:
            return dt.datetime.strptime(value.strip(), form).date().isoformat()
        except ValueError:
            raise FieldError(1205, f"Invalid Date Format - value [{pattern}]") from None

    return convert


def _time(pattern: str, *, zoned: bool) -> Convert:
    zone = "+00" if zoned else ""
    if pattern in ("epochsecs", "epochmillisecs"):
        return _epoch(1 if pattern == "epochsecs" else 1000, zone)
    if pattern == "auto":
        return lambda value: _shown(_moment_auto(value, "timestamp"), zoned)
    default = pattern == "YYYY-MM-DD HH:MI:SS"
    form = _strptime(pattern, "TIMEFORMAT")

    def convert(value: str) -> str:
        value = value.strip()
        try:
            if default:
                return _shown(_default_moment(value), zoned)
            fraction = _FRACTION.search(value) if form.endswith("%S") else None
            moment = dt.datetime.strptime(value.replace(fraction[0], "") if fraction else value, form)
            if fraction:
                moment = moment.replace(microsecond=int(fraction[0][1:].ljust(6, "0")))
            return _shown(moment, zoned)
        except ValueError:
            raise FieldError(1206, f"Invalid timestamp format or value [{pattern}]") from None

    return convert


def _default_moment(value: str) -> dt.datetime:
    """`YYYY-MM-DD HH:MI:SS`, with a fraction or without. Raises ValueError."""
    if len(value) < 19 or value[10] != " ":
        raise ValueError(value)
    return dt.datetime.fromisoformat(value)


def _moment_auto(value: str, what: str) -> dt.datetime:
    for read in (dt.datetime.fromisoformat, *(_by(form) for form in ("%Y/%m/%d", "%m/%d/%Y", "%Y/%m/%d %H:%M:%S"))):
        try:
            return read(value.strip())
        except ValueError:
            continue
    code = 1205 if what == "date" else 1206
    raise FieldError(code, f"Invalid {what} format or value [auto]")


def _by(form: str) -> Callable[[str], dt.datetime]:
    return lambda value: dt.datetime.strptime(value, form)


def _shown(moment: dt.datetime, zoned: bool) -> str:
    """A TIMESTAMP drops the offset of what is read into it, as a cast does."""
    if zoned:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC).isoformat(" ")
    return moment.replace(tzinfo=None).isoformat(" ")


def _epoch(factor: int, zone: str) -> Convert:
    def convert(value: str) -> str:
        try:
            microseconds = int(Decimal(value.strip()) * 1_000_000 / factor)
            return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=microseconds)).isoformat(" ") + zone
        except (InvalidOperation, ValueError, OverflowError):
            raise FieldError(1206, "Invalid timestamp format or value [epoch]") from None

    return convert


def _super(value: str) -> str:
    try:
        json.loads(value)
    except ValueError:
        raise FieldError(1224, "Invalid JSON for a SUPER column") from None
    return value
