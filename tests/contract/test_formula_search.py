"""Searches of formulas, and what answers say. Any formula over real documents: tests/integration/test_figures.py."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from contract.figure import Figure
from contract.figures import (
    AMOUNTS,
    CONFLICTS_FOUND,
    HITS,
    LETTERS,
    LINES,
    ORDERS,
    PIECES,
    PRODUCTS_SOLD,
    QUIET_ORDERS,
    REFUSED,
    RETURN_RATE,
    REVENUE,
    SALES,
    VISITS,
)
from contract.formula import Count, Distinct, Is, Known, Sum, Unit, Unknown
from contract.formula_search import PAGE, body, condition, measured, measures, met, metric, next_page, page_size, read
from contract.question import Every, Question

pytestmark = pytest.mark.unit

NOW = dt.datetime(2026, 11, 27, 12, 0, 0, 500_000, tzinfo=dt.UTC)


def of(formula: Any, *dimensions: str) -> Figure:
    return Figure(
        name="any", title="", meaning="", unit=Unit.COUNT, formula=formula, dimensions=dimensions, kind="sales"
    )


def grouped(*buckets: dict[str, Any], after: Any = None) -> dict[str, Any]:
    return {"aggregations": {"groups": {"buckets": list(buckets), **({"after_key": after} if after else {})}}}


def test_a_search_is_of_its_period_and_returns_no_documents() -> None:
    start, end = NOW, NOW + dt.timedelta(hours=1)
    asked = body(Question(figures=(SALES,), start=start, end=end))
    assert asked["size"] == 0
    between = {"gte": "2026-11-27T12:00:00.500000+00:00", "lt": "2026-11-27T13:00:00.500000+00:00"}
    assert asked["query"] == {"bool": {"filter": [{"range": {"event_time": between}}]}}


def test_money_is_by_currency_and_a_group_may_be_of_none() -> None:
    pages = body(Question(figures=(REVENUE,), by=("region",)))["aggs"]["groups"]["composite"]
    assert pages["sources"] == [
        {"currency": {"terms": {"field": "currency", "missing_bucket": True}}},
        {"region": {"terms": {"field": "region", "missing_bucket": True}}},
    ]


def test_days_are_the_shops_and_come_back_in_utc() -> None:
    question = Question(figures=(SALES,), every=Every.DAY, zone="Europe/London")
    (source,) = body(question)["aggs"]["groups"]["composite"]["sources"]
    assert source["started_at"]["date_histogram"] == {
        "field": "event_time",
        "calendar_interval": "day",
        "time_zone": "Europe/London",
    }
    told = grouped({"key": {"started_at": 1_782_860_400_000}, "sales": {"doc_count": 3}})
    assert read(question, told) == [{"started_at": dt.datetime(2026, 6, 30, 23, tzinfo=dt.UTC), "sales": 3}]


def test_letters_that_were_mended_and_marks_without_a_letter_are_left_out() -> None:
    unmended = [{"exists": {"field": "reason"}}, {"bool": {"must_not": [{"exists": {"field": "mended_at"}}]}}]
    assert body(Question(figures=(REFUSED,)))["query"]["bool"]["filter"] == unmended
    assert met(Count(source=LETTERS)) == unmended


def test_products_are_counted_within_their_orders_and_one_without_a_sale_is_zero() -> None:
    question = Question(figures=(PIECES,), by=("sku",))
    pieces = body(question)["aggs"]["pieces"]
    assert pieces["filter"]["bool"]["filter"] == [{"term": {"kind": "sale"}}]
    nested = pieces["aggs"]["inside"]
    assert nested["nested"] == {"path": "lines"}
    by_sku = nested["aggs"]["inside"]["aggs"]["elements"]
    assert by_sku["terms"]["field"] == "lines.sku"
    assert by_sku["aggs"] == {"value": {"sum": {"field": "lines.quantity"}}}
    sold = {"key": "A", "doc_count": 2, "value": {"value": 7.0}}
    rows = {"elements": {"buckets": [{"key": "A", "doc_count": 2}, {"key": "B", "doc_count": 1}]}}
    told = {"rows": rows, "pieces": {"inside": {"inside": {"elements": {"buckets": [sold]}}}}}
    assert read(question, told) == [{"sku": "A", "pieces": 7}, {"sku": "B", "pieces": 0}]
    rows["elements"]["sum_other_doc_count"] = 1  # type: ignore[assignment]
    with pytest.raises(ValueError, match="ask for less time"):
        read(question, told)


def test_a_ratio_by_nothing_is_unknown() -> None:
    told = {"return_rate.top": {"doc_count": 3}, "return_rate.bottom": {"doc_count": 0}}
    question = Question(figures=(RETURN_RATE,))
    assert read(question, told) == [{"return_rate": None}]
    assert read(question, told | {"return_rate.bottom": {"doc_count": 4}}) == [{"return_rate": 0.75}]


def test_an_age_is_in_seconds_of_the_clock_and_unknown_without_a_document() -> None:
    question = Question(figures=(QUIET_ORDERS,))
    newest = (NOW - dt.timedelta(seconds=10)).timestamp() * 1000
    assert read(question, {"quiet_orders": {"value": {"value": newest}}}, now=NOW) == [{"quiet_orders": 10}]
    assert read(question, {"quiet_orders": {"value": {"value": None}}}, now=NOW) == [{"quiet_orders": None}]
    with pytest.raises(ValueError, match="at some time"):
        read(question, {"quiet_orders": {"value": {"value": newest}}})


def test_pages_end_and_are_small_where_different_values_are_counted() -> None:
    question = Question(figures=(SALES,), by=("region",))
    bucket = {"key": {"region": "GB"}, "sales": {"doc_count": 1}}
    assert next_page(question, grouped(bucket, after={"region": "GB"})) is None
    full = grouped(*[bucket] * PAGE, after={"region": "GB"})
    assert next_page(question, full) == {"region": "GB"}
    following = body(question, after={"region": "GB"})
    assert following["aggs"]["groups"]["composite"]["after"] == {"region": "GB"}
    assert 1 <= page_size(Question(figures=(VISITS,), by=("device",))) < PAGE


def test_an_answer_of_part_of_the_store_is_none() -> None:
    for partial in ({"timed_out": True}, {"_shards": {"failed": 1}}):
        with pytest.raises(ValueError, match="too low"):
            read(Question(figures=(SALES,)), {**partial, "aggregations": {"sales": {"doc_count": 1}}})


def test_a_shop_without_an_index_has_what_a_table_without_rows_has() -> None:
    nothing = {"took": 1, "timed_out": False, "_shards": {"total": 0, "failed": 0}, "hits": {"hits": []}}
    assert read(Question(figures=(SALES, RETURN_RATE)), nothing) == [{"sales": 0, "return_rate": None}]
    assert read(Question(figures=(QUIET_ORDERS,)), nothing, now=NOW) == [{"quiet_orders": None}]
    for question in (Question(figures=(REVENUE,)), Question(figures=(PIECES,), by=("sku",))):
        assert read(question, nothing) == []
        assert next_page(question, nothing) is None


def test_a_figure_fits_into_any_bucket() -> None:
    assert measures("revenue", Sum(source=ORDERS, column="revenue")) == {"revenue": {"sum": {"field": "revenue"}}}
    for figure, told, value in (
        (REVENUE, {"revenue": {"value": -5.0}}, -5),
        (SALES, {"sales": {"doc_count": 2}}, 2),
        (PIECES, {"pieces": {"inside": {"inside": {"value": {"value": 9.0}}}}}, 9),
    ):
        assert measures(figure.name, figure.formula).keys() == told.keys()  # type: ignore[arg-type]
        assert measured(figure.name, figure.formula, told) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("formula", "dimensions"),
    [
        (Count(source=AMOUNTS), ()),  # no index
        (Sum(source=ORDERS, column="total"), ()),  # kept, not computed with
        (Sum(source=LINES, column="discount"), ()),
        (Sum(source=LINES, column="units"), ()),  # the document's own are the order's
        (Distinct(source=LINES, column="event_id"), ()),
        (Count(source=LINES, where=(Is("units", (1,)),)), ()),
        (Count(source=ORDERS, where=(Is("revenue", (5,)),)), ()),  # summed, not searched
        (Count(source=ORDERS, where=(Known("origin_attempt"),)), ()),  # 0 is left out of documents
        (Distinct(source=ORDERS, column="origin_attempt"), ()),
        (Count(source=ORDERS), ("total",)),
        (Count(source=HITS), ("flags",)),
        (Count(source=LINES), ("sku", "quantity")),
        (Distinct(source=LINES, column="quantity"), ("sku",)),
    ],
    ids=str,
)
def test_what_live_cannot_say_is_an_error(formula: Any, dimensions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"live|no document"):
        body(Question(figures=(of(formula, *dimensions),), by=dimensions))


def test_conditions_are_checked_as_the_warehouses_are() -> None:
    assert condition(HITS, Is("flags", ("probe",))) == {"term": {"flags": "probe"}}
    assert condition(HITS, Is("status", (200, 304))) == {"terms": {"status": [200, 304]}}
    assert condition(ORDERS, Known("origin_file")) == {"exists": {"field": "origin.file"}}
    assert condition(LINES, Unknown("sku")) == {"bool": {"must_not": [{"exists": {"field": "lines.sku"}}]}}
    for wrong in (Is("status", ("200",)), Is("is_bot", (1,)), Is("page", ()), Is("no_such", ("x",))):
        with pytest.raises(ValueError, match=r"never|none of no values|has no column"):
            condition(HITS, wrong)
    with pytest.raises(ValueError, match="is no integer"):
        metric(Sum(source=ORDERS, column="kind"))


def test_what_has_no_index_is_not_searched() -> None:
    with pytest.raises(ValueError, match="live has no conflicts"):
        body(Question(figures=(CONFLICTS_FOUND,)))
    in_all = body(Question(figures=(replace(PRODUCTS_SOLD, dimensions=()),)))
    assert in_all["query"]["bool"]["filter"] == [{"nested": {"path": "lines", "query": {"match_all": {}}}}]
