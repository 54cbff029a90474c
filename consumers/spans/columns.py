"""Rows as Arrow columns, one record batch a table and day, in the order of the tables' columns."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.stages.judge import Verdict
from contract import tables
from contract.rows import HeartbeatRow, HitRow, LetterRow, LineRow, OrderRow, Origin
from contract.tables import Kind, Table

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.timestamp("us", "UTC"),
}
_OF_THE_ORDER = ("event_id", "event_date", "event_time", "content_hash", "kind", "channel", "region", "currency")

TableBatch = tuple[Table, dt.date, pa.RecordBatch]
Place = tuple[type, dt.date]  # kind of row, and the day of its objects


def schema_of(table: Table) -> pa.Schema:
    """The columns of `table`: its Parquet files have them in this order, as COPY expects them."""
    return pa.schema([pa.field(each.name, _TYPES[each.kind], nullable=each.nullable) for each in table.columns])


_SCHEMAS = {table.name: schema_of(table) for table in tables.SPANNED}  # made once: every batch asks for one

_TABLE_OF: dict[type, Table] = {
    OrderRow: tables.ORDERS,
    HitRow: tables.HITS,
    LetterRow: tables.LETTERS,
    HeartbeatRow: tables.ACCOUNT,
}
_DAY_OF: dict[type, Callable[[Any], dt.date]] = {kind: attrgetter(table.day) for kind, table in _TABLE_OF.items()}


def place_of(row: Verdict) -> Place:
    """Which rows it goes with."""
    kind = type(row)
    return kind, _DAY_OF[kind](row)


def batches_of(rows: Iterable[Verdict]) -> Iterator[TableBatch]:
    """Rows by table and day; those of one keep their order. An order's lines are rows of a table of their own."""
    sorted_out: dict[Place, list[Any]] = defaultdict(list)
    for row in rows:
        sorted_out[place_of(row)].append(row)
    for (kind, day), same in sorted_out.items():
        if kind is OrderRow:
            orders = _batch(tables.ORDERS, OrderRow, same)
            yield tables.ORDERS, day, orders
            yield tables.LINES, day, _lines(same, orders)
        else:
            yield _TABLE_OF[kind], day, _batch(_TABLE_OF[kind], kind, same)


def order_of(columns: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> OrderRow:
    """The row that `batches_of` made these columns of, and these columns of its lines, in their order."""
    named = {name: columns[name] for name in OrderRow.__struct_fields__ if columns.get(name) is not None}
    origin = None
    if columns["origin_file"] is not None:
        said = {name: columns[f"origin_{name}"] for name in Origin.__struct_fields__}
        origin = Origin(**{name: value for name, value in said.items() if value is not None})
    sold = [LineRow(**{name: line[name] for name in LineRow.__struct_fields__}) for line in lines]
    return OrderRow(**{**named, "lines": sold, "origin": origin})


def _batch(table: Table, kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> pa.RecordBatch:
    schema = _SCHEMAS[table.name]
    paths = _paths(kind, tuple(schema.names))
    fields = {name: list(map(attrgetter(name), rows)) for name in dict.fromkeys(name for name, _ in paths)}
    columns = [
        pa.array(_values(fields[name], inner), column.type) for (name, inner), column in zip(paths, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _values(field: list[Any], inner: str) -> list[Any]:
    """A column: the field itself, or what is `inner` to it."""
    if inner and None in field:
        return [None if each is None else getattr(each, inner) for each in field]
    if inner:
        return list(map(attrgetter(inner), field))
    return [",".join(each) for each in field] if isinstance(field[0], list) else field


@cache
def _paths(kind: type[msgspec.Struct], columns: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Where each column is in a row: a field, and the field inside it where that is a struct."""

    def path(column: str) -> tuple[str, str]:
        if column in kind.__struct_fields__:
            return column, ""
        outer = next(name for name in kind.__struct_fields__ if column.startswith(f"{name}_"))
        return outer, column.removeprefix(f"{outer}_")

    return tuple(path(column) for column in columns)


def _lines(rows: Sequence[OrderRow], orders: pa.RecordBatch) -> pa.RecordBatch:
    """The lines of these orders, numbered from 1 in each; units and amount are negative for a return's."""
    per_order = np.fromiter((row.line_count for row in rows), np.int64, len(rows))
    parent = np.repeat(np.arange(len(rows)), per_order)
    lines = [line for row in rows for line in row.lines]
    quantity, price, discount = (
        pa.array(list(map(attrgetter(name), lines)), pa.int64()) for name in ("quantity", "unit_price", "discount")
    )
    shared = orders.select(_OF_THE_ORDER).take(pa.array(parent))
    sign = pc.if_else(pc.equal(shared["kind"], "return"), pa.scalar(-1, pa.int64()), pa.scalar(1, pa.int64()))
    columns = {
        **dict(zip(_OF_THE_ORDER, shared.columns, strict=True)),
        "line_number": pa.array(np.arange(len(lines)) - (np.cumsum(per_order) - per_order)[parent] + 1),
        "sku": pa.array([line.sku for line in lines], pa.string()),
        "quantity": quantity,
        "unit_price": price,
        "discount": discount,
        "units": pc.multiply_checked(quantity, sign),
        "amount": pc.multiply_checked(pc.subtract_checked(pc.multiply_checked(quantity, price), discount), sign),
    }
    schema = _SCHEMAS[tables.LINES.name]
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
