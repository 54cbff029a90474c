"""Index templates, generated from the rows of the contract: a column has one definition, and it is there."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import inspect

from contract.rows import DuplicateRow, HitRow, LetterRow, MendedLetter, OrderRow

_PLAIN_TYPES: dict[type[inspect.Type], str] = {
    inspect.StrType: "keyword",
    inspect.IntType: "long",
    inspect.BoolType: "boolean",
    inspect.DateTimeType: "date",
    inspect.DateType: "date",
}


def templates(*, refresh_ms: int, replicas: str) -> dict[str, dict[str, Any]]:
    """Composable index templates by name. An unknown field is refused by the store rather than guessed at.

    `replicas` is OpenSearch's `auto_expand_replicas`, such as "0-1". A template's `_meta.version` is a hash of it.
    """
    settings = {
        "number_of_shards": 1,  # a day of orders is far below the 10 to 50 GB that a shard is good for
        "refresh_interval": f"{refresh_ms}ms",
        "auto_expand_replicas": replicas,
    }
    kinds: tuple[tuple[str, str, Sequence[type[msgspec.Struct]]], ...] = (
        ("orders", "orders-*", [OrderRow]),
        ("hits", "hits-*", [HitRow]),
        ("letters", "letters-*", [LetterRow, MendedLetter]),
        ("duplicates", "duplicates", [DuplicateRow]),
    )
    return {f"storepulse-{name}": _template(pattern, rows, settings) for name, pattern, rows in kinds}


def _template(pattern: str, rows: Sequence[type[msgspec.Struct]], settings: dict[str, Any]) -> dict[str, Any]:
    properties = {name: field for row in rows for name, field in properties_of(row).items()}
    body: dict[str, Any] = {
        "index_patterns": [pattern],
        "priority": 100,
        "template": {
            "settings": {"index": settings},
            "mappings": {"dynamic": "strict", "properties": properties},
        },
    }
    version = hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()[:16]
    return {**body, "_meta": {"version": version}}


def properties_of(row: type[msgspec.Struct]) -> dict[str, Any]:
    """OpenSearch field definitions of a row's columns. Raises TypeError for a column type that has none."""
    described = inspect.type_info(row)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: _field(field.type) for field in described.fields}


def _field(column: inspect.Type, uses: dict[str, Any] | None = None) -> dict[str, Any]:
    if isinstance(column, inspect.Metadata):
        return _field(column.type, column.extra)
    if isinstance(column, inspect.UnionType):
        (only,) = (part for part in column.types if not isinstance(part, inspect.NoneType))
        return _field(only, uses)
    if isinstance(column, inspect.StructType):
        return {"properties": properties_of(column.cls)}
    if isinstance(column, inspect.ListType):
        item = column.item_type
        nested = isinstance(item, inspect.StructType)
        return {"type": "nested", **_field(item)} if nested else _field(item, uses)
    if type(column) not in _PLAIN_TYPES:
        raise TypeError(f"no OpenSearch type for {column}")
    field: dict[str, Any] = {"type": _PLAIN_TYPES[type(column)]}
    if uses and not uses.get("searched", True):
        field |= {"index": False, "doc_values": bool(uses.get("summed"))}
    return field
