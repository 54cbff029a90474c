"""Cold's Parquet objects as Iceberg data files: looked at before they are added."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import Table
from pyiceberg.utils.datetime import days_to_date

from consumers.keeper.store import Discrepancy
from consumers.lake.catalogue import is_of_s3, naming_trouble
from consumers.manifests import DataFile
from runtime.aws_errors import one_line

_READERS = 16  # footers read at the same time: one is two requests that mostly wait
_NAMED = 3  # objects that one message names


def data_files(table: Table, bucket: str, wanted: Sequence[DataFile]) -> list[IcebergFile]:
    """The objects as the table would hold them, each with the bytes, the rows and the day that its manifest says.

    Raises Discrepancy, which names objects that are absent or not as they should be, and Outage.
    """

    def look(file: DataFile) -> IcebergFile | str:
        return _look(table, table.io, f"s3://{bucket}/{file.key}", file)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="footers") as pool:
        found = list(pool.map(look, wanted))
    wrong = [each for each in found if isinstance(each, str)]
    if wrong:
        more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise Discrepancy("; ".join(wrong[:_NAMED]) + more)
    return [each for each in found if not isinstance(each, str)]


def _look(table: Table, io: FileIO, path: str, wanted: DataFile) -> IcebergFile | str:
    """The file, or what is wrong with it."""
    try:
        with naming_trouble(), _naming_damage():
            found = parquet_file_to_data_file(io, table.metadata, path)
    except FileNotFoundError:
        return f"{wanted.key} is absent"
    except ValueError as error:  # no Parquet, other columns, rows of more than one day
        return f"{wanted.key} cannot be added to {wanted.table}: {one_line(error)}"
    differences = list(_differences(found, wanted))
    return f"{wanted.key} has {', '.join(differences)}" if differences else found


@contextmanager
def _naming_damage() -> Iterator[None]:
    """A footer that cannot be read is a ValueError: Arrow calls it an OSError, as it calls trouble that passes."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) or is_of_s3(error):
            raise
        raise ValueError(one_line(error)) from error
    except KeyError as error:
        raise ValueError(f"no column {error}") from error


def _differences(found: IcebergFile, wanted: DataFile) -> Iterable[str]:
    if found.file_size_in_bytes != wanted.bytes:
        yield f"{found.file_size_in_bytes} bytes instead of {wanted.bytes}"
    if found.record_count != wanted.rows:
        yield f"{found.record_count} rows instead of {wanted.rows}"
    day = days_to_date(found.partition[0]) if found.partition[0] is not None else "no day"
    if day != wanted.day:
        yield f"rows of {day} instead of {wanted.day}"
