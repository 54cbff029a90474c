"""Formulas as searches of the live documents, and their answers read back."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from contract.formula import Age, Condition, Count, Distinct, Is, Known, OverRows, Ratio, Source, Sum
from contract.formula_fields import Field, field_of
from contract.question import BUCKET, Every, Question, formula_of
from contract.tables import Kind

EXACT_UP_TO = 40_000  # different values: OpenSearch's highest precision_threshold; beyond it is off by about 1 %
PAGE = 1_000  # groups of one answer, at most
_SKETCH_BYTES = EXACT_UP_TO * 8  # that a shard holds of each group for each count of different values
# A shard searches for us with so much; five do so at a time, and a node of 1 GiB refuses 600 MiB to all searches.
_SKETCHES_BYTES = 16 * 2**20
ELEMENTS = 10_000  # groups of elements, such as products, within one of those
_GROUPS, _ROWS, _ELEMENTS, _INSIDE, _VALUE = "groups", "rows", "elements", "inside", "value"
_TOP, _BOTTOM = ".top", ".bottom"  # of a ratio

Body = dict[str, Any]
Part = Count | Sum | Distinct | Age
Values = Mapping[Any, int | None]


def body(question: Question, *, after: Mapping[str, Any] | None = None, now: dt.datetime | None = None) -> Body:
    """The search of the source's index; no hits are returned. `after`: see `next_page`. `now` stands for the clock.

    Raises ValueError for what the documents do not have, or do not compute with.
    """
    source = question.source
    aggregations = dict(_aggregations(question, "now" if now is None else now.isoformat()))
    grouping = _grouping(question)
    if grouping:
        pages: Body = {"size": page_size(question), "sources": grouping, **({"after": after} if after else {})}
        aggregations = {_GROUPS: {"composite": pages, "aggs": aggregations}}
    bounds = {
        name: bound.isoformat() for name, bound in (("gte", question.start), ("lt", question.end)) if bound is not None
    }
    filters: list[Body] = [{"range": {source.time: bounds}}] if bounds else []
    filters += of_source(source)
    if source.within:  # an order without a line has no such row
        filters.append({"nested": {"path": source.within, "query": {"match_all": {}}}})
    return {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": filters}}, "aggs": aggregations}


def read(question: Question, answer: Mapping[str, Any], *, now: dt.datetime | None = None) -> list[dict[str, Any]]:
    """The rows that SQL answers with: one a group, its columns by name, then each figure; in another order.

    `answer`: the whole of it, or its aggregations. None where a figure is unknown. `now` is needed for an age. Raises
    ValueError where part of the store did not answer, and for more than `ELEMENTS` groups of elements.
    """
    if answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
        raise ValueError("part of OpenSearch did not answer: figures would be too low")
    aggregations = _aggregations_of(answer)
    if _grouping(question):
        found = aggregations.get(_GROUPS, {}).get("buckets", ())
        groups = [(_keys(question, each["key"]), each) for each in found]
    elif aggregations:
        groups = [({}, aggregations)]
    else:  # there is no such index: no rows
        return [] if _element(question) else [{each.name: _of_no_rows(formula_of(each)) for each in question.figures}]
    return [{**key, **row} for key, group in groups for row in _rows(question, group, now)]


def page_size(question: Question) -> int:
    """Groups of one answer: fewer where different values are counted, which takes memory a group."""
    counted = sum(
        isinstance(part, Distinct) for each in question.figures for _, part in parts_of(each.name, formula_of(each))
    )
    return min(PAGE, max(1, _SKETCHES_BYTES // (_SKETCH_BYTES * counted))) if counted else PAGE


def next_page(question: Question, answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What to ask for after this answer; None when it was the last one."""
    groups = _aggregations_of(answer).get(_GROUPS, {})
    after: Mapping[str, Any] | None = groups.get("after_key")
    return after if len(groups.get("buckets", ())) == page_size(question) else None


def condition(source: Source, wanted: Condition) -> Body:
    """A condition on one row as a query: of its element where the rows are elements."""
    field, _ = _field(source, wanted.column)
    if not (field.searched if isinstance(wanted, Is) else field.summed) or field.left_out:
        raise ValueError(f"no document is found by its {wanted.column}")
    if isinstance(wanted, Is):
        if not wanted.values:
            raise ValueError(f"{wanted.column} is none of no values")
        for value in wanted.values:
            field.check(value)
    return _query(wanted, field.path)


