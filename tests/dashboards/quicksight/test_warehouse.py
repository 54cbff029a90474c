"""Data sets and sheets over a real warehouse: what QuickSight would fetch and show."""

import datetime as dt
import re

import pytest

from contract.figures import figure
from contract.formula_sql import expression, relation
from contract.question import formula_of
from contract.tables import Kind
from dashboards.preview.page import page
from dashboards.preview.questions import parameters, question
from dashboards.quicksight.datasets import SETS, as_rows, data_set_of, sql
from dashboards.quicksight.definition import definition
from dashboards.quicksight.fields import FIELDS
from dashboards.quicksight.resources import resources
from dashboards.quicksight.sheets import region_sheets, shop_sheets

pytestmark = pytest.mark.integration

NOW = "TIMESTAMP '2099-01-01 00:00:00'"
TYPES = {Kind.TEXT: str, Kind.INTEGER: int, Kind.DATE: dt.date, Kind.TIME: dt.datetime}


@pytest.fixture(scope="module")
def told():
    return definition(shop_sheets("GBP"), {each.name: each.name for each in SETS}, "GBP")


@pytest.mark.parametrize("data_set", SETS, ids=lambda each: each.name)
def test_a_data_set_brings_what_it_declares_and_its_fields_are_the_figures(stack, corner, settings, data_set):
    formulas = [formula_of(each) for each in FIELDS.values() if data_set.holds(each)]
    figures = ", ".join(f"{expression(formula, now=NOW)} AS f{place}" for place, formula in enumerate(formulas))
    with corner(stack.warehouse) as session:
        rows = session.query("some", f"SELECT * FROM ({sql(data_set, settings)}) some_rows LIMIT 100")
        # Whatever bounds its rows, the shop of this test is younger.
        fetched = session.query("fetched", f"SELECT {figures} FROM {as_rows(data_set, settings)} fetched_rows")
        there = session.query("there", f"SELECT {figures} FROM {relation(data_set.source, 'Europe/London')}")
    declared = {each.name: TYPES[each.kind] for each in data_set.columns("Europe/London")}
    assert rows or data_set.name in {"duplicates", "conflicts", "failed_checkouts"}
    for row in rows:
        assert list(row) == list(declared)
        for column, value in row.items():
            assert value is None or type(value) is declared[column], column
    assert fetched == there


def test_the_rules_of_row_level_security_are_rows_that_the_warehouse_answers(ask, settings):
    (rules,) = (each for each in resources(settings) if each.id == "storepulse-region_rules")
    rows = ask(rules.request["PhysicalTableMap"]["fetched"]["CustomSql"]["SqlQuery"])
    groups = {group.rpartition("/")[2]: regions for user, group, regions in rows if user is None}
    assert groups == {
        "storepulse-owners": None,
        "storepulse-readers": None,
        "uk-sales": "GB,IE",
        "dach": "DE,AT",
    }


def test_hours_and_steps_come_to_the_figures_that_they_are_made_of(ask, settings):
    def value(name, more=""):
        ((found,),) = ask(
            f"SELECT {expression(formula_of(FIELDS[name]))} FROM {as_rows(data_set_of(name), settings)} t{more}"
        )
        return found

    assert value("hours_revenue", " WHERE currency = 'GBP'") == value("revenue", " WHERE currency = 'GBP'")
    assert value("region_hours_sales") == value("hours_sales") == value("sales")
    for place, name in enumerate(("visits", "visits_product", "visits_cart", "visits_checkout"), start=1):
        assert value("visits_at_step", f" WHERE step = '{place} {figure(name).title}'") == value(name)


def test_money_is_in_whole_units_and_never_of_two_currencies(ask, told, settings):
    values = parameters(told, dt.datetime.now(dt.UTC).date(), {})
    (visual,) = (v for s in told["Sheets"] for v in s["Visuals"] if "trends-combo" in str(v))
    asked = question(visual, told, values, settings)
    pounds = sum(float(row[1]) for row in ask(asked.text))
    ((pence,),) = ask("SELECT SUM(revenue) FROM orders WHERE currency = 'GBP'")
    assert pounds == pytest.approx(pence / 100)
    yen = question(visual, told, {**values, "Currency": "JPY"}, settings)
    ((whole,),) = ask("SELECT SUM(revenue) FROM orders WHERE currency = 'JPY'")
    assert sum(float(row[1]) for row in ask(yen.text)) == pytest.approx(whole)
    (total,) = (v for s in told["Sheets"] for v in s["Visuals"] if "products-kpi-product-revenue" in str(v))
    alone = question(total, told, values, settings).text
    mixed = alone.replace("currency = 'GBP'", "TRUE")
    assert mixed != alone
    assert ask(alone) != [(None,)]
    assert ask(mixed) == [(None,)]


def test_both_dashboards_are_drawn_whole(ask, settings, told):
    for sheets in (shop_sheets("GBP"), region_sheets("GBP")[:1]):
        own = definition(sheets, {each.name: each.name for each in SETS}, "GBP")
        text = page("shop", own, ask, settings, now=dt.datetime.now(dt.UTC))
        for sheet in sheets:
            for visual in sheet.visuals:
                assert text.count(f'data-testid="{visual.id}"') == 1
        assert not re.search(r"(src|href)=", text.partition("<script")[0])
