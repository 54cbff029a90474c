"""The columns of a query's result, as UNLOAD writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from infra.local.redshift.actions import Unsupported
from infra.local.redshift.data.columns import Column, Queries, table_columns
from infra.local.redshift.sql.tokens import quoted

_SHAPE = ("pg_temp", "rs_unloaded_shape")
_WIDEST_DECIMAL = 38
_ARROW = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "character varying": pa.string(),
    "character": pa.string(),
    "text": pa.string(),
    "jsonb": pa.string(),
    "unknown": pa.string(),
    "name": pa.string(),
}


class Script(Queries, Protocol):
    """A session with the database."""

    def script(self, sql: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The result's columns."""

    columns: Sequence[Column]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def arrow(self, names: Sequence[str]) -> Any:
        """The Arrow schema of these columns. Raises Unsupported for a type that no file has."""
        by_name = {column.name: column for column in self.columns}
        return pa.schema([pa.field(name, _arrow(by_name[name])) for name in names])


def _arrow(column: Column) -> Any:
    if column.type == "numeric":
        return pa.decimal128(column.precision, column.scale)
    if column.type not in _ARROW:
        raise Unsupported(f"UNLOAD to PARQUET of a column of type {column.shown_type} is not supported")
    return _ARROW[column.type]


def shape_of(sql: str, backend: Script) -> Shape:
    """Columns with their types, found without running the query. Raises BackendError."""
    name = quoted(*_SHAPE)
    backend.script(f"CREATE TEMPORARY TABLE {name} AS SELECT * FROM ({sql}) AS unloaded WITH NO DATA")
    try:
        columns = table_columns(backend, _SHAPE)
    finally:
        backend.script(f"DROP TABLE {name}")
    return Shape(columns=[_with_scale(column, sql, backend) for column in columns])


def _with_scale(column: Column, sql: str, backend: Queries) -> Column:
    """A computed decimal has the scale of its values."""
    if column.type != "numeric" or column.precision:
        return column
    name = quoted(column.name)
    [(scale,)] = backend.query(f"SELECT coalesce(max(scale({name})), 0) FROM ({sql}) AS unloaded")
    if int(scale or 0) >= _WIDEST_DECIMAL:
        raise Unsupported(f"the decimal column {column.name} has more than 37 digits after the point: cast it")
    return Column(name=column.name, type=column.type, precision=_WIDEST_DECIMAL, scale=int(scale or 0))
