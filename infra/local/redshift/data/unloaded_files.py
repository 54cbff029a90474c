"""The files of an UNLOAD: rows written in a format, a new file when one is full.

Source: Redshift Database Developer Guide, "UNLOAD", FORMAT, HEADER, NULL, ESCAPE, ADDQUOTES, MAXFILESIZE.
"""

import bz2
import datetime as dt
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from infra.local.redshift.actions import Unload
from infra.local.redshift.data.columns import Column
from infra.local.redshift.data.unloaded_types import Shape

Row = Sequence[str | None]

_ROW_GROUP = 65_536  # rows
_BUFFER = 1 << 20  # characters


class Writer(Protocol):
    """One file being written."""

    def write(self, row: Row) -> int:
        """Add a row. Returns the bytes of the file so far, roughly."""
        ...

    def close(self) -> None:
        """Bring all of it into the file."""
        ...


class Files:
    """Temporary files, one at a time. A context manager."""

    def __init__(self, open_writer: Callable[[IO[bytes]], Writer], largest_bytes: int) -> None:
        self._open_writer = open_writer
        self._largest = largest_bytes
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def of(self, rows: Iterator[Row]) -> Iterator[tuple[IO[bytes], int]]:
        """Each full file with its number of rows; it is closed when the next one is asked for."""
        writer: Writer | None = None
        count = 0
        for row in rows:
            if writer is None:
                writer, count = self._opened(), 0
            size = writer.write(row)
            count += 1
            if size >= self._largest:
                yield self._closed(writer), count
                writer = None
        if writer is not None:
            yield self._closed(writer), count

    def empty(self) -> bytes:
        """A file without rows."""
        file = self._closed(self._opened())
        file.seek(0)
        return file.read()

    def _opened(self) -> Writer:
        if self._file:
            self._file.close()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed above and in __exit__)
        return self._open_writer(self._file)

    def _closed(self, writer: Writer) -> IO[bytes]:
        assert self._file
        writer.close()
        return self._file


def file_writer(unload: Unload, shape: Shape, names: Sequence[str]) -> Callable[[IO[bytes]], Writer]:
    """What opens a file in the format asked for."""
    by_name = {column.name: column for column in shape.columns}
    columns = [by_name[name] for name in names]
    if unload.format == "parquet":
        schema = shape.arrow(names)
        return lambda file: _ParquetFile(file, schema, columns)
    line = _json_line(columns) if unload.format == "json" else _text_line(unload, columns)
    header = _header(unload, names)
    return lambda file: _TextFile(file, line, header, unload.compression)


class _TextFile:
    def __init__(self, file: IO[bytes], line: Callable[[Row], str], header: str, compression: str) -> None:
        self._stream, self._finish = _compressed(file, compression)
        self._line = line
        self._pending: list[str] = [header] if header else []
        self._length = 0
        self._size = 0

    def write(self, row: Row) -> int:
        line = self._line(row)
        self._pending.append(line)
        self._length += len(line)
        if self._length >= _BUFFER:
            self._flush()
        return self._size + self._length

    def close(self) -> None:
        self._flush()
        self._finish()

    def _flush(self) -> None:
        data = "".join(self._pending).encode()
        self._stream.write(data)
        self._size += len(data)
        self._pending, self._length = [], 0


def _compressed(file: IO[bytes], compression: str) -> tuple[Any, Callable[[], object]]:
    """What to write to, and what to call at the end; `file` itself stays open."""
    if compression == "gzip":
        stream: Any = gzip.GzipFile(fileobj=file, mode="wb", mtime=0)
    elif compression == "bzip2":
        stream = bz2.BZ2File(file, "wb")
    elif compression == "zstd":
        stream = pa.CompressedOutputStream(pa.PythonFile(_KeptOpen(file), mode="w"), "zstd")
    else:
        return file, file.flush
    return stream, stream.close


class _KeptOpen:
    """A file that is not closed by what writes to it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.write = file.write
        self.flush = file.flush
        self.tell = file.tell

    def close(self) -> None:
        self.flush()


def _header(unload: Unload, names: Sequence[str]) -> str:
    if not unload.header:
        return ""
    shown = [f'"{name}"' if unload.add_quotes else name for name in names]
    return unload.text.delimiter.join(shown) + "\n"


def _text_line(unload: Unload, columns: Sequence[Column]) -> Callable[[Row], str]:
    text = unload.text
    null = text.null_as or ""
    field = _csv_field(text.delimiter) if text.csv else _field(unload)
    supers = [column.type == "jsonb" for column in columns]

    def line(row: Row) -> str:
        values = (
            ("null" if is_super and text.csv else null) if value is None else field(value)
            for value, is_super in zip(row, supers, strict=True)
        )
        return text.delimiter.join(values) + "\n"

    return line


def _csv_field(delimiter: str) -> Callable[[str], str]:
    special = {delimiter, '"', "\n", "\r"}

    def field(value: str) -> str:
        if special.isdisjoint(value):
            return value
        return '"' + value.replace('"', '""') + '"'

    return field


def _field(unload: Unload) -> Callable[[str], str]:
    special = {"\\", "\n", "\r", unload.text.delimiter} | ({'"', "'"} if unload.add_quotes else set())
    escapes = str.maketrans({character: "\\" + character for character in special})

    def field(value: str) -> str:
        if unload.text.escape:
            value = value.translate(escapes)
        return f'"{value}"' if unload.add_quotes else value

    return field


def _json_line(columns: Sequence[Column]) -> Callable[[Row], str]:
    shown = [_json_value(column.type) for column in columns]
    names = [json.dumps(column.name, ensure_ascii=False) for column in columns]

    def line(row: Row) -> str:
        parts = (
            f"{name}:{'null' if value is None else show(value)}"
            for name, show, value in zip(names, shown, row, strict=True)
        )
        return "{" + ",".join(parts) + "}\n"

    return line


def _json_value(kind: str) -> Callable[[str], str]:
    if kind in ("smallint", "integer", "bigint", "numeric", "jsonb"):
        return str
    if kind in ("real", "double precision"):
        return lambda value: value if value.lstrip("-")[:1].isdigit() else json.dumps(value)
    return lambda value: json.dumps(value, ensure_ascii=False)


class _ParquetFile:
    """Row groups of a fixed number of rows, Snappy."""

    def __init__(self, file: IO[bytes], schema: Any, columns: Sequence[Column]) -> None:
        self._file = file
        self._schema = schema
        self._convert = [_PYTHON.get(column.type, str) for column in columns]
        self._writer = pq.ParquetWriter(file, schema, compression="snappy", version="2.6")
        self._rows: list[Row] = []

    def write(self, row: Row) -> int:
        self._rows.append(row)
        if len(self._rows) >= _ROW_GROUP:
            self._flush()
        return self._file.tell()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        arrays = [
            pa.array([None if value is None else convert(value) for value in values], field.type)
            for values, convert, field in zip(zip(*self._rows, strict=True), self._convert, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


_PYTHON: dict[str, Callable[[str], Any]] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "real": float,
    "double precision": float,
    "boolean": lambda value: value == "t",
    "date": dt.date.fromisoformat,
    "timestamp without time zone": dt.datetime.fromisoformat,
    "timestamp with time zone": dt.datetime.fromisoformat,
}
