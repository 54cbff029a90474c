"""The columns of a row as formulas may use them: what they hold, and where they are in a document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import msgspec
from msgspec import inspect

from contract.tables import Kind, columns_of

_TYPES: dict[Kind, type] = {Kind.TEXT: str, Kind.INTEGER: int, Kind.BOOLEAN: bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column."""

    name: str  # in the warehouse
    path: str  # in a document
    kind: Kind
    is_list: bool  # of text; in the warehouse one text, joined by commas
    searched: bool  # live finds documents by it
    summed: bool  # live computes with it
    left_out: bool  # documents lack it where it is its default, which is a value

    def check(self, value: str | int | bool) -> None:
        """Raises ValueError for a value that the column never has."""
        if type(value) is not _TYPES.get(self.kind):
            raise ValueError(f"{self.name} holds {self.kind.value}: it is never {value!r}")


@cache
def fields_of(row: type[msgspec.Struct]) -> Mapping[str, Field]:
    """By column name. Lists of structs are left out: their elements are rows of their own."""
    kinds = {column.name: column.kind for column in columns_of(row)}
    return {field.name: field for field in _fields(row, "", "", kinds)}


def field_of(row: type[msgspec.Struct], name: str) -> Field:
    """Raises ValueError for a column that the row does not have."""
    try:
        return fields_of(row)[name]
    except KeyError:
        raise ValueError(f"{row.__name__} has no column {name!r}; it has {', '.join(fields_of(row))}") from None


def _fields(row: type[msgspec.Struct], prefix: str, path: str, kinds: Mapping[str, Kind]) -> Iterator[Field]:
    described = inspect.type_info(row)
    assert isinstance(described, inspect.StructType)
    for each in described.fields:
        column, uses = _unwrapped(each.type)
        name = prefix + each.encode_name
        if isinstance(column, inspect.StructType):
            yield from _fields(column.cls, f"{name}_", f"{path}{each.encode_name}.", kinds)
        elif name in kinds:
            searched = bool(uses.get("searched", True))
            yield Field(
                name=name,
                path=path + each.encode_name,
                kind=kinds[name],
                is_list=isinstance(column, inspect.ListType),
                searched=searched,
                summed=searched or bool(uses.get("summed")),
                left_out=row.__struct_config__.omit_defaults and isinstance(each.default, str | int),
            )


def _unwrapped(column: inspect.Type) -> tuple[inspect.Type, Mapping[str, object]]:
    """The type itself, and what the row says about its use."""
    if isinstance(column, inspect.Metadata):
        return _unwrapped(column.type)[0], column.extra or {}
    if isinstance(column, inspect.UnionType):
        (only,) = (part for part in column.types if not isinstance(part, inspect.NoneType))
        return _unwrapped(only)
    return column, {}
