"""A new field is added in one place: to its row. Every store's schema, migration and value follow from there."""

import dataclasses
import datetime as dt
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec
import pyarrow as pa
import pytest
from pyiceberg.types import BooleanType, DateType, LongType, PrimitiveType, StringType, TimestamptzType

from consumers.lake.tables import added_columns, iceberg_schema
from consumers.sinks.opensearch import mappings
from consumers.sinks.opensearch.mappings import properties_of, templates
from consumers.spans import columns
from consumers.spans.columns import batches_of, schema_of
from consumers.stages.documents import document_of
from consumers.stages.judge import Judged
from consumers.stages.testing import access_judge, batch, encoded, enveloped, judge, order
from consumers.warehouse.ddl import add_column
from consumers.warehouse.migrations import MIGRATIONS, migrations_of
from consumers.warehouse.schema import SCHEMA, Schema
from contract import tables
from contract.rows import HitRow, Kept, OrderRow, Summed, since
from contract.tables import HITS, ORDERS, VERSION, Column, Kind, Table, columns_of
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

_ACCESS_LINE = b'192.0.2.7 - - [27/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'


class NewField(NamedTuple):
    """A field that a row might gain, and what every store is to make of it."""

    type: Any
    value: Any
    kind: Kind
    arrow: pa.DataType
    iceberg: PrimitiveType
    redshift: str
    opensearch: dict[str, Any]


FIELDS = [
    NewField(str | None, "blue", Kind.TEXT, pa.string(), StringType(), "VARCHAR(1024)", {"type": "keyword"}),
    NewField(
        Annotated[str | None, Kept], "blue", Kind.TEXT, pa.string(), StringType(), "VARCHAR(1024)",
        {"type": "keyword", "index": False, "doc_values": False},
    ),
    NewField(
        Annotated[int | None, Summed], 7, Kind.INTEGER, pa.int64(), LongType(), "BIGINT",
        {"type": "long", "index": False, "doc_values": True},
    ),
    NewField(bool | None, True, Kind.BOOLEAN, pa.bool_(), BooleanType(), "BOOLEAN", {"type": "boolean"}),
    NewField(dt.date | None, dt.date(2026, 12, 24), Kind.DATE, pa.date32(), DateType(), "DATE", {"type": "date"}),
    NewField(
        dt.datetime | None, dt.datetime(2026, 12, 24, 18, tzinfo=dt.UTC), Kind.TIME, pa.timestamp("us", "UTC"),
        TimestamptzType(), "TIMESTAMP", {"type": "date"},
    ),
]  # fmt: skip
ROWS = [(OrderRow, ORDERS), (HitRow, HITS)]


class Grown(NamedTuple):
    """A row with a field more, and its table."""

    row: type[msgspec.Struct]
    table: Table
    before: Table
    field: NewField


@pytest.fixture(params=[(*row, field) for row in ROWS for field in FIELDS], ids=lambda param: f"{param[1].name}")
def grown(request: pytest.FixtureRequest) -> Grown:
    row, table, field = request.param
    wider = msgspec.defstruct(
        row.__name__,
        [("gift", Annotated[field.type, since(VERSION + 1)], None)],
        bases=(row,),
        frozen=True,
        kw_only=True,
        gc=False,
        omit_defaults=True,
    )
    return Grown(wider, dataclasses.replace(table, columns=columns_of(wider)), table, field)


def grown_schema(grown: Grown) -> Schema:
    """The warehouse's, of the release that has the field."""
    tables = [grown.table if table.name == grown.table.name else table for table in SCHEMA.tables]
    return Schema(tables=tables, version=VERSION + 1)


def test_the_table_has_a_column_more_at_its_end(grown: Grown) -> None:
    longest = 1_024 if grown.field.kind is Kind.TEXT else 0
    new = Column(name="gift", kind=grown.field.kind, nullable=True, longest=longest, since=VERSION + 1)
    assert grown.table.columns == (*grown.before.columns, new)


