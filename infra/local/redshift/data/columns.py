"""The columns of a table that is loaded, as its catalogue has them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.local.redshift.actions import Copy
from infra.local.redshift.errors import SqlError
from infra.local.redshift.sql.tokens import quoted

_COLUMNS = """
    select attname, format_type(atttypid, null), format_type(atttypid, atttypmod), attnotnull,
        attidentity = 'a'
    from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum
"""
_SIZES = re.compile(r"\((\d+)(?:,(\d+))?\)")


class Queries(Protocol):
    """A session with the database."""

    def query(self, sql: str, *parameters: str | None) -> list[tuple[str | None, ...]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column that takes values."""

    name: str
    type: str  # PostgreSQL's full name, without sizes
    size: int = 0  # of a character type, in bytes; 0 = any
    precision: int = 0  # of a decimal
    scale: int = 0
    required: bool = False  # NOT NULL
    always_generated: bool = False  # IDENTITY

    @property
    def shown_type(self) -> str:
        """The type as Redshift's messages name it."""
        return {"character varying": "varchar", "character": "char", "jsonb": "super"}.get(self.type, self.type)

    @property
    def shown_length(self) -> str:
        if self.type == "numeric":
            return f"{self.precision}, {self.scale}"
        return str(self.size) if self.size else ""


def target_columns(copy: Copy, backend: Queries) -> list[Column]:
    """The columns that the data are for, in its order. Source: "Column mapping options", Column list.

    Raises SqlError: no such table or column, a column twice, an IDENTITY column without EXPLICIT_IDS.
    """
    every = table_columns(backend, copy.table)
    if not copy.columns:
        return [column for column in every if copy.explicit_ids or not column.always_generated]
    by_name = {column.name: column for column in every}
    found = []
    for name in copy.columns:
        if name not in by_name:
            raise SqlError("42703", f'column "{name}" of relation "{copy.table[-1]}" does not exist')
        if copy.columns.count(name) > 1:
            raise SqlError("42701", f'column "{name}" specified more than once')
        if by_name[name].always_generated and not copy.explicit_ids:
            raise SqlError("0A000", f'column "{name}" is IDENTITY: it can be loaded with EXPLICIT_IDS only')
        found.append(by_name[name])
    return found


def table_columns(backend: Queries, table: Sequence[str]) -> list[Column]:
    """All columns. Raises BackendError if there is no such table."""
    found = []
    for name, kind, shown, required, always in backend.query(_COLUMNS, quoted(*table)):
        sizes = [int(size) for size in (_SIZES.search(shown or "") or [""])[0].strip("()").split(",") if size]
        characters = kind in ("character varying", "character")
        found.append(
            Column(
                name=name or "",
                type=kind or "",
                size=sizes[0] if characters and sizes else 0,
                precision=sizes[0] if kind == "numeric" and sizes else 0,
                scale=sizes[1] if kind == "numeric" and len(sizes) > 1 else 0,
                required=required == "t",
                always_generated=always == "t",
            )
        )
    return found
