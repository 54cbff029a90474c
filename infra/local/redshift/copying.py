"""COPY: objects of S3 into a table, on the client's own session."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from infra.local.redshift.actions import Copy
from infra.local.redshift.data.columns import Column, Queries, target_columns
from infra.local.redshift.data.parquet_rows import parquet_chunks
from infra.local.redshift.data.records import JsonPaths, json_paths
from infra.local.redshift.data.sources import source_objects
from infra.local.redshift.data.text_rows import TextRows
from infra.local.redshift.errors import SqlError
from infra.local.redshift.loads import CopyResult, LoadedFile
from infra.local.redshift.s3 import S3
from infra.local.redshift.sql.tokens import quoted


class Session(Queries, Protocol):
    """The client's session: what is copied in belongs to its transaction."""

    def copy_in(self, sql: str, chunks: Iterable[bytes]) -> int: ...


def run_copy(copy: Copy, backend: Session, s3: S3) -> CopyResult:
    """Load all objects or nothing; within MAXERROR, all rows but the faulty ones. Raises LoadFailed, SqlError."""
    load = _Load(copy, target_columns(copy, backend), s3)
    if copy.no_load:
        for _ in load.chunks():
            pass
        rows = 0
    else:
        names = ", ".join(quoted(column.name) for column in load.columns)
        rows = backend.copy_in(f"COPY {quoted(*copy.table)} ({names}) FROM STDIN (FORMAT csv)", load.chunks())
    return CopyResult(rows=rows, files=tuple(load.files), errors=tuple(load.text.errors))


class _Load:
    """One COPY under way: `files` grows as objects are read to their ends."""

    def __init__(self, copy: Copy, columns: list[Column], s3: S3) -> None:
        self._copy = copy
        self._s3 = s3
        self._objects = source_objects(copy, s3)
        self.columns = columns
        self.files: list[LoadedFile] = []
        self.text = TextRows(columns, copy, _paths(copy, columns, s3))

    def chunks(self) -> Iterator[bytes]:
        """CSV for PostgreSQL. Raises LoadFailed, SqlError."""
        for found in self._objects:
            rows = 0
            with self._s3.opened(found) as file:
                if self._copy.format == "parquet":
                    chunks = parquet_chunks(file, found, self.columns, self._copy)
                else:
                    chunks = self.text.chunks(file, found)
                for chunk, count in chunks:
                    rows += count
                    yield chunk
            self.files.append(LoadedFile(name=found.url, rows=rows, size_bytes=found.size))


def _paths(copy: Copy, columns: list[Column], s3: S3) -> JsonPaths | None:
    if copy.format != "json":
        return None
    if not copy.json_paths.startswith("s3://"):
        return json_paths(copy, columns, None)
    bucket, _, key = copy.json_paths[5:].partition("/")
    expressions = s3.read(bucket, key)
    if expressions is None:
        raise SqlError("XX000", f"the jsonpaths file is not there: {copy.json_paths}")
    return json_paths(copy, columns, expressions)
