"""Parquet objects as rows for a table.

Source: Redshift Database Developer Guide, "COPY from columnar data formats": columns by their order, their count the
same, the first error fails the command.
"""

import io
import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from infra.local.redshift.actions import Copy
from infra.local.redshift.data.columns import Column
from infra.local.redshift.loads import LoadError, LoadFailed
from infra.local.redshift.s3 import Object

_ROWS = 32_768  # of one batch: some 10 MB of ordinary rows
_CSV = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
_SPECTRUM = "XX000"  # the SQLSTATE of "Spectrum Scan Error"
_INTEGERS = {
    "smallint": (pa.int8(), pa.int16()),
    "integer": (pa.int8(), pa.int16(), pa.int32()),
    "bigint": (pa.int64(),),
}
_SAME = {"real": pa.float32(), "double precision": pa.float64(), "boolean": pa.bool_(), "date": pa.date32()}


def parquet_chunks(
    file: IO[bytes], source: Object, columns: Sequence[Column], copy: Copy
) -> Iterator[tuple[bytes, int]]:
    """CSV for PostgreSQL, and how many rows it holds; NULL is an empty field without quotes.

    One batch of one row group is in memory at a time. Raises LoadFailed.
    """
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
        filled = _matched(schema, source, columns, copy)
        for batch in parquet.iter_batches(batch_size=_ROWS, use_threads=False):
            if batch.num_rows:
                yield _csv(batch, source, columns[: len(columns) - filled], filled, copy), batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise _failed(source, f"File is not a valid Parquet file or is damaged: {error}", None) from error


def _matched(schema: pa.Schema, source: Object, columns: Sequence[Column], copy: Copy) -> int:
    """Check names of nothing, but the count and the types. Returns how many columns at the end are missing."""
    missing = len(columns) - len(schema)
    if missing < 0 or (missing > 0 and not copy.text.fill_record):
        raise _failed(
            source,
            "Unmatched number of columns between table and file. "
            f"Table columns: {len(columns)}, Data columns: {len(schema)}, File name: {source.url}",
            None,
        )
    for column, field in zip(columns, schema, strict=False):
        if not _compatible(column, field.type, copy):
            raise _failed(
                source,
                f"File '{source.url}' has an incompatible Parquet schema for column '{source.url}.{field.name}'. "
                f"Column type: {_shown(column)}, Parquet schema: {field.type}",
                column,
            )
    return missing


def _compatible(column: Column, found: Any, copy: Copy) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if column.type in _INTEGERS:
        return found in _INTEGERS[column.type]
    if column.type in _SAME:
        return bool(found == _SAME[column.type])
    if column.type == "numeric":
        return bool(pa.types.is_decimal(found) and found.scale == column.scale and found.precision <= column.precision)
    if column.type in ("timestamp without time zone", "timestamp with time zone"):
        return bool(pa.types.is_timestamp(found))
    if column.type in ("character varying", "character"):
        return bool(_is_text(found))
    return column.type == "jsonb" and (copy.serialize_to_json or _is_text(found))


def _is_text(found: Any) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(found) for test in tests)


def _shown(column: Column) -> str:
    length = column.shown_length
    return column.shown_type.upper() + (f"({length})" if length else "")


def _csv(batch: Any, source: Object, columns: Sequence[Column], filled: int, copy: Copy) -> bytes:
    arrays = [_values(array, column, source, copy) for array, column in zip(batch.columns, columns, strict=True)]
    arrays += [pa.nulls(batch.num_rows)] * filled
    names = [str(place) for place in range(len(arrays))]
    out = io.BytesIO()
    pa.csv.write_csv(pa.RecordBatch.from_arrays(arrays, names=names), out, _CSV)
    return out.getvalue()


def _values(array: Any, column: Column, source: Object, copy: Copy) -> Any:
    if column.required and array.null_count:
        raise _failed(source, f"Cannot insert a NULL value into column {column.name}", column, sqlstate="23502")
    if column.type in ("character varying", "character"):
        return _text(array, column, source, copy)
    if column.type == "jsonb":
        return pa.array([None if item is None else _json(item) for item in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(array.type):
        return _times(array, column, source)
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    return array


def _text(array: Any, column: Column, source: Object, copy: Copy) -> Any:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return array
    if not pa.types.is_string(array.type):
        array = _decoded(array, column, source, copy)
    longest = pc.max(pc.binary_length(array)).as_py() or 0
    if column.size and longest > column.size:
        raise _failed(
            source,
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {column.size}, Data: {longest}, File name: {source.url}",
            column,
        )
    if column.type == "character" and pc.all(pc.string_is_ascii(array)).as_py() not in (True, None):
        raise _failed(source, f"CHAR column {column.name} holds a character of several bytes", column)
    return array


def _decoded(array: Any, column: Column, source: Object, copy: Copy) -> Any:
    """Bytes without a declared encoding have to be UTF-8."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid as error:
        if not copy.replacement:
            raise _failed(source, f"Invalid UTF-8 in column {column.name}", column) from error
    replaced = [None if item is None else replaced_bytes(item, copy.replacement) for item in array.to_pylist()]
    return pa.array(replaced, pa.string())


def replaced_bytes(data: bytes, replacement: str) -> str:
    """UTF-8 with `replacement` for each byte that is none."""
    return data.decode("utf-8", errors="surrogateescape").translate(dict.fromkeys(range(0xDC80, 0xDD00), replacement))


def _times(array: Any, column: Column, source: Object) -> Any:
    """Microseconds of UTC."""
    zone = "UTC" if column.type == "timestamp with time zone" else None
    try:
        moments = array.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    except pa.ArrowInvalid as error:
        raise _failed(source, f"A time in column {column.name} is out of range", column) from error
    return moments.cast(pa.int64()).cast(pa.timestamp("us", tz=zone))


def _json(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False, default=str, separators=(",", ":"))


def _failed(source: Object, reason: str, column: Column | None, *, sqlstate: str = _SPECTRUM) -> LoadFailed:
    error = LoadError(
        file_name=source.url,
        reason=reason,
        code=15007,
        column_name=column.name if column else "",
        column_type=column.shown_type if column else "",
        column_length=column.shown_length if column else "",
    )
    message = reason if sqlstate != _SPECTRUM else f"Spectrum Scan Error: {reason}"
    return LoadFailed(sqlstate, message, errors=[error])
