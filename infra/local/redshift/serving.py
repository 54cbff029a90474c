"""The statements that PostgreSQL cannot run by itself: COPY, UNLOAD, and what takes several of its statements."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.local.redshift import replies
from infra.local.redshift.actions import Copy, Plain, Unload
from infra.local.redshift.backend import Backend
from infra.local.redshift.copying import run_copy
from infra.local.redshift.errors import BackendError, BackendGone, ClientGone, SqlError
from infra.local.redshift.history import Begun, History
from infra.local.redshift.loads import LoadFailed
from infra.local.redshift.s3 import S3
from infra.local.redshift.unloading import run_unload


@dataclass(frozen=True, slots=True)
class Served:
    """A prepared statement of one of these kinds. It has no parameters and no rows."""

    statement: Plain | Copy | Unload


class Server:
    """Runs them in the client's own transaction, or one of their own when it has none."""

    def __init__(self, s3: S3, history: History) -> None:
        self._s3 = s3
        self._history = history

    def run(self, served: Served, backend: Backend) -> bytes:
        """Run to the end. Returns the notices and the CommandComplete. Raises SqlError."""
        statement = served.statement
        if isinstance(statement, Plain):
            return _script(statement, backend)
        if isinstance(statement, Unload):
            unload = statement
            rows = _in_transaction(backend, lambda: run_unload(unload, backend, self._s3))
            return replies.information(f"UNLOAD completed, {rows} record(s) unloaded successfully.") + replies.command(
                "UNLOAD"
            )
        return self._copy(statement, backend)

    def _copy(self, copy: Copy, backend: Backend) -> bytes:
        begun = self._history.begin(backend)

        def load() -> int:
            result = run_copy(copy, backend, self._s3)
            _remember(backend, begun, result.rows)
            self._history.loaded(backend, begun, copy, result)
            return int(result.rows)

        try:
            rows = _in_transaction(backend, load)
        except SqlError as error:
            self._history.failed(backend, begun, copy, error)
            if isinstance(error, LoadFailed):
                backend.when_idle = lambda: _remember(backend, begun, 0)
            raise
        text = f"Load into table '{copy.table[-1]}' completed, {rows} record(s) loaded successfully."
        return replies.information(text) + replies.command("COPY")


def _script(statement: Plain, backend: Backend) -> bytes:
    if statement.outside_block and backend.in_transaction:
        raise SqlError("25001", f"{statement.outside_block} cannot run inside a transaction block")
    tag = backend.script(statement.sql)
    if statement.commits and backend.in_transaction:
        backend.script("commit")
    return replies.command(statement.tag or tag)


def _in_transaction(backend: Backend, work: Callable[[], int]) -> int:
    """Do `work` in the transaction that is open, else in one that ends with it."""
    if backend.in_transaction:
        return work()
    backend.script("begin")
    try:
        done = work()
        backend.script("commit")
    except (BackendGone, ClientGone):
        raise
    except Exception as error:
        if isinstance(error, BackendError) and error.fatal:
            raise
        backend.script("rollback")
        raise
    return done


def _remember(backend: Backend, begun: Begun, rows: int) -> None:
    """For pg_last_copy_id() and pg_last_copy_count(); undone with the transaction."""
    backend.query(
        "select set_config('rs.last_copy_id', $1, false), set_config('rs.last_copy_count', $2, false)",
        begun.number,
        str(rows),
    )
