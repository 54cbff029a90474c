"""Where a table begins that this release makes in a lake that is in use."""

from collections.abc import Iterator, Mapping

from pyarrow.fs import FileSelector, FileSystem, FileType

from consumers.keeper.store import Place
from consumers.manifests import data_folder, data_prefix
from contract.tables import Table


def beginning_of(table: Table, taken: Mapping[Place, int], files: FileSystem, bucket: str) -> dict[Place, int]:
    """What the table counts as taken. In: `taken` by the other tables, read before this is called.

    A shard of which no object was ever written for this table begins where the others are: objects come before their
    manifest, so no manifest up to there has one, and years of them need not be read again to learn it. A shard with
    such objects begins at its start: an older release has passed them over, or the catalogue has lost the table.
    """
    unseen = dict(taken)
    for name in _names(files, f"{bucket}/{data_folder(table.name)}"):
        for place in [place for place in unseen if name.startswith(data_prefix(*place))]:
            del unseen[place]
        if not unseen:
            break
    return unseen


def _names(files: FileSystem, folder: str) -> Iterator[str]:
    """Names of the table's objects, a day's in memory at a time."""
    for day in _listed(files, folder, FileType.Directory):
        yield from (path.rpartition("/")[2] for path in _listed(files, day, FileType.File))


def _listed(files: FileSystem, folder: str, kind: FileType) -> list[str]:
    found = files.get_file_info(FileSelector(folder, allow_not_found=True))
    return [info.path for info in found if info.type == kind]
