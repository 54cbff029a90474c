from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.board.queries import (
    MINUTES_SHOWN,
    best_sellers,
    closed_window,
    last_orders,
    minute_figures,
    open_window,
    recent_window,
    refusals,
    window,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 27, 8, 30, 45, 123456, tzinfo=UTC)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def test_a_window_ends_with_the_running_minute() -> None:
    span = window(NOW, 3)
    assert span.start == datetime(2026, 11, 27, 8, 28, tzinfo=UTC)
    assert span.end == datetime(2026, 11, 27, 8, 31, tzinfo=UTC)
    assert [start.minute for start in span.minutes] == [28, 29, 30]


@given(now=moments)
def test_closed_recent_and_open_minutes_are_all_that_is_shown_and_never_the_same(now: datetime) -> None:
    all_three = closed_window(now).minutes + recent_window(now).minutes + open_window(now).minutes
    assert all_three == window(now, MINUTES_SHOWN).minutes
    assert len(set(all_three)) == MINUTES_SHOWN
    assert all_three[-1] <= now < all_three[-1] + timedelta(minutes=1)


def test_a_minute_stays_open_until_its_last_orders_have_come() -> None:
    over = NOW.replace(second=0, microsecond=0)
    assert [each.minute for each in open_window(over + timedelta(seconds=14)).minutes] == [29, 30]
    assert [each.minute for each in open_window(over + timedelta(seconds=15)).minutes] == [30]


def test_bodies_stay_the_same_for_a_minute_so_that_they_can_be_cached() -> None:
    later = NOW + timedelta(seconds=14)
    for build in (last_orders, best_sellers, refusals, lambda now: minute_figures(open_window(now))):
        assert build(NOW) == build(later)
        assert build(NOW) != build(NOW + timedelta(seconds=15))


def test_figures_are_asked_for_within_their_window_and_by_currency() -> None:
    body = minute_figures(open_window(NOW)).body
    assert body["query"] == {"range": {"event_time": {"gte": "2026-11-27T08:30:00Z", "lt": "2026-11-27T08:31:00Z"}}}
    assert body["aggs"]["currencies"]["terms"]["field"] == "currency"
    assert body["size"] == 0
    assert body["track_total_hits"] is False


def test_best_sellers_count_sales_of_fifteen_minutes_and_no_returns() -> None:
    between, sales = best_sellers(NOW).body["query"]["bool"]["filter"]
    assert between["range"]["event_time"]["gte"] == "2026-11-27T08:16:00Z"
    assert sales == {"term": {"kind": "sale"}}


def test_a_clock_gone_wrong_does_not_stay_on_top_of_the_last_orders() -> None:
    assert last_orders(NOW).body["query"] == {"range": {"event_time": {"lt": "2026-11-27T08:31:00Z"}}}


def test_an_index_that_is_not_there_is_no_error() -> None:
    for search in (last_orders(NOW), refusals(NOW)):
        assert search.header["ignore_unavailable"] is True
        assert search.header["allow_no_indices"] is True
