"""Saved objects as OpenSearch Dashboards exports and imports them: one JSON object a line, the last one counts them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

Json = dict[str, Any]
Kind = Literal["index-pattern", "visualization", "dashboard"]

# The release whose form each kind has; a newer server brings it up to its own.
MIGRATION: Mapping[Kind, str] = {"index-pattern": "7.6.0", "visualization": "7.10.0", "dashboard": "7.9.3"}
PREFIX = "storepulse-"

_encode = msgspec.json.Encoder(order="deterministic").encode


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One object's need of another."""

    name: str
    type: Kind
    id: str


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """One object."""

    id: str
    type: Kind
    attributes: Json
    references: list[Reference] = []

    def document(self) -> Json:
        """As it stands in a file."""
        return {
            "id": self.id,
            "type": self.type,
            "attributes": self.attributes,
            "references": [msgspec.to_builtins(each) for each in self.references],
            "migrationVersion": {self.type: MIGRATION[self.type]},
        }


def text(value: Any) -> str:
    """JSON within JSON, always the same."""
    return _encode(value).decode()


def no_query() -> Json:
    """The attribute of an object that looks for everything."""
    return {"searchSourceJSON": text({"query": {"query": "", "language": "kuery"}, "filter": []})}


def ndjson(objects: Sequence[Saved]) -> bytes:
    """The file."""
    counted = {"exportedCount": len(objects), "missingRefCount": 0, "missingReferences": []}
    return b"".join(_encode(line) + b"\n" for line in (*(each.document() for each in objects), counted))


def read_ndjson(content: bytes) -> list[Json]:
    """The objects of a file, without its last line. Raises ValueError for what is no such file."""
    lines = [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
    if not lines or "exportedCount" not in lines[-1]:
        raise ValueError("the last line does not say how many objects there are")
    if lines[-1]["exportedCount"] != len(lines) - 1:
        raise ValueError(f"{len(lines) - 1} objects, where {lines[-1]['exportedCount']} were exported")
    return lines[:-1]


def by_key(objects: Iterable[Json]) -> dict[tuple[str, str], Json]:
    """By type and id."""
    return {(each["type"], each["id"]): each for each in objects}
