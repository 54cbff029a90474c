"""The warehouse's tables through time: which columns a span of some version has, and the migrations that follow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from consumers.warehouse.ddl import add_column, create_table
from contract.tables import VERSION, WAREHOUSE, Column, Table


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
    """The tables as the contract has them now; `since` of tables and columns says how they came to be so."""

    tables: Sequence[Table]
    version: int = VERSION  # of the newest manifests
    _tables: Mapping[str, Table] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tables", {table.name: table for table in self.tables})

    def table(self, name: str) -> Table:
        """Raises KeyError."""
        return self._tables[name]

    def columns(self, table: str, version: int) -> tuple[Column, ...]:
        """Those of `table` in the files of a manifest of `version`, in their order."""
        return tuple(column for column in self.table(table).columns if column.since <= version)

    def first(self) -> Migration:
        """The tables that there were at first, as they were before any column was added."""
        statements = (create_table(table, self.columns(table.name, 0)) for table in self.tables if not table.since)
        return Migration(name="tables", statements=tuple(statements))

    def steps(self, version: int) -> Iterator[Migration]:
        """Those that this version takes: its new tables, then its new columns. Raises ValueError: see `add_column`."""
        for table in self.tables:
            if table.since == version:
                made = create_table(table, self.columns(table.name, version))
                yield Migration(name=table.name, statements=(made,))
        for table in self.tables:
            for column in table.columns:
                if table.since < column.since == version:
                    yield Migration(name=f"{table.name}.{column.name}", statements=(add_column(table.name, column),))


SCHEMA = Schema(tables=WAREHOUSE)
