"""What came into a table after a state of it, which is a sequence number: each file keeps that of the commit that added
it, also where manifests are merged (Iceberg's table format, "Sequence Numbers")."""

import datetime as dt
from collections.abc import Iterator

from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.table import Table
from pyiceberg.utils.datetime import days_to_date

from consumers.lake.catalogue import naming_trouble


def state_of(table: Table) -> int:
    """Its sequence number; 0 before the first commit."""
    head = table.current_snapshot()
    return 0 if head is None else head.sequence_number or 0


def added_after(table: Table, state: int | None) -> Iterator[IcebergFile]:
    """Its files that were added since then; None: all. Raises Outage."""
    head = table.current_snapshot()
    if head is None or state_of(table) == state:
        return
    with naming_trouble():
        for manifest in head.manifests(table.io):
            if state is not None and manifest.sequence_number <= state:
                continue
            for entry in manifest.fetch_manifest_entry(table.io):
                is_there = entry.status is not ManifestEntryStatus.DELETED
                if is_there and (state is None or (entry.sequence_number or manifest.sequence_number) > state):
                    yield entry.data_file


def day_of(file: IcebergFile) -> dt.date:
    """The partition that it lies in."""
    return days_to_date(file.partition[0])
