"""UNLOAD: a query's rows into objects of S3. Source: Redshift Database Developer Guide, "UNLOAD"."""

import itertools
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from infra.local.redshift.actions import Unload
from infra.local.redshift.data.unloaded_files import Files, Row, file_writer
from infra.local.redshift.data.unloaded_types import Script, Shape, shape_of
from infra.local.redshift.errors import SqlError
from infra.local.redshift.s3 import S3
from infra.local.redshift.sql.tokens import quoted

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class Session(Script, Protocol):
    """The client's session: the query sees what its transaction sees."""

    def copy_out(self, sql: str) -> Generator[bytes, None, None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """An object that was written."""

    key: str
    rows: int
    size: int  # bytes


def run_unload(unload: Unload, backend: Session, s3: S3) -> int:
    """Write all rows; returns their number. Raises SqlError."""
    prefix = unload.prefix
    if unload.partition_by and not prefix.endswith("/"):
        prefix += "/"
    shape = shape_of(unload.sql, backend)
    missing = [name for name in unload.partition_by if name not in shape.names]
    if missing:
        raise SqlError("42703", f'partition column "{missing[0]}" is not in the query')
    if not unload.partition_by:
        _make_room(unload, prefix, s3)
    written: list[_Written] = []
    with closing(backend.copy_out(f"COPY ({_sorted(unload)}) TO STDOUT")) as lines:
        for folder, rows in _partitions(unload, shape, (_row(line) for line in lines)):
            if folder:
                _make_room(unload, prefix + folder, s3)
            written += _write(unload, shape, prefix + folder, rows, s3)
    if not written and not unload.partition_by:
        written = _write_nothing(unload, shape, prefix, s3)
    if unload.manifest:
        s3.put(unload.bucket, f"{prefix}manifest", _manifest(unload, shape, written))
    return sum(file.rows for file in written)


def _make_room(unload: Unload, prefix: str, s3: S3) -> None:
    found = [] if unload.overwrite else s3.find(unload.bucket, prefix)
    if found and not unload.clean:
        raise SqlError(
            "XX000",
            "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually "
            "removing the target files in S3, or using the ALLOWOVERWRITE option.",
        )
    s3.delete(unload.bucket, [file.key for file in found])


def _sorted(unload: Unload) -> str:
    """The query, with the rows of a partition in a row."""
    if not unload.partition_by:
        return unload.sql
    keys = ", ".join(quoted(name) for name in unload.partition_by)
    return f"SELECT * FROM ({unload.sql}) AS unloaded ORDER BY {keys}"


def _partitions(unload: Unload, shape: Shape, rows: Iterator[Row]) -> Iterator[tuple[str, Iterator[Row]]]:
    """Folders with their rows, one after the other."""
    if not unload.partition_by:
        first = next(rows, None)
        if first is not None:
            yield "", itertools.chain([first], rows)
        return
    places = [shape.names.index(name) for name in unload.partition_by]
    kept = [place for place in range(len(shape.names)) if unload.include_partitions or place not in places]
    for values, group in itertools.groupby(rows, key=lambda row: tuple(row[place] for place in places)):
        folder = "".join(
            f"{name}={_NULL_PARTITION if value is None else quote(value, safe=' :')}/"
            for name, value in zip(unload.partition_by, values, strict=True)
        )
        yield folder, ([row[place] for place in kept] for row in group)


def _row(line: bytes) -> Row:
    """A line of PostgreSQL's text format."""
    fields = line.decode().rstrip("\n").split("\t")
    return [None if field == r"\N" else _plain(field) if "\\" in field else field for field in fields]


def _plain(field: str) -> str:
    parts = iter(field.split("\\"))
    found = [next(parts)]
    for part in parts:
        if part:
            found.append(_ESCAPES.get(part[0], part[0]) + part[1:])
        else:  # two in a row: one backslash, and what follows is plain
            found.append("\\" + next(parts, ""))
    return "".join(found)


def _columns(unload: Unload, shape: Shape) -> list[str]:
    return [name for name in shape.names if unload.include_partitions or name not in unload.partition_by]


def _write(unload: Unload, shape: Shape, prefix: str, rows: Iterator[Row], s3: S3) -> list[_Written]:
    written = []
    names = _columns(unload, shape)
    with Files(file_writer(unload, shape, names), unload.largest_bytes) as files:
        for part, (file, count) in enumerate(files.of(rows)):
            key = _key(unload, prefix, part)
            size = file.seek(0, 2)
            file.seek(0)
            s3.upload(unload.bucket, key, file)
            written.append(_Written(key=key, rows=count, size=size))
    return written


def _write_nothing(unload: Unload, shape: Shape, prefix: str, s3: S3) -> list[_Written]:
    """No rows: an empty text file, and no file of the other formats."""
    if unload.format != "text":
        return []
    key = _key(unload, prefix, 0)
    with Files(file_writer(unload, shape, shape.names), unload.largest_bytes) as files:
        data = files.empty()
    s3.put(unload.bucket, key, data)
    return [_Written(key=key, rows=0, size=len(data))]


def _key(unload: Unload, prefix: str, part: int) -> str:
    name = f"{prefix}0000_part_{part:02d}" if unload.parallel else f"{prefix}{part:03d}"
    if unload.extension:
        return f"{name}.{unload.extension.removeprefix('.')}"
    if unload.format == "parquet":
        return f"{name}.parquet"
    return name + {"": "", "gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}[unload.compression]


def _manifest(unload: Unload, shape: Shape, written: Sequence[_Written]) -> bytes:
    entries: list[dict[str, Any]] = [
        {"url": f"s3://{unload.bucket}/{file.key}", "meta": {"content_length": file.size}} for file in written
    ]
    document: dict[str, Any] = {"entries": entries}
    if unload.verbose:
        for entry, file in zip(entries, written, strict=True):
            entry["meta"]["record_count"] = file.rows
        elements = [{"name": column.name, "type": {"base": column.type}} for column in shape.columns]
        document["schema"] = {"elements": elements}
        document["meta"] = {
            "content_length": sum(file.size for file in written),
            "record_count": sum(file.rows for file in written),
        }
        document["author"] = {"name": "Amazon Redshift", "version": "1.0.0"}
    return json.dumps(document, indent=2).encode()
