"""Questions to the lake: DuckDB over the tables' own Parquet objects. Memory is bounded; what is not asked for is not
read: columns by DuckDB, days by the table's partitions."""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table as IcebergTable

from consumers.lake.added import added_after, day_of
from consumers.lake.catalogue import naming_trouble
from consumers.lake.store import LakeStore
from consumers.lake.views import READS, VIEWS
from consumers.spans.columns import schema_of
from contract.tables import SPANNED, Table

Days = tuple[dt.date, dt.date]  # first and last, both included

ADDED = "_added"  # TABLE_added in a question: those of its rows that came in after a state

_ROWS_AT_ONCE = 1_000
_READERS = 16


class ObjectsMissing(Exception):
    """Objects that a table refers to are gone from the bucket: restore them, or leave them out on purpose."""

    def __init__(self, keys: Sequence[str]) -> None:
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        super().__init__(f"the lake's bucket lacks {', '.join(keys[:3])}{more}")
        self.keys = keys


class LakeReader:
    """Runs SQL that names tables of `contract.tables.SPANNED`, and the views of `consumers.lake.views`."""

    def __init__(self, store: LakeStore, *, memory_mib: int = 1_024, leave_out: Collection[str] = ()) -> None:
        """`memory_mib` bounds DuckDB, which then writes to the temporary folder; `leave_out`: keys of objects."""
        self._store = store
        self._memory_mib = memory_mib
        self._leave_out = frozenset(leave_out)

    def query(
        self, text: str, parameters: Sequence[Any] = (), *, days: Days | None = None, after: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Rows by column name; times are aware UTC. Each `?` of `text` stands for a parameter.

        `days` limits every table to its partitions: an event's rows all lie in one. `after` is the state of a table
        (see `consumers.lake.added`) that TABLE_added goes by. The tables are seen as they stand when the first row is
        asked for. Raises ObjectsMissing, Outage, ConfigError.
        """
        names = tables_in(text)
        scans = [self._scan(table, days) for table in SPANNED if table.name in names]
        if after is not None:
            scans += [self._scan(table, days, after) for table in SPANNED if f"{table.name}{ADDED}" in text]
        with duckdb.connect(config={"memory_limit": f"{self._memory_mib}MiB"}) as database:
            for scan in scans:
                database.register(scan.name, scan.dataset)
            for name, view in VIEWS.items():
                if names.issuperset(READS[name]):
                    database.execute(f"CREATE TEMP VIEW {name} AS {view}")
            try:
                result = database.execute(text, list(parameters))
                columns = [column[0] for column in result.description or ()]
                while rows := result.fetchmany(_ROWS_AT_ONCE):
                    for row in rows:
                        yield dict(zip(columns, map(_utc, row), strict=True))
            except (duckdb.Error, OSError) as error:
                self._explain(scans, error)
                raise

    def _scan(self, table: Table, days: Days | None, after: int | None = None) -> "_Scan":
        stored = self._store.table(table.name)
        with naming_trouble():
            return _Scan(table, stored, days, self._leave_out, after)

    def _explain(self, scans: "Sequence[_Scan]", error: Exception) -> None:
        """Raises ObjectsMissing, or what the bucket's trouble is. Returns where the fault is not the objects'."""
        missing = [key for scan in scans for key in scan.missing()]
        if missing:
            raise ObjectsMissing(missing) from error
        if isinstance(error, OSError):
            with naming_trouble():
                raise error


class _Scan:
    """One table's objects as they stand, read as often as a query needs."""

    def __init__(
        self, table: Table, stored: IcebergTable, days: Days | None, leave_out: Collection[str], after: int | None
    ) -> None:
        self.name = table.name if after is None else f"{table.name}{ADDED}"
        if after is None:
            planned = [task.file.file_path for task in stored.scan(row_filter=_within(table, days)).plan_files()]
        else:
            added = added_after(stored, after)
            planned = [file.file_path for file in added if days is None or days[0] <= day_of(file) <= days[1]]
        paths = [path.removeprefix("s3://") for path in planned]
        self._paths = [path for path in paths if path.partition("/")[2] not in leave_out]
        assert isinstance(stored.io, PyArrowFileIO)
        self._files = stored.io.fs_by_scheme("s3", paths[0].partition("/")[0] if paths else None)
        schema = schema_of(table)
        # One schema for all: a column that a file of an earlier release lacks is null.
        self.dataset: Any = (
            ds.dataset(self._paths, schema=schema, format="parquet", filesystem=self._files)
            if self._paths
            else pa.Table.from_pylist([], schema=schema)
        )

    def missing(self) -> list[str]:
        """Keys of objects that are gone. Raises Outage."""

        def gone(path: str) -> bool:
            with naming_trouble():
                return not self._files.get_file_info(path).is_file

        with ThreadPoolExecutor(_READERS) as pool:
            found = zip(self._paths, pool.map(gone, self._paths), strict=True)
            return [path.partition("/")[2] for path, is_gone in found if is_gone]


def tables_in(text: str) -> frozenset[str]:
    """The tables that a query may read, itself or by a view."""
    words = set(re.findall(r"\w+", text))
    by_views = (name for view, tables in READS.items() if view in words for name in tables)
    return frozenset({table.name for table in SPANNED if table.name in words} | set(by_views))


def _utc(value: Any) -> Any:
    """DuckDB answers in the machine's time zone."""
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo else value


def _within(table: Table, days: Days | None) -> str | BooleanExpression:
    if days is None:
        return AlwaysTrue()
    first, last = days
    return f"{table.day} >= '{first:%Y-%m-%d}' and {table.day} <= '{last:%Y-%m-%d}'"
