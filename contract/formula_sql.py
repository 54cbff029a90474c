"""Formulas in the SQL of the warehouse, which DuckDB and Athena read as far as they have its functions.

Texts hold identifiers of the contract, and values of the definitions as literals; a question's bounds are parameters.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from contract.formula import Condition, Count, Distinct, Is, Known, OverRows, Ratio, Source, Sum
from contract.formula_fields import Field, field_of
from contract.question import BUCKET, Every, Question, formula_of
from contract.tables import Kind

_NOW = "GETDATE()"
ZONE = "{zone}"  # in a relation: the shop's zone, as a literal


class Query(NamedTuple):
    """A statement and its parameters, written `?`."""

    text: str
    parameters: tuple[dt.datetime, ...]


def query(question: Question, *, now: dt.datetime | None = None) -> Query:
    """One row a group, by column name: the groups, `started_at` (UTC) where asked, and each figure by its name.

    A figure that is unknown is null. `now` stands for the database's clock. Raises ValueError for what SQL cannot say.
    """
    source = question.source
    groups = [_grouped(source, name).name for name in question.groups]
    if question.every:
        groups.append(f"{bucket(source.time, question.every, question.zone)} AS {BUCKET}")
    moment = _NOW if now is None else f"TIMESTAMP '{now.astimezone(dt.UTC).replace(tzinfo=None).isoformat(' ')}'"
    figures = [f"{expression(formula_of(figure), now=moment)} AS {figure.name}" for figure in question.figures]
    bounds = [(f"{source.time} >= ?", question.start), (f"{source.time} < ?", question.end)]
    where = " AND ".join(text for text, bound in bounds if bound)
    places = ", ".join(str(place + 1) for place in range(len(groups)))
    text = (
        f"SELECT {', '.join([*groups, *figures])} FROM {relation(source, question.zone)}"
        f"{f' WHERE {where}' if where else ''}{f' GROUP BY {places} ORDER BY {places}' if places else ''}"
    )
    return Query(text, tuple(bound for _, bound in bounds if bound))


def read(rows: Sequence[dict[str, Any]], question: Question) -> list[dict[str, Any]]:
    """An answer's rows with plain numbers: a driver has decimals, too."""
    figures = {figure.name for figure in question.figures}
    return [{name: _plain(value) if name in figures else value for name, value in row.items()} for row in rows]


def relation(source: Source, zone: str) -> str:
    """What follows FROM. `zone`: the shop's, an IANA name."""
    return source.relation.replace(ZONE, literal(zone))


def expression(formula: OverRows, *, now: str = _NOW) -> str:
    """The aggregate expression, over the rows of the formula's source. Raises ValueError for what SQL cannot say."""
    if isinstance(formula, Count):
        return f"COUNT({_chosen(formula, '1') if formula.where else '*'})"
    if isinstance(formula, Sum):
        summed = _column(formula.source, formula.column, Kind.INTEGER)
        return f"CAST(COALESCE(SUM({_chosen(formula, summed.name)}), 0) AS BIGINT)"
    if isinstance(formula, Distinct):
        return f"COUNT(DISTINCT {_chosen(formula, _column(formula.source, formula.column).name)})"
    if isinstance(formula, Ratio):
        return f"CAST({expression(formula.top)} AS DOUBLE PRECISION) / NULLIF({expression(formula.bottom)}, 0)"
    newest = _column(formula.source, formula.column, Kind.TIME).name
    return f"DATEDIFF('second', MAX(CASE WHEN {newest} <= {now} THEN {newest} END), {now})"


def condition(source: Source, wanted: Condition) -> str:
    """A condition on one row."""
    field = field_of(source.row, wanted.column)
    value = f"NULLIF({field.name}, '')" if field.is_list else field.name
    if isinstance(wanted, Known):
        return f"{value} IS NOT NULL"
    if isinstance(wanted, Is):
        return _is(field, wanted)
    return f"{value} IS NULL"


def bucket(time: str, every: Every, zone: str) -> str:
    """When the bucket of a time began, both UTC. A local hour that comes twice is two."""
    local = f"CONVERT_TIMEZONE('UTC', {literal(zone)}, {time})"
    if every is Every.MINUTE:
        return f"DATE_TRUNC('minute', {time})"
    if every is Every.HOUR:
        return f"DATEADD('minute', -CAST(EXTRACT(MINUTE FROM {local}) AS INT), DATE_TRUNC('minute', {time}))"
    return f"CONVERT_TIMEZONE({literal(zone)}, 'UTC', DATE_TRUNC('{every.value}', {local}))"


def literal(value: str | int | bool) -> str:
    """Raises ValueError for text that databases read differently."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if "\\" in value or not value.isprintable():
        raise ValueError(f"no literal of SQL that every database reads alike: {value!r}")
    return "'" + value.replace("'", "''") + "'"


def _is(field: Field, wanted: Is) -> str:
    if not wanted.values:
        raise ValueError(f"{field.name} is none of no values")
    for value in wanted.values:
        field.check(value)
    if field.is_list:
        return "(" + " OR ".join(_elements(field, wanted.values)) + ")"
    if len(wanted.values) == 1:
        return f"{field.name} = {literal(wanted.values[0])}"
    return f"{field.name} IN ({', '.join(map(literal, wanted.values))})"


def _elements(field: Field, values: Sequence[str | int | bool]) -> Iterator[str]:
    for value in values:
        if "," in str(value) or value == "":
            raise ValueError(f"{field.name} is joined by commas: it has no element {value!r}")
        yield f"STRPOS(',' || {field.name} || ',', {literal(f',{value},')}) > 0"


def _chosen(formula: Count | Sum | Distinct, value: str) -> str:
    """`value` of the rows that meet the conditions, else null."""
    if not formula.where:
        return value
    where = " AND ".join(condition(formula.source, each) for each in formula.where)
    return f"CASE WHEN {where} THEN {value} END"


def _column(source: Source, name: str, kind: Kind | None = None) -> Field:
    field = field_of(source.row, name)
    if field.is_list or (kind and field.kind is not kind):
        raise ValueError(f"{name} of {source.name} is no {kind.value if kind else 'single value'}")
    return field


def _grouped(source: Source, name: str) -> Field:
    return _column(source, name)


def _plain(value: Any) -> Any:
    """Integers and floats alone."""
    if value is None or isinstance(value, int | float):
        return value
    return int(value) if value == int(value) else float(value)
