"""Delimited text, CSV and JSON as records: the fields of a row, and where it stands in its file.

Sources: Redshift Database Developer Guide, "Data format parameters", "COPY from JSON format".
"""

import bz2
import csv
import gzip
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa

from infra.local.redshift.actions import Copy, Text
from infra.local.redshift.data.columns import Column
from infra.local.redshift.errors import SqlError

LONGEST_ROW = 4 << 20  # bytes. Source: "COPY", "The maximum size of a single input row from any source is 4 MB"
_Show = Callable[[Any], str | None]
_STEP = re.compile(r"\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]|\.([^.\[\]']+)")

csv.field_size_limit(LONGEST_ROW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row as it was read. A field is None for JSON's null and what is not there."""

    line: int  # from 1, of its end
    fields: Sequence[str | None]
    raw: str
    broken: str = ""  # why it cannot be read at all


def opened_text(file: IO[bytes], copy: Copy) -> io.TextIOBase:
    """Lines of text, with their ends; bytes that the encoding does not have become surrogates."""
    stream: Any = file
    if copy.compression == "gzip":
        stream = gzip.GzipFile(fileobj=file)
    elif copy.compression == "bzip2":
        stream = bz2.BZ2File(file)
    elif copy.compression == "zstd":
        stream = io.BufferedReader(_Decompressed(file))
    return io.TextIOWrapper(stream, encoding=copy.text.encoding, errors="surrogateescape", newline="\n")


class _Decompressed(io.RawIOBase):
    """Zstandard, as a stream."""

    def __init__(self, file: IO[bytes]) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def records(lines: io.TextIOBase, copy: Copy, paths: "JsonPaths | None") -> Iterator[Record]:
    """The rows of one file. Raises SqlError for a row over the limit."""
    if paths:
        return _json_records(lines, paths)
    return _csv_records(lines, copy.text) if copy.text.csv else _text_records(lines, copy.text)


def _csv_records(lines: io.TextIOBase, text: Text) -> Iterator[Record]:
    for _ in itertools.islice(lines, text.ignore_header):
        pass
    reader = csv.reader(lines, delimiter=text.delimiter, quotechar=text.quote, doublequote=True)
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield Record(line=reader.line_num + text.ignore_header, fields=(), raw="", broken=f"Invalid CSV: {error}")
            continue
        if fields is None:
            return
        if not fields:
            if text.ignore_blank_lines:
                continue
            fields = [""]
        yield Record(line=reader.line_num + text.ignore_header, fields=fields, raw=text.delimiter.join(fields))


def _text_records(lines: io.TextIOBase, text: Text) -> Iterator[Record]:
    plain = not (text.escape or text.remove_quotes)
    pending = ""
    for number, line in enumerate(lines, 1):
        if number <= text.ignore_header:
            continue
        pending += line
        if len(pending) > LONGEST_ROW:
            raise SqlError("XX000", f"the row that ends in line {number} is longer than {LONGEST_ROW} bytes")
        body = _body(pending, text)
        if text.escape and _ends_escaped(body) and pending != body:
            continue
        pending = ""
        if not body and text.ignore_blank_lines:
            continue
        fields = body.split(text.delimiter) if plain else _fields(body, text)
        yield Record(line=number, fields=fields, raw=body)


def _body(line: str, text: Text) -> str:
    """Without the end of line; an escaped carriage return belongs to the field."""
    body = line.removesuffix("\n")
    shorter = body.removesuffix("\r")
    return body if text.escape and body != shorter and _ends_escaped(shorter) else shorter


def _ends_escaped(body: str) -> bool:
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _fields(body: str, text: Text) -> list[str]:
    """Split with ESCAPE and REMOVEQUOTES. An escaped character stands for itself; \\N stays the sign of NULL."""
    found, field, quote, place = [], "", "", 0
    while place < len(body):
        character = body[place]
        if text.escape and character == "\\" and place + 1 < len(body):
            field += body[place : place + 2] if body[place + 1] == "N" and not field else body[place + 1]
            place += 2
            continue
        if text.remove_quotes and not quote and not field and character in "'\"":
            quote = character
        elif quote and character == quote and body[place + 1 : place + 2] in ("", text.delimiter):
            quote = ""
        elif character == text.delimiter and not quote:
            found.append(field)
            field = ""
        else:
            field += character
        place += 1
    return [*found, field]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPaths:
    """How the columns are found in a JSON value."""

    read: Callable[[Any], list[str | None]]


def json_paths(copy: Copy, columns: Sequence[Column], expressions: bytes | None) -> JsonPaths:
    """`expressions` is the jsonpaths file, where one is named. Raises SqlError."""
    shown = [_as_json if column.type == "jsonb" else _as_text for column in columns]
    if copy.json_paths == "noshred":
        return JsonPaths(read=lambda value: [shown[0](value)])
    if expressions is None:
        names = [column.name for column in columns]
        fold = copy.json_paths == "auto ignorecase"
        return JsonPaths(read=lambda value: _by_name(value, names, shown, fold=fold))
    try:
        steps = [_steps(expression) for expression in json.loads(expressions)["jsonpaths"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SqlError("XX000", f"Invalid JSONPath format in {copy.json_paths}") from error
    if len(steps) != len(columns):
        raise SqlError(
            "XX000",
            f"Number of jsonpaths and the number of columns should match. JSONPath size: {len(steps)}, "
            f"Number of columns in table or column list: {len(columns)}",
        )
    return JsonPaths(read=lambda value: [show(_at(value, path)) for show, path in zip(shown, steps, strict=True)])


def _by_name(value: Any, names: Sequence[str], shown: Sequence[_Show], *, fold: bool) -> list[str | None]:
    if not isinstance(value, dict):
        raise ValueError("Invalid JSON: 'auto' needs an object")
    if fold:
        value = {name.lower(): item for name, item in value.items()}
    return [show(value.get(name)) for name, show in zip(names, shown, strict=True)]


def _steps(expression: str) -> list[str | int]:
    rest, found = expression.removeprefix("$"), []
    place = 0
    while place < len(rest):
        match = _STEP.match(rest, place)
        if not match:
            raise ValueError(expression)
        found.append(int(match[3]) if match[3] else match[1] or match[2] or match[4])
        place = match.end()
    return found


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _as_text(value: Any) -> str | None:
    """A string is itself; an object or an array is its JSON."""
    return value if value is None or isinstance(value, str) else _as_json(value)


def _as_json(value: Any) -> str | None:
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def _json_records(lines: io.TextIOBase, paths: JsonPaths) -> Iterator[Record]:
    """One JSON value after the other, whatever lines they are on."""
    decoder = json.JSONDecoder(parse_float=_decimal)
    pending, number = "", 0
    for number, line in enumerate(lines, 1):
        pending = (pending + line).lstrip()
        while pending:
            try:
                value, end = decoder.raw_decode(pending)
            except ValueError:
                break
            yield _json_record(value, pending[:end], number, paths)
            pending = pending[end:].lstrip().removeprefix(",").lstrip()
        if pending and (len(pending) > LONGEST_ROW or (line.rstrip().endswith("}") and _closed(pending))):
            yield Record(line=number, fields=(), raw=pending[:1024], broken="Invalid JSON")
            pending = ""
    if pending:
        yield Record(line=number, fields=(), raw=pending[:1024], broken="Invalid JSON")


def _decimal(text: str) -> Any:
    """A number is kept as it is written: a float may not hold all its digits."""
    return Decimal(text)


def _closed(pending: str) -> bool:
    return pending.count("{") <= pending.count("}")


def _json_record(value: Any, raw: str, number: int, paths: JsonPaths) -> Record:
    try:
        return Record(line=number, fields=paths.read(value), raw=raw)
    except ValueError as error:
        return Record(line=number, fields=(), raw=raw, broken=str(error))
