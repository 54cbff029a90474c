"""An export read into one known shape, or refused in one line that says what to change."""

import codecs
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from producers.replay.mapping import Mapping
from runtime.errors import ConfigError

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".csv.zst")

# A price of a hundred million million, or as small a part of one, is a slip of the keyboard, and fits no column.
_LARGEST_EXPONENT = 13
_YEARS = (1900, 2999)  # near the ends of Python's calendar a change of zone falls out of it


def read_export(file: Path, mapping: Mapping) -> pl.DataFrame:
    """Every row of the export, in the file's order, all in memory (about 100 bytes a row).

    Columns: `invoice`, `sku` (text), `quantity` (int64), `unit_price` (text: the shortest decimal number, in whole
    units), `time` (as in the file: without a zone, or UTC), `customer`, `country`, `description` (text or null).
    Raises ConfigError for a file that is no export of this mapping, and for the first row that cannot be placed.
    """
    names = mapping.columns
    raw = _read(file, mapping)
    nothing = pl.repeat(None, raw.height, dtype=pl.String, eager=True)
    optional = {"customer": names.customer, "country": names.country, "description": names.description}
    try:
        return pl.DataFrame(
            {
                "invoice": _complete(file, _text(raw[names.invoice])),
                "sku": _complete(file, _text(raw[names.sku])),
                "quantity": _whole_numbers(file, raw[names.quantity]),
                "unit_price": _decimals(file, raw[names.unit_price]),
                "time": _times(file, raw[names.time], mapping.time_formats),
                **{key: _text(raw[name]) if name else nothing for key, name in optional.items()},
            }
        )
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{file}: {_first_line(error)}") from error


def _read(file: Path, mapping: Mapping) -> pl.DataFrame:
    # Polars reads UTF-8 itself under this very name; any other name goes through Python's codecs, in memory.
    encoding = "utf8" if codecs.lookup(mapping.csv.encoding).name == "utf-8" else mapping.csv.encoding
    csv: dict[str, Any] = {
        "separator": mapping.csv.separator,
        "encoding": encoding,
        "infer_schema": False,
        "glob": False,  # "export[1].csv" is a name, not a pattern
    }
    try:
        if file.name.lower().endswith(PARQUET):
            held = list(pl.read_parquet_schema(file))
            return pl.read_parquet(file, columns=_wanted(file, mapping, held), glob=False)
        if file.name.lower().endswith(CSV):
            held = pl.read_csv(file, n_rows=0, **csv).columns
            return pl.read_csv(file, columns=_wanted(file, mapping, held), **csv)
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        hint = "; [csv] encoding in the mapping says otherwise" if "utf-8" in str(error) else ""
        raise ConfigError(f"{file}: not readable: {_first_line(error)}{hint}") from error
    raise ConfigError(f"{file}: the name ends neither in {PARQUET[0]} nor in {CSV[0]}: export it as one of them")


def _wanted(file: Path, mapping: Mapping, held: list[str]) -> list[str]:
    wanted = {key: name for key, name in msgspec.structs.asdict(mapping.columns).items() if name}
    for key, name in wanted.items():
        if name not in held:
            raise ConfigError(f"{file}: no column {name!r} (the mapping's {key}); it has {', '.join(held)}")
    return sorted(set(wanted.values()))


def _text(column: pl.Series) -> pl.Series:
    """As text, nothing for "". Numbers that a spreadsheet made of codes (17850.0) lose the point again."""
    if column.dtype.is_float() and (column.drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64)
    text = column.cast(pl.String)
    return text.set(text == "", None)


def _complete(file: Path, column: pl.Series) -> pl.Series:
    return _refuse(file, column, column.is_null(), "is empty; every row needs one")


def _whole_numbers(file: Path, column: pl.Series) -> pl.Series:
    whole = column.cast(pl.Int64, strict=False)
    bad = whole.is_null() | (whole != column if column.dtype.is_numeric() else False)
    _refuse(file, column, bad, "is no whole number")
    return whole


def _decimals(file: Path, column: pl.Series) -> pl.Series:
    """Prices as the shortest decimal text: exact for text and decimals, what was typed for binary floats."""
    text = column.cast(pl.String).str.strip_chars()
    bad = [value for value in text.unique() if value is None or not _is_decimal(value)]
    _refuse(file, column, text.is_in(bad, nulls_equal=True), "is no number such as 2.55")
    return text


def _is_decimal(text: str) -> bool:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return False
    return value.is_finite() and (not value or abs(value.adjusted()) <= _LARGEST_EXPONENT)


def _times(file: Path, column: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    if column.dtype == pl.String:
        parsed = pl.repeat(None, len(column), dtype=pl.Datetime("us"), eager=True)
        for form in formats:
            read = column.str.to_datetime(form, strict=False, time_unit="us")
            parsed = read if parsed.is_null().all() else parsed.zip_with(parsed.is_not_null(), read)
        _refuse(file, column, parsed.is_null(), f"is no time written as {' or '.join(formats)}")
        return _in_calendar(file, parsed.rename(column.name))
    if not column.dtype.is_temporal():
        raise ConfigError(f"{file}: column {column.name!r} holds {column.dtype}, not times")
    _complete(file, column)
    zone = getattr(column.dtype, "time_zone", None)
    _in_calendar(file, column)
    return column.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC")) if zone else column.cast(pl.Datetime("us"))


def _in_calendar(file: Path, times: pl.Series) -> pl.Series:
    return _refuse(file, times, ~times.dt.year().is_between(*_YEARS), f"is not in the years {_YEARS[0]} to {_YEARS[1]}")


def _refuse(file: Path, column: pl.Series, bad: pl.Series, complaint: str) -> pl.Series:
    """The column itself, if no row of it is `bad`."""
    first = bad.arg_max()
    if first is not None and bad[first]:
        more = f" ({bad.sum():,} such rows)" if bad.sum() > 1 else ""
        raise ConfigError(f"{file}: row {first + 1}: {column.name} {column[first]!r} {complaint}{more}")
    return column


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
