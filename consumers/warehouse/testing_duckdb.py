"""The warehouse's SQL in DuckDB, for tests of queries that need no process."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from consumers.spans.columns import schema_of
from contract.formula_sql import Query
from contract.tables import Table, columns_of

_MACROS = """
    CREATE MACRO convert_timezone(source, target, t) AS t AT TIME ZONE source AT TIME ZONE target;
    CREATE MACRO dateadd(part, n, t) AS
        t + CASE part WHEN 'day' THEN to_days(CAST(n AS INT)) WHEN 'minute' THEN to_minutes(CAST(n AS BIGINT)) END;
    CREATE MACRO getdate() AS TIMESTAMP '2026-11-27 12:30:15';
"""


class DuckWarehouse:
    """Tables in memory. Its clock stands still."""

    now = dt.datetime(2026, 11, 27, 12, 30, 15, tzinfo=dt.UTC)

    def __init__(self) -> None:
        self._database = duckdb.connect()
        self._database.execute(_MACROS)

    def fill(self, name: str, row: Any, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make the table `name` of the columns of the struct `row`, or make it anew."""
        self._fill(name, schema_of(Table(name=name, columns=columns_of(row))), rows)

    def copy(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Make `table` of the rows that another warehouse has in it."""
        self._fill(table.name, schema_of(table), rows)

    def copy_rows(self, view: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a table of what another warehouse's view answers: of no columns that the rows do not have."""
        if rows:
            self._fill(view, pa.Table.from_pylist(list(rows)).schema, rows)

    def ask(self, query: Query | str) -> list[dict[str, Any]]:
        text, parameters = query if isinstance(query, Query) else (query, ())
        done = self._database.execute(text, [_naive(each) for each in parameters])
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, map(_aware, row), strict=True)) for row in done.fetchall()]

    def _fill(self, name: str, exact: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> None:
        schema = pa.schema([each.with_nullable(True) for each in exact])
        times = [pa.timestamp("us") if pa.types.is_timestamp(each.type) else each.type for each in schema]
        naive = pa.schema([pa.field(each.name, kind) for each, kind in zip(schema, times, strict=True)])
        filled = pa.Table.from_pylist([{**dict.fromkeys(schema.names), **each} for each in rows], schema=schema)
        self._database.register("filled", filled.cast(naive))
        self._database.execute(f"CREATE OR REPLACE TABLE {name} AS FROM filled")


def _naive(value: Any) -> Any:
    return value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value
