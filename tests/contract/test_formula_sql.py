"""The warehouse's SQL of a formula says what the formula means, whatever it is and whatever the rows are."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.figures import DUPLICATES, HITS, HOURS, LETTERS, LINES, ORDERS, REVENUE, SALES, figure
from contract.formula import Age, Count, Is, Known, Sum
from contract.formula_sql import condition, expression, literal, query, read, relation
from contract.formula_strategies import MOMENTS, TIMES, Rows, few_of, questions, rows, values_of
from contract.formula_testing import evaluate
from contract.question import BUCKET, Question

pytestmark = pytest.mark.unit

SOURCES = [ORDERS, LINES, HITS, LETTERS, DUPLICATES]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Question, Rows]:
    source = draw(st.sampled_from(SOURCES))
    fields = few_of(source)
    return draw(questions(source, fields, values_of(fields), TIMES)), draw(rows(source))


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


@given(case=cases())
def test_the_warehouse_answers_what_the_formula_means(warehouse: Any, case: tuple[Question, Rows]) -> None:
    question, rows_there = case
    warehouse.fill(question.source.relation, question.source.row, rows_there)
    answer = read(warehouse.ask(query(question)), question)
    assert in_order(answer) == in_order(evaluate(question, rows_there, warehouse.now))


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
    with pytest.raises(ValueError, match="twice"):
        Question(figures=(REVENUE,), by=("region", "region"))
    with pytest.raises(ValueError, match="bounds have a time zone"):
        Question(figures=(REVENUE,), start=dt.datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="no IANA time zone"):
        Question(figures=(REVENUE,), zone="Mars/Olympus")
    with pytest.raises(ValueError, match="measured by CloudWatch"):
        Question(figures=(figure("live_lag"),))
    assert BUCKET not in query(Question(figures=(SALES,), by=("event_date",))).text
