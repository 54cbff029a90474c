"""The rows that figures are computed over where no table has them: usual hours, new customers, files."""

import datetime as dt
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.derived import FILES, PURCHASES
from contract.figures import (
    FIGURES,
    HOURS,
    MISSING,
    NEW_CUSTOMERS,
    NEW_REVENUE,
    REGION_HOURS,
    REGION_USUAL_REVENUE,
    RETURNING_CUSTOMERS,
    RETURNING_REVENUE,
    REVENUE_TO_USUAL,
    SALES_TO_USUAL,
    USUAL_REVENUE,
    USUAL_SALES,
)
from contract.formula_fields import fields_of
from contract.formula_sql import query, relation
from contract.question import Every, Question
from contract.rows import DuplicateRow, HeartbeatRow, HitRow, LedgerRow, LetterRow, OrderRow

pytestmark = pytest.mark.unit

LONDON = ZoneInfo("Europe/London")
WEEK = dt.timedelta(weeks=1)
NOON = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)  # the warehouse's clock is half an hour later


def weeks_ago(count: int) -> dt.datetime:
    """Noon by the shop's clock, which changed on 25 October."""
    return (NOON.astimezone(LONDON) - WEEK * count).astimezone(dt.UTC)


def order(at: dt.datetime, revenue: int = 100, **more: Any) -> dict[str, Any]:
    return {
        "event_time": at,
        "event_date": at.astimezone(LONDON).date(),
        "kind": "return" if revenue < 0 else "sale",
        "currency": "GBP",
        "region": "GB",
        "channel": "web",
        "revenue": revenue,
        **more,
    }


def ask(warehouse: Any, *figures: Any, **how: Any) -> Any:
    return warehouse.ask(query(Question(figures=figures, zone="Europe/London", **how)))


def test_every_column_that_a_relation_promises_is_there(warehouse: Any) -> None:
    for table, row in (
        *(("orders", OrderRow), ("hits", HitRow), ("letters_open", LetterRow)),
        *(("duplicates", DuplicateRow), ("account", HeartbeatRow), ("ledger", LedgerRow)),
    ):
        warehouse.fill(table, row, [])
    for source in (PURCHASES, FILES, HOURS, REGION_HOURS):
        names = ", ".join(fields_of(source.row))
        assert warehouse.ask(f"SELECT {names} FROM {relation(source, 'Europe/London')}") == []
        assert {source.time, source.day} - {""} <= fields_of(source.row).keys()


def test_usual_is_the_median_of_eight_weeks_and_a_week_without_sales_is_one_of_them(warehouse: Any) -> None:
    amounts = {1: 900, 2: 500, 3: 100, 5: 300, 6: 700, 8: 200}  # by weeks before; nothing in the others
    earlier = [order(weeks_ago(ago), amount) for ago, amount in amounts.items()]
    older = [order(weeks_ago(9), 10**6), order(weeks_ago(12), 10**6)]  # not within eight weeks
    other_hour = [order(NOON - WEEK - dt.timedelta(hours=1), 10**6), order(NOON - dt.timedelta(days=1), 10**6)]
    today = [order(NOON, 40), order(NOON + dt.timedelta(minutes=1), -15)]
    warehouse.fill("orders", OrderRow, [*earlier, *older, *other_hour, *today])
    hour = {"start": NOON, "end": NOON + dt.timedelta(hours=1)}
    expected = round(median([*amounts.values(), 0, 0]))
    assert ask(warehouse, USUAL_REVENUE, **hour) == [{"currency": "GBP", "usual_revenue": expected}]
    assert ask(warehouse, USUAL_SALES, **hour) == [{"usual_sales": 1}]
    # The running hour is compared with nothing yet.
    assert ask(warehouse, REVENUE_TO_USUAL, **hour) == [{"currency": "GBP", "revenue_to_usual": None}]


def test_hours_are_of_the_shops_clock(warehouse: Any) -> None:
    """At noon in London, in summer and in winter: the clock changed on 25 October."""
    noons = [dt.datetime(2026, 11, 6, 12, tzinfo=LONDON) - WEEK * ago for ago in range(4)]
    assert len({noon.astimezone(dt.UTC).hour for noon in noons}) == 2
    warehouse.fill("orders", OrderRow, [order(noon.astimezone(dt.UTC), 100) for noon in noons])
    (row,) = ask(warehouse, USUAL_REVENUE, REVENUE_TO_USUAL, start=noons[0].astimezone(dt.UTC), end=NOON - 2 * WEEK)
    assert row == {"currency": "GBP", "usual_revenue": 100, "revenue_to_usual": 1.0}