def metric(formula: Sum | Distinct | Age) -> Body:
    """The aggregation that computes the formula over the rows that meet its conditions."""
    field, inside = _field(formula.source, formula.column)
    if inside is not bool(formula.source.within):
        raise ValueError(f"live does not compute with {formula.column} by {formula.source.name}")
    if not field.summed or (field.left_out and not isinstance(formula, Sum)):
        raise ValueError(f"live does not compute with {formula.column} of {formula.source.name}")
    if isinstance(formula, Distinct):
        return {"cardinality": {"field": field.path, "precision_threshold": EXACT_UP_TO}}
    wanted = Kind.INTEGER if isinstance(formula, Sum) else Kind.TIME
    if field.kind is not wanted:
        raise ValueError(f"{formula.column} of {formula.source.name} is no {wanted.value}")
    return {"sum" if isinstance(formula, Sum) else "max": {"field": field.path}}


def measures(name: str, formula: OverRows, *, now: str = "now") -> dict[str, Body]:
    """The aggregations that compute the formula over a bucket's documents, whatever the buckets are; see `measured`."""
    return {own: _part(part, None, now) for own, part in parts_of(name, formula)}


def measured(
    name: str, formula: OverRows, bucket: Mapping[str, Any], *, now: dt.datetime | None = None
) -> int | float | None:
    """The formula's value in an answer to `measures`; None where it is unknown. `now` is needed for an age."""
    parts = {own: _values(part, bucket[own], False, now) for own, part in parts_of(name, formula)}
    return _figure(name, formula, parts, None)


def value_path(part: Part, *, by_element: bool = False) -> tuple[str, ...]:
    """The keys to a part's value in an answer to `measures`, below the part's name; or in one element's bucket."""
    inside = () if by_element or not part.source.within else (_INSIDE, _INSIDE)
    if isinstance(part, Count):
        return (*inside, "doc_count")
    is_bare = not by_element and not isinstance(part, Age) and not filters(part, inside=bool(part.source.within))
    return (*inside, "value") if is_bare else (*inside, _VALUE, "value")


def met(formula: OverRows) -> list[Body]:
    """What the formula's documents meet: its own conditions on them, and those of its source.

    Raises ValueError for a ratio, whose parts may differ in it.
    """
    if isinstance(formula, Ratio):
        raise ValueError("a ratio is of two kinds of documents")
    return [*of_source(formula.source), *filters(formula, inside=False)]


def of_source(source: Source) -> list[Body]:
    """What the documents of a source meet, as those of its index do not all."""
    return [_query(each, each.column) for each in source.live_only]


def filters(formula: Part, *, inside: bool) -> list[Body]:
    """The formula's conditions on elements (`inside`), or on the documents themselves."""
    return [
        condition(formula.source, each)
        for each in (() if isinstance(formula, Age) else formula.where)
        if _field(formula.source, each.column)[1] is inside
    ]


def parts_of(name: str, formula: OverRows) -> Iterator[tuple[str, Part]]:
    """What is computed for a figure, by name."""
    if isinstance(formula, Ratio):
        yield name + _TOP, formula.top
        yield name + _BOTTOM, formula.bottom
    else:
        yield name, formula


def _aggregations_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """None at all where the answer is of no index."""
    found: Mapping[str, Any] = answer.get("aggregations", {} if "_shards" in answer or "hits" in answer else answer)
    return found


def _of_no_rows(formula: OverRows) -> int | None:
    return None if isinstance(formula, Ratio | Age) else 0


def _field(source: Source, name: str) -> tuple[Field, bool]:
    """The field, and whether it is the element's."""
    if source.within and source.element:
        row: Any = source.element
        if name in row.__struct_fields__:
            own = field_of(row, name)
            return replace(own, path=f"{source.within}.{own.path}"), True
        if name not in source.shared:
            raise ValueError(f"live has no {name} of {source.name}")
    return field_of(source.document or source.row, name), False


def _query(wanted: Condition, path: str) -> Body:
    if isinstance(wanted, Is):
        only = len(wanted.values) == 1
        return {"term": {path: wanted.values[0]}} if only else {"terms": {path: list(wanted.values)}}
    exists = {"exists": {"field": path}}
    return exists if isinstance(wanted, Known) else {"bool": {"must_not": [exists]}}


def _grouping(question: Question) -> list[Body]:
    """The sources of a composite aggregation."""
    sources: list[Body] = []
    for name in question.groups:
        field, inside = _grouped(question.source, name)
        if not inside:
            sources.append({name: {"terms": {"field": field.path, "missing_bucket": True}}})
    if question.every:
        zone = {} if question.every is Every.MINUTE else {"time_zone": question.zone}
        interval = {"field": question.source.time, "calendar_interval": question.every.value, **zone}
        sources.append({BUCKET: {"date_histogram": interval}})
    return sources


def _element(question: Question) -> tuple[str, Field] | None:
    """The dimension that is an element's."""
    found = [(name, _grouped(question.source, name)) for name in question.groups]
    inside = [(name, field) for name, (field, is_inside) in found if is_inside]
    if len(inside) > 1:
        raise ValueError(f"live groups elements by one column, not by {[name for name, _ in inside]}")
    return inside[0] if inside else None


