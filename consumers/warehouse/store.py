"""The warehouse as the keeper sees it."""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from consumers.keeper.store import Discrepancy, Place
from consumers.manifests import Manifest
from consumers.warehouse.commit import Commit
from consumers.warehouse.connection import Session, connect
from consumers.warehouse.copying import Load, Source, loads_of, manifest_object
from consumers.warehouse.ledger import read_ends
from consumers.warehouse.migrations import MIGRATIONS, require_current
from consumers.warehouse.schema import SCHEMA, Migration, Schema
from consumers.warehouse.trouble import Refused, one_line
from runtime.clock import Clock
from runtime.effects import Effect, no_effect
from runtime.errors import ConfigError
from runtime.objects import Objects
from runtime.outage import Outage
from runtime.settings import Warehouse

_log = logging.getLogger(__name__)
_LOAD_ERROR = (
    "SELECT TRIM(file_name) AS file, TRIM(column_name) AS of_column, TRIM(error_message) AS message"
    " FROM sys_load_error_detail"
    # Process ids are used again: an older session's errors are not ours.
    " WHERE session_id = pg_backend_pid() AND start_time > DATEADD(hour, -1, GETDATE())"
    " ORDER BY start_time DESC LIMIT 1"
)


class Connect(Protocol):
    """How a session is opened."""

    def __call__(self, settings: Warehouse, *, effect: Effect) -> Session: ...


class WarehouseStore:
    """A HistoryStore (see `consumers.keeper.store`): Redshift.

    A connection for each call: between two commits an idle Serverless workgroup may sleep, and none is found dead.
    """

    name = "warehouse"

    def __init__(
        self,
        settings: Warehouse,
        *,
        bucket: str,
        objects: Objects,
        clock: Clock,
        effect: Effect = no_effect,
        connect: Connect = connect,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        schema: Schema = SCHEMA,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        """`objects` is the lake's `bucket`. Raises ConfigError for a bucket or role that cannot be."""
        self._settings = settings
        self._source = Source(bucket=bucket, role=settings.iam_role)
        self._objects = objects
        self._clock = clock
        self._effect = effect
        self._open = connect
        self._new_id = new_id
        self._schema = schema
        self._migrations = migrations

    def prepare(self) -> None:
        """See `HistoryStore`."""
        with self._session() as session, _naming_migrate():
            require_current(session, self._migrations)

    def taken(self) -> Mapping[Place, int]:
        """See `HistoryStore`. Waits while a commit is under way."""
        with self._session() as session, _naming_migrate():
            return read_ends(session)

    def take(self, manifests: Sequence[Manifest]) -> None:
        """See `HistoryStore`. One transaction; holds a file list in memory, never rows.

        Raises ConfigError for manifests of a newer release.
        """
        newest = max((manifest.version for manifest in manifests), default=0)
        if newest > self._schema.version:
            raise ConfigError(f"a manifest of version {newest} is of a newer release; run that release")
        if not manifests:
            return
        commit_id = self._new_id()
        loads = {manifest_object(commit_id, load): load for load in loads_of(manifests)}
        try:
            for key, load in loads.items():
                self._effect(f"put {key}")
                self._objects.put(key, self._source.manifest(load))
            self._commit(manifests, commit_id, loads)
        except Exception:
            self._clean(loads)
            raise
        self._clean(loads)

    def _commit(self, manifests: Sequence[Manifest], commit_id: str, loads: Mapping[str, Load]) -> None:
        with self._session() as session:
            try:
                done = Commit(session, self._schema, self._source, commit_id).run(manifests, loads, self._clock.now())
            except Refused as refused:
                raise Discrepancy(f"{refused}{_load_error(session)}") from refused
        _log.info(
            "warehouse: %d manifests: %d orders, %d hits, %d letters, %d duplicates, %d conflicts, %d redelivered",
            done.manifests,
            done.orders,
            done.hits,
            done.letters,
            done.duplicates,
            done.conflicts,
            done.redelivered,
        )

    def _clean(self, keys: Iterable[str]) -> None:
        """Delete the COPY manifests. Should it fail they stay: they say nothing that the ledger does not."""
        for key in keys:
            try:
                self._effect(f"delete {key}")
                self._objects.delete(key)
            except (Outage, ConfigError) as error:
                _log.warning("%s stays: %s", key, error)
                return

    def _session(self) -> Session:
        return self._open(self._settings, effect=self._effect)


@contextmanager
def _naming_migrate() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise ConfigError(f"the warehouse: {refused}; run `python -m consumers migrate`") from refused


def _load_error(session: Session) -> str:
    """What the database has noted of a COPY that failed; empty where it has noted nothing."""
    try:
        session.rollback()
        rows = session.query("ask for the load error", _LOAD_ERROR)
    except (Refused, Outage, ConfigError):  # the refusal itself is known already
        return ""
    if not rows:
        return ""
    row = rows[0]
    return one_line(f"; {row['file']} {row['of_column'] or ''}: {row['message']}")
