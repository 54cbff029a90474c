"""What a case is checked on: a Redshift with a driver's connections, and an S3 beside it."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redshift_connector.core import Connection
from redshift_connector.cursor import Cursor
from redshift_connector.error import Error


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A bucket that COPY and UNLOAD reach, with a boto3 client of ours for it."""

    client: Any
    bucket: str
    iam_role: str  # what statements name; a real one on AWS


@dataclass(kw_only=True)
class Subject:
    """A Redshift. `connect` opens one more connection; keyword arguments go to the driver."""

    connect: Callable[..., Connection]
    storage: Storage | None = None
    _open: list[Connection] = field(default_factory=list)
    _tables: list[str] = field(default_factory=list)

    def open(self, **options: Any) -> Connection:
        """A connection that ends with the case."""
        connection = self.connect(**options)
        self._open.append(connection)
        return connection

    def cursor(self, *, autocommit: bool = True) -> Cursor:
        """A cursor on a connection of its own that ends with the case."""
        connection = self.open()
        connection.autocommit = autocommit
        return connection.cursor()

    def table(self, columns: str, rows: str = "") -> str:
        """A new table with these columns and, as VALUES lists them, these rows; dropped after the case."""
        name = self.name()
        cursor = self.cursor()
        cursor.execute(f"create table {name} ({columns})")
        if rows:
            cursor.execute(f"insert into {name} values {rows}")
        return name

    def name(self) -> str:
        """A new table's name; a table of that name is dropped after the case."""
        name = f"case_{secrets.token_hex(6)}"
        self._tables.append(name)
        return name

    def close(self) -> None:
        """End the case's connections and drop its tables."""
        for connection in self._open:
            with suppress(Exception):
                connection.close()
        if not self._tables:
            return
        connection = self.connect()
        connection.autocommit = True
        for name in self._tables:
            connection.cursor().execute(f"drop table if exists {name} cascade")
        connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is true of Redshift. `check` raises AssertionError where it is not."""

    page: str  # of AWS's documentation: guide, page, section
    check: Callable[[Subject], None]

    @property
    def name(self) -> str:
        return self.check.__name__


def refused(sqlstate: str, cursor: Cursor, sql: str, parameters: Any = None) -> dict[str, str]:
    """Assert that the statement fails with this SQLSTATE. Returns the error's fields by their letters."""
    try:
        cursor.execute(sql, parameters)
    except Error as error:
        fields: dict[str, str] = error.args[0]
        assert fields["C"] == sqlstate, fields
        return fields
    raise AssertionError(f"not refused: {sql}")


def rows(cursor: Cursor, sql: str, parameters: Any = None) -> list[list[Any]]:
    """All rows of a query."""
    return list(cursor.execute(sql, parameters).fetchall())