def test_a_shop_is_not_compared_with_weeks_before_it_opened(warehouse: Any) -> None:
    warehouse.fill("orders", OrderRow, [order(NOON - WEEK, 300), order(NOON - WEEK * 2, 100)])
    today = {"start": NOON, "end": NOON + dt.timedelta(hours=1)}
    assert ask(warehouse, USUAL_REVENUE, **today) == [{"currency": "GBP", "usual_revenue": 200}]
    first = {"start": NOON - WEEK * 2, "end": NOON - WEEK * 2 + dt.timedelta(hours=1)}
    assert ask(warehouse, USUAL_SALES, SALES_TO_USUAL, **first) == [{"usual_sales": 0, "sales_to_usual": None}]


def test_currencies_are_compared_each_with_its_own_past(warehouse: Any) -> None:
    before = NOON - dt.timedelta(hours=1)  # an hour that is over
    rows = [order(before - WEEK, 100), order(before - WEEK, 7_000, currency="JPY")]
    warehouse.fill("orders", OrderRow, [*rows, order(before, 50), order(before, 14_000, currency="JPY")])
    found = ask(warehouse, REVENUE_TO_USUAL, start=before, end=NOON)
    assert {row["currency"]: row["revenue_to_usual"] for row in found} == {"GBP": 0.5, "JPY": 2.0}


def test_usual_of_a_day_is_there_to_its_end_and_no_further(warehouse: Any) -> None:
    evening = NOON - WEEK + dt.timedelta(hours=9)
    tomorrow = NOON - WEEK + dt.timedelta(days=1)
    warehouse.fill("orders", OrderRow, [order(evening, 300), order(tomorrow, 500)])
    found = ask(warehouse, USUAL_REVENUE, every=Every.DAY, start=NOON - dt.timedelta(days=1))
    assert [(row["started_at"].date(), row["usual_revenue"]) for row in found] == [(NOON.date(), 300)]


def test_usual_of_a_region_is_its_own_and_an_unknown_region_is_one_too(warehouse: Any) -> None:
    rows = [order(NOON - WEEK, 100), order(NOON - WEEK, 30, region="DE"), order(NOON - WEEK, 5, region=None)]
    warehouse.fill("orders", OrderRow, rows)
    found = ask(warehouse, REGION_USUAL_REVENUE, by=("region",), start=NOON)
    assert {row["region"]: row["region_usual_revenue"] for row in found} == {"GB": 100, "DE": 30, None: 5}


def test_a_customer_is_new_on_the_day_of_the_first_purchase(warehouse: Any) -> None:
    day = dt.timedelta(days=1)
    rows = [
        order(NOON, 10, customer="a"),
        order(NOON + dt.timedelta(hours=1), 20, customer="a"),
        order(NOON + day, 40, customer="a"),
        order(NOON + day, 80, customer="b"),
        order(NOON + day, 160),
        order(NOON, -5, customer="b", kind="return"),  # no purchase
    ]
    warehouse.fill("orders", OrderRow, rows)
    figures = (NEW_CUSTOMERS, RETURNING_CUSTOMERS, NEW_REVENUE, RETURNING_REVENUE)
    found = ask(warehouse, *figures, every=Every.DAY)
    assert [tuple(row[figure.name] for figure in figures) for row in found] == [(1, 0, 30, 0), (1, 1, 80, 40)]


def test_the_account_compares_each_file_up_to_its_last_settled_heartbeat(warehouse: Any) -> None:
    def beat(file_id: str, end: int, lines: int, minutes: int, kind: str = "order") -> dict[str, Any]:
        at = NOON - dt.timedelta(minutes=minutes)
        return {"file_id": file_id, "kind": kind, "path": "p", "end_offset": end, "lines": lines, "arrived_at": at}

    def line(table: str, row: Any, *places: tuple[str, int], **more: Any) -> None:
        rows = [{"origin_file": file_id, "origin_offset": offset, **more} for file_id, offset in places]
        warehouse.fill(table, row, rows)

    beats = [beat("f", 20, 2, 60), beat("f", 40, 4, 20), beat("f", 60, 6, 1), beat("g", 30, 3, 30, "access")]
    warehouse.fill("account", HeartbeatRow, beats)
    warehouse.fill("ledger", LedgerRow, [{"last_arrived_at": NOON}])
    line("orders", OrderRow, ("f", 0), ("f", 10), ("f", 45), ("other", 0))
    line("hits", HitRow, ("g", 0), ("g", 10))
    line("duplicates", DuplicateRow, ("f", 20))
    line("letters_open", LetterRow, ("f", 30), event_type="order")
    found = ask(warehouse, MISSING, by=("kind",))
    assert {row["kind"]: row["missing"] for row in found} == {"order": 0, "access": 1}
    line("letters_open", LetterRow, ("f", 30), event_type="heartbeat")  # no line of the file
    assert ask(warehouse, MISSING) == [{"missing": 2}]


def test_what_is_derived_is_the_warehouses_alone() -> None:
    derived = [figure for figure in FIGURES if figure.source and figure.source.relation.startswith("(")]
    assert len(derived) >= 12
    assert not [figure.name for figure in derived if figure.in_live]
