"""Tables of the warehouse as Redshift SQL, from the contract."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.tables import (
    ACCOUNT,
    COMMITS,
    CONFLICTS,
    DUPLICATES,
    HITS,
    LEDGER,
    LETTERS,
    LINES,
    ORDERS,
    Column,
    Kind,
    Table,
)

_TYPES = {Kind.INTEGER: "BIGINT", Kind.BOOLEAN: "BOOLEAN", Kind.DATE: "DATE", Kind.TIME: "TIMESTAMP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What the contract does not say of a table."""

    key: tuple[str, ...] = ()  # declared for the planner, which believes it; the database does not enforce it
    sorted_by: str  # a time: queries name a range of it, and skip the other blocks


DESIGNS: Mapping[str, Design] = {
    ORDERS.name: Design(key=("event_id", "event_date"), sorted_by="event_time"),
    LINES.name: Design(key=("event_id", "event_date", "line_number"), sorted_by="event_time"),
    HITS.name: Design(key=("event_id", "event_date"), sorted_by="event_time"),
    LETTERS.name: Design(key=("letter_id", "read_on"), sorted_by="arrived_at"),
    ACCOUNT.name: Design(key=("file_id", "end_offset", "final", "read_at"), sorted_by="arrived_at"),
    DUPLICATES.name: Design(sorted_by="arrived_at"),
    CONFLICTS.name: Design(sorted_by="arrived_at"),
    LEDGER.name: Design(key=("application", "shard_id", "previous"), sorted_by="committed_at"),
    COMMITS.name: Design(key=("commit_id",), sorted_by="committed_at"),
}


def column_type(column: Column) -> str:
    """Its Redshift type, and NOT NULL where the contract says so. TEXT is as long as the contract's bytes."""
    kind = f"VARCHAR({column.longest})" if column.kind is Kind.TEXT else _TYPES[column.kind]
    return kind if column.nullable else f"{kind} NOT NULL"


def create_table(table: Table, columns: Iterable[Column]) -> str:
    """A lasting table with some of its columns."""
    design = DESIGNS[table.name]
    key = f", PRIMARY KEY ({', '.join(design.key)})" if design.key else ""
    return (
        f"CREATE TABLE {table.name} ({_listed(columns)}{key}) DISTSTYLE AUTO SORTKEY ({design.sorted_by}) ENCODE AUTO"
    )


def create_stage(name: str, columns: Iterable[Column]) -> str:
    """A table that this connection alone sees, and that goes with it."""
    return f"CREATE TEMP TABLE {name} ({_listed(columns)})"


def add_column(table: str, column: Column) -> str:
    """Raises ValueError for a column that old rows could not have."""
    if not column.nullable:
        raise ValueError(f"{table}.{column.name} must be nullable: the rows that are there have no value for it")
    return f"ALTER TABLE {table} ADD COLUMN {column.name} {column_type(column)}"


def _listed(columns: Iterable[Column]) -> str:
    return ", ".join(f"{column.name} {column_type(column)}" for column in columns)