def _grouped(source: Source, name: str) -> tuple[Field, bool]:
    field, inside = _field(source, name)
    if not field.summed or field.is_list or field.left_out:
        raise ValueError(f"live does not group by {name} of {source.name}")
    return field, inside


def _aggregations(question: Question, now: str) -> Iterator[tuple[str, Body]]:
    source, element = question.source, _element(question)
    if element:
        yield _ROWS, _within(source, {_ELEMENTS: _by(element[1])})
    for figure in question.figures:
        for name, part in parts_of(figure.name, formula_of(figure)):
            if element and isinstance(part, Distinct):
                raise ValueError(f"{figure.name}: live does not count different values by {element[0]}")
            yield name, _part(part, element[1] if element else None, now)


def _part(part: Part, element: Field | None, now: str) -> Body:
    """Innermost first: the metric, an element's groups, its conditions, the way into it, the document's conditions."""
    if not part.source.index:
        raise ValueError(f"live has no {part.source.name}")
    metrics: Body = {} if isinstance(part, Count) else {_VALUE: metric(part)}
    if not part.source.within:
        own = filters(part, inside=False)
        if isinstance(part, Age):
            own.append({"range": {_field(part.source, part.column)[0].path: {"lte": now}}})
        return _filtered(own, metrics)
    groups = {_ELEMENTS: _by(element) | ({"aggs": metrics} if metrics else {})} if element else metrics
    inside = _filtered(filters(part, inside=True), groups)
    return _filtered(filters(part, inside=False), {_INSIDE: _within(part.source, {_INSIDE: inside})})


def _filtered(own: Sequence[Body], aggregations: Body) -> Body:
    if not own and len(aggregations) == 1 and _VALUE in aggregations:
        bare: Body = aggregations[_VALUE]
        return bare
    return {"filter": {"bool": {"filter": list(own)}}, **({"aggs": aggregations} if aggregations else {})}


def _within(source: Source, aggregations: Body) -> Body:
    return {"nested": {"path": source.within}, "aggs": aggregations}


def _by(element: Field) -> Body:
    return {"terms": {"field": element.path, "size": ELEMENTS}}


def _keys(question: Question, key: Mapping[str, Any]) -> dict[str, Any]:
    """A group's columns as SQL has them."""
    found = dict(key)
    for name in question.groups:
        if name in found and found[name] is not None and _grouped(question.source, name)[0].kind is Kind.DATE:
            found[name] = _time(found[name]).date()
    if question.every:
        found[BUCKET] = _time(found[BUCKET])
    return found


def _rows(question: Question, group: Mapping[str, Any], now: dt.datetime | None) -> Iterator[dict[str, Any]]:
    element = _element(question)
    parts = {
        name: _values(part, group[name], element is not None, now)
        for figure in question.figures
        for name, part in parts_of(figure.name, formula_of(figure))
    }
    for key in _element_keys(group[_ROWS]) if element else [None]:
        row = {figure.name: _figure(figure.name, formula_of(figure), parts, key) for figure in question.figures}
        yield {**({element[0]: key} if element else {}), **row}


def _element_keys(rows: Mapping[str, Any]) -> Iterable[Any]:
    found = rows[_ELEMENTS]
    if found.get("sum_other_doc_count"):
        raise ValueError(f"more than {ELEMENTS} groups of elements: ask for less time, or by fewer dimensions")
    return [each["key"] for each in found["buckets"]]


def _figure(name: str, formula: OverRows, parts: Mapping[str, Values], key: Any) -> int | float | None:
    # Elements that no row meets the conditions of have no group: they add up to 0.
    values = [parts[own].get(key, 0) for own, _ in parts_of(name, formula)]
    if not isinstance(formula, Ratio):
        return values[0]
    top, bottom = values
    return None if top is None or not bottom else top / bottom


def _values(part: Part, found: Mapping[str, Any], by_element: bool, now: dt.datetime | None) -> Values:
    """By element; of all together by None."""
    if part.source.within:
        found = found[_INSIDE][_INSIDE]
    if by_element:
        return {each["key"]: _value(part, each, now) for each in found[_ELEMENTS]["buckets"]}
    return {None: _value(part, found, now)}


def _value(part: Part, found: Mapping[str, Any], now: dt.datetime | None) -> int | None:
    if isinstance(part, Count):
        return int(found["doc_count"])
    told = found[_VALUE]
    value: float | None = told["value"] if isinstance(told, Mapping) else told
    if not isinstance(part, Age):
        return round(value or 0)
    if now is None:
        raise ValueError("an age is read at some time")
    return None if value is None else int(now.timestamp() // 1) - int(value // 1000)


def _time(milliseconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
