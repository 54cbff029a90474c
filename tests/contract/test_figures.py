"""The list itself: each figure is whole, all that show it follow it, and its page is up to date."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract import figures, formula_search
from contract.figure import Figure
from contract.figures import FIGURES, alarms, figure
from contract.figures_page import document, page
from contract.formula import Count, Distinct, Is, Metric, Ratio, Source, Sum, Unit
from contract.formula_fields import fields_of
from contract.formula_sql import query
from contract.question import Question, formula_of
from dashboards.board import queries

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
COMPUTED = [each for each in FIGURES if not isinstance(each.formula, Metric)]
AMOUNTS = {"revenue", "total", "tax", "shipping", "amount", "usual", "unit_price", "discount"}
NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def sums(formula: Any) -> Iterator[Sum]:
    if isinstance(formula, Ratio):
        yield from (*sums(formula.top), *sums(formula.bottom))
    elif isinstance(formula, Sum):
        yield formula


def named(each: Figure) -> str:
    return each.name


def test_names_are_one_each_and_fit_for_columns_files_and_addresses() -> None:
    names = [each.name for each in FIGURES]
    assert len({*names}) == len(names)
    assert all(name.replace("_", "").isalnum() and name == name.lower() and not name[0].isdigit() for name in names)
    assert all(figure(name).name == name for name in names)
    with pytest.raises(KeyError):
        figure("no_such_figure")


@pytest.mark.parametrize("each", FIGURES, ids=named)
def test_a_figure_says_what_it_means(each: Figure) -> None:
    assert each.title
    assert each.meaning.endswith(".")
    assert not each.title[0].islower()


@pytest.mark.parametrize("each", COMPUTED, ids=named)
def test_a_figure_is_computed_by_columns_that_there_are(each: Figure) -> None:
    source = formula_of(each).source
    assert {*each.dimensions, source.time} <= fields_of(source.row).keys()
    query(Question(figures=(each,), by=each.dimensions))
    if each.in_live:
        formula_search.body(Question(figures=(each,), by=each.dimensions))


@pytest.mark.parametrize("each", COMPUTED, ids=named)
def test_amounts_are_never_added_across_currencies(each: Figure) -> None:
    """Usual orders are counts that lie in a column of amounts; nothing else of such a column is."""
    counted = {"usual_sales", "region_usual_sales", "sales_to_usual"}
    if any(part.column in AMOUNTS for part in sums(each.formula)) and each.name not in counted:
        assert each.by_currency
    if each.by_currency:
        assert "currency" in each.dimensions
        assert Question(figures=(each,)).groups == ("currency",)


def test_an_alarm_is_of_a_figure_that_has_a_good_direction() -> None:
    for each in alarms():
        assert each.alarm
        assert each.better == {"above": "lower", "below": "higher"}[each.alarm.when]


def test_a_source_has_one_name_everywhere() -> None:
    by_name: dict[str, Source] = {}
    for each in COMPUTED:
        source = formula_of(each).source
        assert by_name.setdefault(source.name, source) == source


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts another formula into the list."""

    def change(name: str, formula: Any) -> Figure:
        new = replace(figure(name), formula=formula)
        monkeypatch.setattr(figures, "FIGURES", tuple(new if each.name == name else each for each in FIGURES))
        return new

    return change


def test_all_follow_a_changed_formula(changed: Any) -> None:
    before = page(), document(), queries.minute_figures(queries.open_window(NOW)).body
    changed("revenue", Sum(source=figures.ORDERS, column="units", where=(Is("channel", ("web",)),)))
    asked = Question(figures=(figure("revenue"),))
    assert "CASE WHEN channel = 'web' THEN units END" in query(asked).text
    searched = json.dumps(formula_search.body(asked))
    assert '{"channel": "web"}' in searched
    assert '{"field": "units"}' in searched
    assert queries.minute_figures(queries.open_window(NOW)).body != before[2]
    after_page, after_document = page(), document()
    assert after_page != before[0]
    assert "CASE WHEN channel = 'web' THEN units END" in after_page.split("### revenue")[1].split("###")[0]
    assert after_document["figures"][0] != before[1]["figures"][0]
    assert after_document["figures"][1:] == before[1]["figures"][1:]


def test_the_board_follows_a_changed_formula(changed: Any) -> None:
    span = queries.open_window(NOW)
    changed("revenue", Sum(source=figures.ORDERS, column="units", where=(Is("channel", ("web",)),)))
    changed_body = queries.minute_figures(span).body
    minutes = changed_body["aggs"]["currencies"]["aggs"]["minutes"]["aggs"]
    assert minutes["revenue"] == {
        "filter": {"bool": {"filter": [{"term": {"channel": "web"}}]}},
        "aggs": {"value": {"sum": {"field": "units"}}},
    }


@pytest.mark.parametrize(
    ("name", "formula", "ask", "wanted"),
    [
        (
            "sales",
            Distinct(source=figures.ORDERS, column="order_id"),
            lambda: queries.minute_figures(queries.open_window(NOW)),
            {"cardinality": {"field": "order_id", "precision_threshold": 40_000}},
        ),
        (
            "pieces",
            Sum(source=figures.LINES, column="quantity", where=(Is("kind", ("return",)),)),
            lambda: queries.best_sellers(NOW),
            {"term": {"kind": "return"}},
        ),
        (
            "refused",
            Count(source=figures.LETTERS, where=(Is("event_type", ("order",)),)),
            lambda: queries.refusals(NOW),
            {"term": {"event_type": "order"}},
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_each_figure_of_the_board_follows(changed: Any, name: str, formula: Any, ask: Any, wanted: Any) -> None:
    def parts(body: Any) -> Iterator[Any]:
        yield body
        for each in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
            yield from parts(each)

    assert wanted not in list(parts(dict(ask().body)))
    changed(name, formula)
    assert wanted in list(parts(dict(ask().body)))


def test_what_the_board_cannot_say_is_an_error(changed: Any) -> None:
    changed("pieces", Count(source=figures.LINES))
    with pytest.raises(ValueError, match="best sellers"):
        queries.best_sellers(NOW)
    changed("revenue", Sum(source=figures.AMOUNTS, column="amount"))
    with pytest.raises(ValueError, match="live"):
        queries.minute_figures(queries.open_window(NOW))


def test_the_page_is_up_to_date() -> None:
    current = (ROOT / "docs" / "figures.md").read_text()
    assert current == page(), "run `python -m dashboards figures > docs/figures.md`"


def test_the_page_has_every_figure_and_where_it_is_computed() -> None:
    sections = page().split("\n### ")
    for each in FIGURES:
        (section,) = [part for part in sections if part.startswith(f"{each.name}\n")]
        assert each.meaning in section
        assert ("warehouse: `" in section) is each.in_warehouse
        assert ("live: no such documents" in section) is (each.in_warehouse and not each.in_live)
        assert ("alarm when" in section) is bool(each.alarm)


def test_the_command_prints_the_page_and_the_same_as_json() -> None:
    command = [sys.executable, "-m", "dashboards", "figures"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == page()
    printed = json.loads(json.dumps(document()))
    assert [each["name"] for each in printed["figures"]] == [each.name for each in FIGURES]
    assert {
        each["name"] for each in printed["figures"] if each["unit"] == Unit.MONEY.value and not each["by_currency"]
    } == set()