def test_colds_files_have_it(grown: Grown) -> None:
    assert list(schema_of(grown.table)) == [*schema_of(grown.before), pa.field("gift", grown.field.arrow)]


def test_the_lake_gains_it_as_a_column_that_old_files_may_lack(grown: Grown) -> None:
    assert added_columns(grown.table, iceberg_schema(grown.before)) == [("gift", grown.field.iceberg)]
    assert added_columns(grown.table, iceberg_schema(grown.table)) == []
    assert not iceberg_schema(grown.table).find_field("gift").required


def test_the_warehouse_gains_it_by_a_migration_of_its_own(grown: Grown) -> None:
    (*released, step) = migrations_of(grown_schema(grown))
    assert released == MIGRATIONS
    assert step.name == f"{grown.table.name}.gift"
    assert step.statements == (f"ALTER TABLE {grown.table.name} ADD COLUMN gift {grown.field.redshift}",)


def test_the_files_of_older_manifests_stay_as_they_are(grown: Grown) -> None:
    schema = grown_schema(grown)
    assert schema.columns(grown.table.name, VERSION) == grown.before.columns
    assert schema.columns(grown.table.name, VERSION + 1) == grown.table.columns


def test_the_live_store_gains_it_and_a_new_version_of_its_template(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = templates(refresh_ms=500, replicas="0-1")
    monkeypatch.setattr(mappings, grown.row.__name__, grown.row)
    after = templates(refresh_ms=500, replicas="0-1")
    assert properties_of(grown.row)["gift"] == grown.field.opensearch
    (changed,) = (name for name in before if before[name] != after[name])
    mapped = after[changed]["template"]["mappings"]["properties"]
    assert mapped == {**before[changed]["template"]["mappings"]["properties"], "gift": grown.field.opensearch}
    assert after[changed]["_meta"] != before[changed]["_meta"]


def test_its_value_is_in_colds_files_and_in_the_live_document(grown: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    row = grown.row(**{**msgspec.structs.asdict(_row(grown.before)), "gift": grown.field.value})
    assert isinstance(row, OrderRow | HitRow)
    for module in (columns, tables):
        monkeypatch.setattr(module, grown.row.__name__, grown.row)
    monkeypatch.setattr(tables, grown.table.name.upper(), grown.table)
    monkeypatch.setitem(columns._SCHEMAS, grown.table.name, schema_of(grown.table))
    monkeypatch.setitem(columns._TABLE_OF, grown.row, grown.table)
    monkeypatch.setitem(columns._DAY_OF, grown.row, attrgetter(grown.table.day))
    found = {table.name: each for table, _, each in batches_of([row])}
    assert found[grown.table.name]["gift"].to_pylist() == [grown.field.value]

    document = document_of(Judged(row, None), 14)
    assert document is not None
    written = msgspec.json.decode(document.document)["gift"]
    assert msgspec.convert(written, grown.field.type) == grown.field.value


def _row(table: Table) -> OrderRow | HitRow:
    """A row as the stages make it."""
    by, data = (judge(), encoded(order())) if table is ORDERS else (access_judge(), enveloped(_ACCESS_LINE))
    (judged,) = by.judge(batch([data]))
    assert isinstance(judged.row, OrderRow | HitRow)
    return judged.row


@pytest.mark.parametrize(("row", "table"), ROWS)
def test_a_field_that_old_rows_could_not_have_is_refused_by_both_stores_of_history(
    row: type[msgspec.Struct], table: Table
) -> None:
    wider = msgspec.defstruct(row.__name__, [("gift", str)], bases=(row,), frozen=True, kw_only=True)
    grown = dataclasses.replace(table, columns=columns_of(wider))
    with pytest.raises(ConfigError, match="gift must be nullable"):
        added_columns(grown, iceberg_schema(table))
    with pytest.raises(ValueError, match="gift must be nullable"):
        add_column(table.name, grown["gift"])
