"""Brings the catalogue up to this release: tables that are absent, columns that are new, entries that lead nowhere."""

import logging
import re
from collections.abc import Sequence
from contextlib import suppress

from pyarrow.fs import FileSelector
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io import load_file_io
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table as IcebergTable

from consumers.keeper.store import Outrun
from consumers.lake.catalogue import LakeCatalogue, naming_trouble
from consumers.lake.tables import added_columns, iceberg_schema, partition_of, properties_of
from contract.tables import Table
from runtime.errors import ConfigError
from runtime.outage import Outage

_log = logging.getLogger(__name__)

_TRIES = 5  # of a change to a table that somebody else changes too
_METADATA = re.compile(r"/(\d+)-[^/]+\.metadata\.json$")


def prepare(catalogue: LakeCatalogue, tables: Sequence[Table], database: str, bucket: str) -> None:
    """Safe beside a running keeper and another `prepare`. Schemas only grow. Raises ConfigError, Outage."""
    with naming_trouble():
        if not catalogue.namespace_exists(database):
            with suppress(NamespaceAlreadyExistsError):
                catalogue.create_namespace(database)
        for table in tables:
            identifier, location = (database, table.name), f"s3://{bucket}/lake/{database}/{table.name}"
            if not _stands(catalogue, identifier, location):
                _create(catalogue, table, identifier, location)
            _bring_up_to_date(catalogue, table, identifier)


def _create(catalogue: LakeCatalogue, table: Table, identifier: tuple[str, str], location: str) -> None:
    schema = iceberg_schema(table)
    # Cold's files know columns by name alone.
    mapping = {"schema.name-mapping.default": schema.name_mapping.model_dump_json()}
    with suppress(TableAlreadyExistsError):
        catalogue.create_table(
            identifier,
            schema=schema,
            location=location,
            partition_spec=partition_of(table, schema),
            properties={**properties_of(table), **mapping},
        )
        _log.info("created %s", ".".join(identifier))


def _bring_up_to_date(catalogue: LakeCatalogue, table: Table, identifier: tuple[str, str]) -> None:
    for _ in range(_TRIES):
        try:
            _change(catalogue.load_table(identifier), table)
        except Outrun:
            continue
        return
    raise Outage(f"Glue: {table.name} is changed by others all the time")


def _change(stored: IcebergTable, table: Table) -> None:
    added = added_columns(table, stored.schema())
    wanted = properties_of(table)
    del wanted["format-version"]  # of creation only
    changed = {key: value for key, value in wanted.items() if stored.properties.get(key) != value}
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


def _stands(catalogue: LakeCatalogue, identifier: tuple[str, str], location: str) -> bool:
    """Whether the table is there.

    A catalogue that came back older than its tables leads to metadata that is long deleted: it is led to the newest
    under `location`. Whichever were chosen would be right, for it says itself what it has taken; the newest has least
    to take again. Raises ConfigError where there is none.
    """
    try:
        catalogue.load_table(identifier)
    except NoSuchTableError:
        return False
    except FileNotFoundError as error:
        newest = _newest_metadata(catalogue, location)
        if newest is None:
            raise ConfigError(
                f"Glue's entry of {'.'.join(identifier)} leads to an object that is gone, as is all of {location}:"
                " delete the entry, and the table is filled again from the manifests"
            ) from error
        _log.warning("%s leads to an object that is gone; led to %s", ".".join(identifier), newest)
        catalogue.drop_table(identifier)  # the entry alone
        with suppress(TableAlreadyExistsError):  # another prepare did the same
            catalogue.register_table(identifier, newest)
    return True


def _newest_metadata(catalogue: LakeCatalogue, location: str) -> str | None:
    files = load_file_io(catalogue.properties, location)
    assert isinstance(files, PyArrowFileIO)
    scheme, _, path = location.partition("://")
    bucket = path.partition("/")[0]
    listed = files.fs_by_scheme(scheme, bucket).get_file_info(FileSelector(f"{path}/metadata", allow_not_found=True))
    numbered = [(int(found[1]), info.path) for info in listed if (found := _METADATA.search(info.path))]
    return f"{scheme}://{max(numbered)[1]}" if numbered else None
