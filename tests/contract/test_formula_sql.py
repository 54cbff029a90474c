"""The warehouse's SQL of a formula says what the formula means, whatever it is and whatever the rows are."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.figure import Figure
from contract.figures import DUPLICATES, HITS, HOURS, LETTERS, LINES, ORDERS, REVENUE, SALES
from contract.formula import Age, Condition, Count, Distinct, Is, Known, Ratio, Source, Sum, Unit, Unknown
from contract.formula_fields import Field, fields_of
from contract.formula_sql import condition, expression, literal, query, read, relation
from contract.formula_testing import evaluate
from contract.health import LIVE_LAG
from contract.question import BUCKET, Every, Question
from contract.tables import Kind

pytestmark = pytest.mark.unit

TEXTS = ["sale", "return", "it's", "5xx", "?", "%_", "Zoë Ω", "a?b'c"]
# Around both changes of the clock in London and in Lord Howe, which moves by half an hour.
MOMENTS = [
    dt.datetime(2026, 10, 25, 0, 10, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, 0, 40, tzinfo=dt.UTC),
    dt.datetime(2026, 4, 4, 14, 50, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
]
TIMES = st.builds(
    lambda at, minutes: at + dt.timedelta(minutes=minutes), st.sampled_from(MOMENTS), st.integers(-300, 300)
)
SOURCES = [ORDERS, LINES, HITS, LETTERS, DUPLICATES]
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.sampled_from(TEXTS),
    Kind.INTEGER: st.integers(-(10**12), 10**12),
    Kind.BOOLEAN: st.booleans(),
    Kind.TIME: TIMES,
    Kind.DATE: TIMES.map(lambda time: time.date()),
}


def used(source: Source) -> list[Field]:
    """A few columns of each kind: rows of all would be slow to make."""
    fields = list(fields_of(source.row).values())
    chosen = [[each for each in fields if each.kind is kind and not each.is_list][:3] for kind in Kind]
    return [*(each for same in chosen for each in same), *(each for each in fields if each.is_list)]


def cells(field: Field) -> st.SearchStrategy[Any]:
    if field.is_list:
        return st.lists(st.sampled_from(TEXTS), max_size=3).map(",".join)
    return st.none() | VALUES[field.kind]


def rows_of(source: Source) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {field.name: cells(field) for field in used(source)}
    columns |= {source.time: TIMES, "currency": st.sampled_from(["GBP", "JPY"])}
    known = {name: column for name, column in columns.items() if name in fields_of(source.row)}
    return st.lists(st.fixed_dictionaries(known), max_size=12)


def conditions(source: Source) -> st.SearchStrategy[tuple[Condition, ...]]:
    fields = [each for each in used(source) if each.kind in (Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN)]

    def of(field: Field) -> st.SearchStrategy[Condition]:
        values = st.lists(VALUES[field.kind], min_size=1, max_size=3).map(tuple)
        one_of_values = values.map(lambda each: Is(field.name, each))
        return st.sampled_from([Known(field.name), Unknown(field.name)]) | one_of_values

    return st.lists(st.sampled_from(fields).flatmap(of), max_size=2).map(tuple)


def formulas(source: Source) -> st.SearchStrategy[Any]:
    names: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for field in used(source):
        if not field.is_list:
            names[field.kind].append(field.name)
    plain = st.builds(Count, source=st.just(source), where=conditions(source)) | st.builds(
        Distinct,
        source=st.just(source),
        column=st.sampled_from([name for each in names.values() for name in each]),
        where=conditions(source),
    )
    if names[Kind.INTEGER]:
        summed = st.sampled_from(names[Kind.INTEGER])
        plain |= st.builds(Sum, source=st.just(source), column=summed, where=conditions(source))
    ages = st.builds(Age, source=st.just(source), column=st.just(source.time))
    return plain | st.builds(Ratio, top=plain, bottom=plain) | ages


@st.composite
def cases(draw: st.DrawFn) -> tuple[Question, list[dict[str, Any]]]:
    source = draw(st.sampled_from(SOURCES))
    has_currency = "currency" in fields_of(source.row)
    dimensions = tuple(field.name for field in used(source) if not field.is_list and field.kind is not Kind.TIME)
    figures = tuple(
        Figure(
            name=f"figure_{number}",
            title="",
            meaning="",
            unit=draw(st.sampled_from([Unit.MONEY, Unit.COUNT])) if has_currency else Unit.COUNT,
            formula=draw(formulas(source)),
            dimensions=dimensions,
            kind="sales",
        )
        for number in range(draw(st.integers(1, 2)))
    )
    question = Question(
        figures=figures,
        by=tuple(draw(st.lists(st.sampled_from(dimensions), max_size=2, unique=True))),
        start=draw(st.none() | TIMES),
        end=draw(st.none() | TIMES),
        every=draw(st.none() | st.sampled_from(Every)),
        zone=draw(st.sampled_from(["UTC", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"])),
    )
    return question, draw(rows_of(source))


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


@given(case=cases())
def test_the_warehouse_answers_what_the_formula_means(
    warehouse: Any, case: tuple[Question, list[dict[str, Any]]]
) -> None:
    question, rows = case
    warehouse.fill(question.source.relation, question.source.row, rows)
    answer = read(warehouse.ask(query(question)), question)
    assert in_order(answer) == in_order(evaluate(question, rows, warehouse.now))


def test_a_value_is_one_literal_whatever_it_holds(warehouse: Any) -> None:
    assert literal("it's") == "'it''s'"
    assert [literal(True), literal(False), literal(-1)] == ["TRUE", "FALSE", "-1"]
    for hostile in ("x'; DROP TABLE orders; --", "''", "'"):
        assert warehouse.ask(f"SELECT {literal(hostile)} AS said") == [{"said": hostile}]
    for unsaid in ("back\\slash", "nul\0", "line\nbreak"):
        with pytest.raises(ValueError, match="reads alike"):
            literal(unsaid)


def test_identifiers_are_the_contracts_alone() -> None:
    for wanted in (Known("1; DROP TABLE orders"), Is("no_such", ("x",))):
        with pytest.raises(ValueError, match="has no column"):
            condition(ORDERS, wanted)
    with pytest.raises(ValueError, match="has no column"):
        expression(Sum(source=ORDERS, column="lines"))


def test_what_a_column_never_holds_is_an_error_not_an_empty_answer() -> None:
    for wrong in (Is("late", ("true",)), Is("revenue", (True,)), Is("kind", (1,)), Is("kind", ())):
        with pytest.raises(ValueError, match=r"never|none of no values"):
            condition(ORDERS, wrong)
    for formula in (Sum(source=ORDERS, column="kind"), Age(source=ORDERS, column="revenue")):
        with pytest.raises(ValueError, match="is no"):
            expression(formula)


def test_money_is_by_currency_though_nobody_asks() -> None:
    text = query(Question(figures=(REVENUE,))).text
    assert text.startswith("SELECT currency,")
    assert "GROUP BY 1" in text
    assert "currency" not in query(Question(figures=(SALES,))).text
    assert query(Question(figures=(SALES, REVENUE), by=("region",))).text.startswith("SELECT currency, region,")


def test_bounds_are_parameters_in_and_out() -> None:
    start, end = MOMENTS[1], MOMENTS[0]
    asked = query(Question(figures=(SALES,), start=start, end=end))
    assert asked.parameters == (start, end)
    assert asked.text.endswith("WHERE event_time >= ? AND event_time < ?")


def test_a_relation_has_the_shops_zone() -> None:
    text = relation(HOURS, "Europe/London")
    assert "{" not in text
    assert text.count("'Europe/London'") == 4


def test_a_question_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="no dimension 'device'"):
        Question(figures=(REVENUE,), by=("device",))
    with pytest.raises(ValueError, match="not computed over the same rows"):
        Question(figures=(REVENUE, replace(REVENUE, formula=Count(source=HITS))))
    with pytest.raises(ValueError, match="no IANA time zone"):
        Question(figures=(REVENUE,), zone="Mars/Olympus")
    with pytest.raises(ValueError, match="measured by CloudWatch"):
        Question(figures=(LIVE_LAG,))
    assert BUCKET not in query(Question(figures=(SALES,), by=("event_date",))).text
