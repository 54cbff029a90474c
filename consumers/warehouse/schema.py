"""The warehouse's tables through time: which columns a span of some version has, and the migrations that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from consumers.manifests import VERSION
from consumers.warehouse.ddl import add_column, create_table
from contract.tables import COMMITS, HITS, LEDGER, ORDERS, WAREHOUSE, Column, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A table, or a column, that the contract did not have at first."""

    table: str
    column: str = ""  # nullable: older rows and spans lack it; empty: the whole table
    since: int  # version of the first manifests whose files have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step forward, in one transaction. Once released it never changes, and stays where it is in the order."""

    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """Tells whether a database has had this very step."""
        return sha256("\n".join(self.statements).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The tables as the contract has them now, and how they came to be so."""

    tables: Sequence[Table]
    added: Sequence[Added] = ()
    version: int = VERSION  # of the newest manifests
    _tables: Mapping[str, Table] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tables", {table.name: table for table in self.tables})

    def table(self, name: str) -> Table:
        """Raises KeyError."""
        return self._tables[name]

    def columns(self, table: str, version: int) -> tuple[Column, ...]:
        """Those of `table` in the files of a manifest of `version`, in their order."""
        later = {added.column for added in self.added if added.table == table and added.since > version}
        return tuple(column for column in self.table(table).columns if column.name not in later)

    def first(self) -> Migration:
        """The tables that there were at first, as they were before any column was added."""
        later = {added.table for added in self.added if not added.column}
        return Migration(
            name="tables",
            statements=tuple(
                create_table(table, self.columns(table.name, 0)) for table in self.tables if table.name not in later
            ),
        )

    def adding(self, added: Added) -> Migration:
        """The step that a table or a column takes."""
        table = self.table(added.table)
        if not added.column:
            return Migration(name=table.name, statements=(create_table(table, self.columns(table.name, added.since)),))
        return Migration(name=f"{table.name}.{added.column}", statements=(add_column(table.name, table[added.column]),))


HITS_ADDED = (
    Added(table=HITS.name, since=1),
    Added(table=LEDGER.name, column="hits", since=1),
    Added(table=COMMITS.name, column="hits", since=1),
)

LATE_ADDED = (Added(table=ORDERS.name, column="late", since=1),)

SCHEMA = Schema(tables=WAREHOUSE, added=(*HITS_ADDED, *LATE_ADDED))
