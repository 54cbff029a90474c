"""Lake and warehouse tables, generated from the rows of the contract: a column has one definition, and it is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import msgspec
from msgspec import inspect

from contract.rows import (
    CommitRow,
    ConflictRow,
    DuplicateRow,
    HeartbeatRow,
    HitRow,
    LedgerRow,
    LetterRow,
    OrderLineRow,
    OrderRow,
)

LONGEST_TEXT = 65_535  # bytes of UTF-8 in a Redshift VARCHAR
_USUAL_TEXT = 1_024  # bytes: 256 characters, the longest name of the contract


class Kind(Enum):
    """Types that Arrow, Iceberg and Redshift all have."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"  # UTC, microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column."""

    name: str
    kind: Kind
    nullable: bool
    longest: int = 0  # bytes of UTF-8, TEXT only
    since: int = 0  # version of the first manifests whose files have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; `day` is the date column by which its files are partitioned, empty for a table that has no files.

    `since`: the version of the first manifests that know it.
    """

    name: str
    columns: tuple[Column, ...]
    day: str = ""
    since: int = 0

    def __getitem__(self, name: str) -> Column:
        """Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


_KINDS: dict[type[inspect.Type], Kind] = {
    inspect.StrType: Kind.TEXT,
    inspect.LiteralType: Kind.TEXT,
    inspect.IntType: Kind.INTEGER,
    inspect.BoolType: Kind.BOOLEAN,
    inspect.DateTimeType: Kind.TIME,
    inspect.DateType: Kind.DATE,
}
_LONG = {"extra": LONGEST_TEXT, "detail": LONGEST_TEXT, "reasons": LONGEST_TEXT, "path": 4_096, "manifest": 4_096}


def columns_of(row: type[msgspec.Struct]) -> tuple[Column, ...]:
    """The flat columns of a row: a nested struct's are prefixed with its field's name, a list of text is one text.

    A list of structs has a table of its own and is left out. Raises TypeError for a type that no store has.
    """
    return tuple(_columns(row, "", nullable=False))


def _columns(row: type[msgspec.Struct], prefix: str, *, nullable: bool) -> Iterator[Column]:
    described = inspect.type_info(row)
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        kind, optional = _unwrapped(field.type)
        name, may_miss = prefix + field.encode_name, nullable or optional
        since = field.type.extra.get("since", 0) if isinstance(field.type, inspect.Metadata) and field.type.extra else 0
        if isinstance(kind, inspect.StructType):
            yield from _columns(kind.cls, f"{name}_", nullable=may_miss)
        elif isinstance(kind, inspect.ListType):
            if not isinstance(_unwrapped(kind.item_type)[0], inspect.StructType):
                yield _text(name, may_miss, since)
        elif type(kind) not in _KINDS:
            raise TypeError(f"no column type for {name}: {kind}")
        elif _KINDS[type(kind)] is Kind.TEXT:
            yield _text(name, may_miss, since)
        else:
            yield Column(name=name, kind=_KINDS[type(kind)], nullable=may_miss, since=since)


def _text(name: str, nullable: bool, since: int) -> Column:
    return Column(name=name, kind=Kind.TEXT, nullable=nullable, longest=_LONG.get(name, _USUAL_TEXT), since=since)


def _unwrapped(column: inspect.Type) -> tuple[inspect.Type, bool]:
    """The type itself, and whether it may be absent."""
    if isinstance(column, inspect.Metadata):
        return _unwrapped(column.type)
    if isinstance(column, inspect.UnionType):
        (only,) = (part for part in column.types if not isinstance(part, inspect.NoneType))
        return _unwrapped(only)[0], True
    return column, False


ORDERS = Table(name="orders", columns=columns_of(OrderRow), day="event_date")
LINES = Table(name="lines", columns=columns_of(OrderLineRow), day="event_date")
HITS = Table(name="hits", columns=columns_of(HitRow), day="event_date", since=1)
LETTERS = Table(name="letters", columns=columns_of(LetterRow), day="read_on")
ACCOUNT = Table(name="account", columns=columns_of(HeartbeatRow), day="arrived_on")
DUPLICATES = Table(name="duplicates", columns=columns_of(DuplicateRow))
CONFLICTS = Table(name="conflicts", columns=columns_of(ConflictRow))
LEDGER = Table(name="ledger", columns=columns_of(LedgerRow))
COMMITS = Table(name="commits", columns=columns_of(CommitRow))

SPANNED = (ORDERS, LINES, HITS, LETTERS, ACCOUNT)  # what cold writes, and lake and warehouse both hold
WAREHOUSE = (*SPANNED, DUPLICATES, CONFLICTS, LEDGER, COMMITS)

# Of the manifests that this release writes: the newest table's, or column's.
VERSION = max(since for table in WAREHOUSE for since in (table.since, *(column.since for column in table.columns)))
