"""What COPY has done and failed at, as the STL and SYS views tell it: kept whatever becomes of its transaction."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra.local.redshift.actions import Copy
from infra.local.redshift.backend import Backend, Upstream
from infra.local.redshift.errors import BackendError, BackendGone, SqlError
from infra.local.redshift.loads import CopyResult, LoadError, LoadFailed
from infra.local.redshift.postgres import SUPERUSER

_log = logging.getLogger(__name__)

_LOAD = (
    "insert into redshift_system.loads"
    " (query, started, username, pid, tablename, source, failure, rows, bytes, files, errors)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
)
_FILE = "insert into redshift_system.files (query, name, rows, bytes) values ($1, $2, $3, $4)"
_ERROR = (
    "insert into redshift_system.errors (query, started, username, tablename, filename, line_number, colname, coltype,"
    " col_length, position, raw_line, raw_field_value, err_code, err_reason)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A COPY that has begun: its query number and when that was, as PostgreSQL writes a time."""

    number: str
    at: str


class History:
    """The log of loads in each database, written over sessions of its own."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def begin(self, backend: Backend) -> Begun:
        """A new query number."""
        with self._session(backend) as log:
            number, at = log.query(
                "select nextval('redshift_system.query_number'), clock_timestamp() at time zone 'utc'"
            )[0]
        return Begun(number=number or "", at=at or "")

    def loaded(self, backend: Backend, begun: Begun, copy: Copy, result: CopyResult) -> None:
        self._write(backend, begun, copy, failure="", result=result)

    def failed(self, backend: Backend, begun: Begun, copy: Copy, error: SqlError) -> None:
        errors = error.errors if isinstance(error, LoadFailed) else ()
        self._write(backend, begun, copy, failure=error.message, result=CopyResult(rows=0, errors=errors))

    def _write(self, backend: Backend, begun: Begun, copy: Copy, *, failure: str, result: CopyResult) -> None:
        """A log that cannot be written must not fail a load: it is said on stderr and the load stands."""
        table = ".".join(copy.table)
        size = sum(file.size_bytes for file in result.files)
        counts = (str(result.rows), str(size), str(len(result.files)), str(len(result.errors)))
        source = f"s3://{copy.bucket}/{copy.key}"
        started = (begun.number, begun.at, backend.user)
        try:
            with self._session(backend) as log:
                log.script("begin")
                log.query(_LOAD, *started, str(backend.pid), table, source, failure, *counts)
                for file in result.files:
                    log.query(_FILE, begun.number, file.name, str(file.rows), str(file.size_bytes))
                for found in result.errors:
                    log.query(_ERROR, *started, table, *_columns(found))
                log.script("commit")
        except (BackendError, BackendGone, OSError) as error:
            _log.warning("the load log was not written: %s", error)

    @contextmanager
    def _session(self, backend: Backend) -> Iterator[Backend]:
        log = self._upstream.connect(user=SUPERUSER, database=backend.database)
        try:
            yield log
        finally:
            log.close()


def _columns(error: LoadError) -> tuple[str, ...]:
    return (
        error.file_name,
        str(error.line_number),
        error.column_name,
        error.column_type,
        error.column_length,
        str(error.position),
        error.raw_line[:1024],
        error.raw_field_value[:1024],
        str(error.code),
        error.reason,
    )
