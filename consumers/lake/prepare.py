"""Brings the catalogue up to this release: tables that are absent, columns that are new, entries that lead nowhere."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pyarrow.fs import FileSelector, FileSystem
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io import load_file_io
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table as IcebergTable
from pyiceberg.types import PrimitiveType

from consumers.keeper.store import Outrun, Place
from consumers.lake.beginning import beginning_of
from consumers.lake.catalogue import LakeCatalogue, naming_trouble
from consumers.lake.memory import as_properties, memory_of, taken_by_all
from consumers.lake.tables import added_columns, iceberg_schema, partition_of, properties_of
from contract.tables import Table
from runtime.errors import ConfigError
from runtime.outage import Outage

_log = logging.getLogger(__name__)

_TRIES = 5  # of a change to a table that somebody else changes too
_METADATA = re.compile(r"/(\d+)-[^/]+\.metadata\.json$")


def prepare(
    catalogue: LakeCatalogue, tables: Sequence[Table], database: str, bucket: str, *, dry_run: bool = False
) -> list[str]:
    """Safe beside a running keeper and another `prepare`. Schemas only grow. Raises ConfigError, Outage.

    Returns the steps that were taken; with `dry_run` those that are to be taken, and then nothing changes.
    """
    steps: list[str] = []
    with naming_trouble():
        if not catalogue.namespace_exists(database):
            steps.append(f"database {database}")
            if not dry_run:
                with suppress(NamespaceAlreadyExistsError):
                    catalogue.create_namespace(database)
        taken = _taken(catalogue, tables, database)
        for table in tables:
            spot = _Spot(catalogue, table, (database, table.name), bucket, taken)
            steps += spot.prepare(dry_run)
    return steps


def _taken(catalogue: LakeCatalogue, tables: Sequence[Table], database: str) -> Mapping[Place, int]:
    """What all tables that are there have taken; nothing where that is not to be known."""
    stored = []
    for table in tables:
        try:
            stored.append(catalogue.load_table((database, table.name)))
        except NoSuchTableError:
            continue
        except FileNotFoundError:
            return {}
    return taken_by_all(memory_of(table.properties) for table in stored)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a table is, or is to be."""

    catalogue: LakeCatalogue
    table: Table
    identifier: tuple[str, str]
    bucket: str
    taken: Mapping[Place, int]  # by the tables that were there

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/lake/{'/'.join(self.identifier)}"

    def prepare(self, dry_run: bool) -> Iterator[str]:
        """Yields each step once it is taken."""
        try:
            self.catalogue.load_table(self.identifier)
        except NoSuchTableError:
            if not dry_run:
                self._create()
            yield f"table {self.table.name}"
            if dry_run:
                return
        except FileNotFoundError as error:
            newest = self._newest_metadata(error)
            if not dry_run:
                self._lead_to(newest)
            yield f"entry of {self.table.name}, which leads to an object that is gone"
            if dry_run:
                return
        yield from self._bring_up_to_date(dry_run)

    def _create(self) -> None:
        schema = iceberg_schema(self.table)
        # Cold's files know columns by name alone.
        mapping = {"schema.name-mapping.default": schema.name_mapping.model_dump_json()}
        beginning = beginning_of(self.table, self.taken, self._files(), self.bucket) if self.taken else {}
        with suppress(TableAlreadyExistsError):
            self.catalogue.create_table(
                self.identifier,
                schema=schema,
                location=self.location,
                partition_spec=partition_of(self.table, schema),
                properties={**properties_of(self.table), **mapping, **as_properties(beginning)},
            )
            _log.info("created %s", ".".join(self.identifier))

    def _bring_up_to_date(self, dry_run: bool) -> Iterator[str]:
        for _ in range(_TRIES):
            stored = self.catalogue.load_table(self.identifier)
            added, changed = _missing_of(stored, self.table)
            try:
                if not dry_run:
                    _change(stored, added, changed)
            except Outrun:
                continue
            if added:
                yield f"columns {', '.join(column for column, _ in added)} of {self.table.name}"
            if changed:
                yield f"settings of {self.table.name}"
            return
        raise Outage(f"Glue: {self.table.name} is changed by others all the time")

    def _newest_metadata(self, error: FileNotFoundError) -> str:
        """A catalogue that came back older than its tables leads to metadata that is long deleted: the newest is in
        its place. Whichever were chosen would be right, for it says itself what it has taken; the newest has least to
        take again. Raises ConfigError where there is none.
        """
        path = self.location.removeprefix("s3://")
        listed = self._files().get_file_info(FileSelector(f"{path}/metadata", allow_not_found=True))
        numbered = [(int(found[1]), info.path) for info in listed if (found := _METADATA.search(info.path))]
        if not numbered:
            raise ConfigError(
                f"Glue's entry of {'.'.join(self.identifier)} leads to an object that is gone, as is all of"
                f" {self.location}: delete the entry, and the table is filled again from the manifests"
            ) from error
        return f"s3://{max(numbered)[1]}"

    def _files(self) -> FileSystem:
        files = load_file_io(self.catalogue.properties, self.location)
        assert isinstance(files, PyArrowFileIO)
        return files.fs_by_scheme("s3", self.bucket)

    def _lead_to(self, newest: str) -> None:
        _log.warning("%s leads to an object that is gone; led to %s", ".".join(self.identifier), newest)
        self.catalogue.drop_table(self.identifier)  # the entry alone
        with suppress(TableAlreadyExistsError):  # another prepare did the same
            self.catalogue.register_table(self.identifier, newest)


def _missing_of(stored: IcebergTable, table: Table) -> tuple[list[tuple[str, PrimitiveType]], dict[str, str]]:
    """Columns and table properties that a stored table lacks. Raises ConfigError for a column that has changed."""
    wanted = properties_of(table)
    del wanted["format-version"]  # of creation only
    changed = {key: value for key, value in wanted.items() if stored.properties.get(key) != value}
    return added_columns(table, stored.schema()), changed


def _change(stored: IcebergTable, added: list[tuple[str, PrimitiveType]], changed: dict[str, str]) -> None:
    """Raises Outrun."""
    if not added and not changed:
        return
    with stored.transaction() as transaction:
        if changed:
            transaction.set_properties(changed)
        if added:
            with transaction.update_schema() as update:
                for column, kind in added:
                    update.add_column(column, kind)
    _log.info("%s: added %s", ".".join(stored.name()), [column for column, _ in added] or "settings")
