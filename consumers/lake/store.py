"""The lake as a store of history. Each table remembers by itself what it has taken, and so is mended by itself."""

from collections.abc import Mapping, Sequence

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import Table as IcebergTable

from consumers.keeper.store import Place
from consumers.lake.catalogue import LakeCatalogue, naming_trouble
from consumers.lake.files import data_files
from consumers.lake.memory import as_properties, memory_of, not_yet_taken, taken_by_all
from consumers.lake.prepare import prepare
from consumers.manifests import Manifest
from contract.tables import SPANNED, Table
from runtime.errors import ConfigError
from runtime.settings import Lake


class LakeStore:
    """Registers cold's objects in the tables of `contract.tables.SPANNED`; nothing is copied. See `HistoryStore`.

    A table swaps its pointer once for all files of a `take`, and in the same step remembers how far it is: a reader
    sees them all or none, and nothing is added twice, whoever tries. Tables advance in their order, heartbeats last:
    what they speak of is there by then.
    """

    name = "lake"

    def __init__(self, catalogue: LakeCatalogue, lake: Lake) -> None:
        self._catalogue = catalogue
        self._bucket = lake.bucket
        self._database = lake.database

    def prepare(self) -> None:
        """Create what is absent, add what this release adds. Safe beside a running keeper, and another `prepare`."""
        self.bring_up_to_date()

    def bring_up_to_date(self, *, dry_run: bool = False) -> list[str]:
        """As `prepare`. Returns the steps that it took; with `dry_run` those that it would take, and takes none."""
        return prepare(self._catalogue, SPANNED, self._database, self._bucket, dry_run=dry_run)

    def taken(self) -> Mapping[Place, int]:
        return taken_by_all(memory_of(self._load(table).properties) for table in SPANNED)

    def take(self, manifests: Sequence[Manifest]) -> None:
        """Every object is looked at before the first table changes. After Outrun some tables may be ahead of others."""
        loads = [_Load(table, self._load(table), manifests) for table in SPANNED]
        for load in loads:
            load.look(self._bucket)
        for load in loads:
            load.commit()

    def table(self, name: str) -> IcebergTable:
        """One table as it stands now: what readers scan. Raises Outage, and ConfigError where it is absent."""
        with naming_trouble():
            try:
                return self._catalogue.load_table((self._database, name))
            except NoSuchTableError as error:
                raise ConfigError(
                    f"Glue has no table {self._database}.{name}: `python -m consumers migrate` makes it; or mend [lake]"
                ) from error
            except FileNotFoundError as error:
                raise ConfigError(
                    f"Glue's entry of {self._database}.{name} leads to an object that is gone: run"
                    " `python -m consumers migrate`, which leads it to the newest that stands"
                ) from error

    def _load(self, table: Table) -> IcebergTable:
        return self.table(table.name)


class _Load:
    """One table's part in a `take`."""

    def __init__(self, table: Table, stored: IcebergTable, manifests: Sequence[Manifest]) -> None:
        self._table = table
        self._stored = stored
        self._manifests = not_yet_taken(memory_of(stored.properties), manifests)
        self._files: list[IcebergFile] = []

    def look(self, bucket: str) -> None:
        """Raises Discrepancy for objects that are not what the manifests say."""
        wanted = [file for manifest in self._manifests for file in manifest.data if file.table == self._table.name]
        self._files = data_files(self._stored, bucket, wanted)

    def commit(self) -> None:
        """Files and memory in one swap; memory alone where there are no files. Raises Outrun: then nothing changed."""
        if not self._manifests:
            return
        ends = {(manifest.application, manifest.shard_id): manifest.last for manifest in self._manifests}
        with naming_trouble():
            transaction = _without_history(self._stored).transaction()
            transaction.set_properties(as_properties(ends))
            if self._files:
                with transaction.update_snapshot().merge_append() as append:
                    for file in self._files:
                        append.append_data_file(file)
            transaction.commit_transaction()


def _without_history(stored: IcebergTable) -> IcebergTable:
    """The table as staging needs it. pyiceberg copies the metadata 15 times a commit, and old snapshots are most of it;
    the swap itself works on what the catalogue holds by then."""
    head = stored.current_snapshot()
    slim = stored.metadata.model_copy(
        update={"snapshots": [head] if head else [], "snapshot_log": [], "statistics": []}
    )
    return IcebergTable(
        identifier=stored.name(),
        metadata=slim,
        metadata_location=stored.metadata_location,
        io=stored.io,
        catalog=stored.catalog,
    )
