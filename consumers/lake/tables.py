"""The lake's Iceberg tables, generated from the contract. Pure: no catalogue, no bucket."""

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import BooleanType, DateType, LongType, NestedField, PrimitiveType, StringType, TimestamptzType

from contract.tables import Kind, Table
from runtime.errors import ConfigError

_FIRST_PARTITION_FIELD = 1_000  # Iceberg numbers partition fields from here

_ICEBERG: dict[Kind, PrimitiveType] = {
    Kind.TEXT: StringType(),
    Kind.INTEGER: LongType(),
    Kind.BOOLEAN: BooleanType(),
    Kind.DATE: DateType(),
    Kind.TIME: TimestamptzType(),
}
_BOUNDED = (Kind.DATE, Kind.TIME)  # bounds of ids and names keep no reader from a file, and are most of a manifest

# Table properties that hold for all tables; `properties_of` adds the columns' own.
_PROPERTIES = {
    "format-version": "2",
    # A lost race is for the keeper to hear of: what was staged may have been taken by the winner.
    "commit.retry.num-retries": "0",
    # One manifest a commit would be 5,760 a day to read for every query.
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "50",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    "write.metadata.metrics.default": "none",
}


def iceberg_schema(table: Table) -> Schema:
    """Every column is optional: files of before a column was added do not have it."""
    fields = (
        NestedField(number, column.name, _ICEBERG[column.kind], required=False)
        for number, column in enumerate(table.columns, start=1)
    )
    return Schema(*fields)


def partition_of(table: Table, schema: Schema) -> PartitionSpec:
    """One partition a day."""
    day = schema.find_field(table.day)
    return PartitionSpec(
        PartitionField(
            source_id=day.field_id, field_id=_FIRST_PARTITION_FIELD, transform=IdentityTransform(), name=table.day
        )
    )


def properties_of(table: Table) -> dict[str, str]:
    """The table properties of this release."""
    bounded = {
        f"write.metadata.metrics.column.{column.name}": "full" for column in table.columns if column.kind in _BOUNDED
    }
    return {**_PROPERTIES, **bounded}


def added_columns(table: Table, stored: Schema) -> list[tuple[str, PrimitiveType]]:
    """The columns that the contract has and the stored table has not; those it has beyond the contract may stay.

    Raises ConfigError for a column whose type has changed, or that is new and may not be absent: schemas only grow.
    """
    added = []
    for column in table.columns:
        wanted = _ICEBERG[column.kind]
        if column.name not in stored.column_names:
            if not column.nullable:
                raise ConfigError(f"lake table {table.name}: the new column {column.name} must be nullable")
            added.append((column.name, wanted))
        elif stored.find_type(column.name) != wanted:
            raise ConfigError(
                f"lake table {table.name}: column {column.name} is {stored.find_type(column.name)}, this release writes"
                f" {wanted}; give it another name in the contract"
            )
    return added
