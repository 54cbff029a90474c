from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.rows import OrderRow
from dashboards.board.known import Known, Refusal, Seller, Tally, total
from dashboards.board.queries import MINUTE, MINUTES_SHOWN, closed_window, open_window, recent_window, window
from dashboards.board.search import Answer, typed
from dashboards.board.testing import minutes_answer, orders_answer, refusals_answer, sellers_answer

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 27, 8, 30, 10, tzinfo=UTC)
THIS = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


def answer(raw: dict[str, Any]) -> Answer:
    return typed({"responses": [raw]}, 1)[0]


def test_minutes_are_kept_by_currency() -> None:
    told = answer(minutes_answer({"GBP": {THIS: (2025.0, 1)}, "EUR": {THIS: (-300.0, 0)}}))
    known = Known().with_minutes(told, open_window(NOW), NOW)
    assert known.minutes == {THIS: {"GBP": Tally(2025, 1), "EUR": Tally(-300, 0)}}


def test_an_answer_replaces_all_of_its_window_and_nothing_else() -> None:
    older, newer = THIS - 10 * MINUTE, THIS - MINUTE
    known = (
        Known()
        .with_minutes(answer(minutes_answer({"GBP": {older: (1.0, 1)}})), closed_window(NOW), NOW)
        .with_minutes(answer(minutes_answer({"GBP": {newer: (2.0, 1)}})), open_window(NOW), NOW)
        .with_minutes(answer(minutes_answer({"GBP": {THIS: (3.0, 1)}})), open_window(NOW), NOW)
    )
    assert set(known.minutes) == {older, THIS}


def test_minutes_that_are_no_longer_shown_are_forgotten() -> None:
    known = Known().with_minutes(answer(minutes_answer({"GBP": {THIS: (1.0, 1)}})), open_window(NOW), NOW)
    later = NOW + timedelta(minutes=MINUTES_SHOWN)
    assert known.with_minutes(answer({}), open_window(later), later).minutes == {}


def test_no_index_at_all_is_zero_of_everything() -> None:
    nothing = answer({"status": 200})
    known = Known().with_minutes(nothing, open_window(NOW), NOW).with_orders(nothing)
    assert known.with_sellers(nothing).with_refusals(nothing) == Known()


def test_sums_that_come_as_doubles_are_whole_minor_units() -> None:
    told = answer(minutes_answer({"GBP": {THIS: (9.007199254740991e15, 3)}}))
    assert Known().with_minutes(told, open_window(NOW), NOW).minutes[THIS]["GBP"].revenue == 2**53 - 1


def test_sellers_refusals_and_orders_keep_their_order(order_row: Callable[..., OrderRow]) -> None:
    rows = [order_row(NOW, "O-2"), order_row(NOW - MINUTE, "O-1", region=None)]
    known = (
        Known()
        .with_orders(answer(orders_answer(rows)))
        .with_sellers(answer(sellers_answer({"B": 9.0, "A": 4.0, "FREE": 0.0})))
        .with_refusals(answer(refusals_answer({"unknown_sku": 3, "not_json": 1})))
    )
    assert [hit.order_id for hit in known.orders] == ["O-2", "O-1"]
    assert known.orders[1].region is None
    assert known.sellers == (Seller("B", 9), Seller("A", 4))
    assert known.refusals == (Refusal("unknown_sku", 3), Refusal("not_json", 1))


tallies = st.builds(Tally, st.integers(-(10**9), 10**9), st.integers(0, 10**6))


@given(figures=st.dictionaries(st.integers(0, MINUTES_SHOWN - 1), tallies))
def test_whatever_the_split_every_minute_is_counted_once(figures: dict[int, Tally]) -> None:
    start = window(NOW, MINUTES_SHOWN).start
    known = Known()
    for span in (closed_window(NOW), recent_window(NOW), open_window(NOW)):
        inside = {
            start + MINUTE * n: tally for n, tally in figures.items() if span.start <= start + MINUTE * n < span.end
        }
        known = known.with_minutes(answer(minutes_answer({"GBP": inside})), span, NOW)
    assert total(minute["GBP"] for minute in known.minutes.values()) == total(figures.values())
