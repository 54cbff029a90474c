"""Random questions over random rows, for Hypothesis: whatever the algebra can say."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from contract.figure import Figure
from contract.formula import Age, Condition, Count, Distinct, Is, Known, Ratio, Source, Sum, Unit, Unknown
from contract.formula_fields import Field, fields_of
from contract.question import CURRENCY, Every, Question
from contract.tables import Kind

TEXTS = ["sale", "return", "it's", "5xx", "?", "%_", "Zoë Ω", "a?b'c"]
# Around both changes of the clock in London, one in Lord Howe, where it moves by half an hour, and a new year.
MOMENTS = [
    dt.datetime(2026, 10, 25, 0, 10, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, 0, 40, tzinfo=dt.UTC),
    dt.datetime(2026, 4, 4, 14, 50, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
]
ZONES = ["UTC", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]
TIMES = st.builds(
    lambda at, minutes: at + dt.timedelta(minutes=minutes), st.sampled_from(MOMENTS), st.integers(-300, 300)
)
_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.sampled_from(TEXTS),
    Kind.INTEGER: st.integers(-(10**12), 10**12),
    Kind.BOOLEAN: st.booleans(),
    Kind.TIME: TIMES,
    Kind.DATE: TIMES.map(lambda time: time.date()),
}
_CONDITIONED = (Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN)

Rows = list[dict[str, Any]]


def few_of(source: Source) -> list[Field]:
    """Some columns of each kind: rows of all would be slow to make."""
    fields = list(fields_of(source.row).values())
    chosen = [[each for each in fields if each.kind is kind and not each.is_list][:3] for kind in Kind]
    return [*(each for same in chosen for each in same), *(each for each in fields if each.is_list)]


def values_of(fields: Sequence[Field]) -> Mapping[str, st.SearchStrategy[Any]]:
    """What a condition on each column may name."""
    return {field.name: _VALUES[field.kind] for field in fields if field.kind in _CONDITIONED}


def rows(source: Source) -> st.SearchStrategy[Rows]:
    """Rows of a few columns."""
    columns = {field.name: _cell(field) for field in few_of(source)}
    columns |= {source.time: TIMES, CURRENCY: st.sampled_from(["GBP", "JPY"])}
    known = {name: column for name, column in columns.items() if name in fields_of(source.row)}
    return st.lists(st.fixed_dictionaries(known), max_size=12)


@st.composite
def questions(
    draw: st.DrawFn,
    source: Source,
    fields: Sequence[Field],
    values: Mapping[str, st.SearchStrategy[Any]],
    times: st.SearchStrategy[dt.datetime],
) -> Question:
    """One or two figures of these columns, with conditions that name these values."""
    dimensions = tuple(field.name for field in fields if not field.is_list and field.kind is not Kind.TIME)
    units = [Unit.MONEY, Unit.COUNT] if CURRENCY in fields_of(source.row) else [Unit.COUNT]
    figures = tuple(
        Figure(
            name=f"figure_{number}",
            title="",
            meaning="",
            unit=draw(st.sampled_from(units)),
            formula=draw(_formulas(source, fields, values)),
            dimensions=dimensions,
            kind="sales",
        )
        for number in range(draw(st.integers(1, 2)))
    )
    return Question(
        figures=figures,
        by=tuple(draw(st.lists(st.sampled_from(dimensions), max_size=2, unique=True))),
        start=draw(st.none() | times),
        end=draw(st.none() | times),
        every=draw(st.none() | st.sampled_from(Every)),
        zone=draw(st.sampled_from(ZONES)),
    )


def _cell(field: Field) -> st.SearchStrategy[Any]:
    if field.is_list:
        return st.lists(st.sampled_from(TEXTS), max_size=3).map(",".join)
    return st.none() | _VALUES[field.kind]


def _conditions(values: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[Condition, ...]]:
    def of(name: str) -> st.SearchStrategy[Condition]:
        named = st.lists(values[name], min_size=1, max_size=3).map(lambda each: Is(name, tuple(each)))
        return st.one_of(st.just(Known(name)), st.just(Unknown(name)), named)

    return st.lists(st.sampled_from(sorted(values)).flatmap(of), max_size=2).map(tuple)


def _formulas(
    source: Source, fields: Sequence[Field], values: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    of, where = st.just(source), _conditions(values)
    single = [field.name for field in fields if not field.is_list]
    integers = [field.name for field in fields if field.kind is Kind.INTEGER]
    plain: st.SearchStrategy[Any] = st.builds(Count, source=of, where=where)
    plain |= st.builds(Distinct, source=of, column=st.sampled_from(single), where=where)
    if integers:
        plain |= st.builds(Sum, source=of, column=st.sampled_from(integers), where=where)
    ages = st.builds(Age, source=of, column=st.just(source.time))
    return plain | st.builds(Ratio, top=plain, bottom=plain) | ages
