"""Index patterns: which documents there are, their time and their fields, from the rows of the contract."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from contract import figures
from contract.formula import Source
from contract.formula_fields import fields_of
from contract.rows import MendedLetter
from contract.tables import Kind
from dashboards.opensearch.saved import PREFIX, Json, Saved, text

_TYPES = {
    Kind.TEXT: ("string", "keyword"),
    Kind.INTEGER: ("number", "long"),
    Kind.BOOLEAN: ("boolean", "boolean"),
    Kind.TIME: ("date", "date"),
    Kind.DATE: ("date", "date"),
}
# What documents of a pattern hold beside the rows that figures are computed over.
_BESIDE: Mapping[str, Sequence[type[msgspec.Struct]]] = {figures.LETTERS.index: [MendedLetter]}
_META = (("_id", "string", "_id"), ("_index", "string", "_index"), ("_source", "_source", "_source"))


def sources() -> Sequence[Source]:
    """One a pattern: of those that share documents the one whose rows are the documents."""
    found: dict[str, Source] = {}
    for figure in figures.FIGURES:
        source = figure.source
        if source is not None and source.index and (source.index not in found or not source.within):
            found[source.index] = source
    return list(found.values())


def pattern_id(index: str) -> str:
    """Of the saved object."""
    return PREFIX + "index-" + index.removesuffix("-*").replace("*", "")


def pattern(source: Source) -> Saved:
    """Index pattern of the source's documents."""
    attributes = {"title": source.index, "timeFieldName": source.time, "fields": text(list(fields(source.index)))}
    return Saved(id=pattern_id(source.index), type="index-pattern", attributes=attributes)


def fields(index: str) -> Iterator[Json]:
    """The fields of an index pattern."""
    rows: list[tuple[str, type[msgspec.Struct]]] = []
    for figure in figures.FIGURES:
        source = figure.source
        if source is None or source.index != index:
            continue
        rows.append(("", source.document or source.row))
        if source.within and source.element:
            rows.append((source.within, source.element))
    rows += [("", row) for row in _BESIDE.get(index, ())]
    done: set[str] = set()
    for within, row in rows:
        for field in fields_of(row).values():
            path = f"{within}.{field.path}" if within else field.path
            if path in done:
                continue
            done.add(path)
            kind, own = _TYPES[field.kind]
            nested = {"subType": {"nested": {"path": within}}} if within else {}
            yield _field(path, kind, own, searched=field.searched, summed=field.summed) | nested
    for name, kind, own in _META:
        yield _field(name, kind, own, searched=name != "_source", summed=name == "_index")


def _field(path: str, kind: str, own: str, *, searched: bool, summed: bool) -> Json:
    return {
        "name": path,
        "type": kind,
        "esTypes": [own],
        "count": 0,
        "scripted": False,
        "searchable": searched,
        "aggregatable": summed,
        "readFromDocValues": summed and not path.startswith("_"),
    }
