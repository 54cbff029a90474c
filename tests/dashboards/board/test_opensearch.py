import asyncio
import datetime as dt
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract.money import display
from contract.rows import LetterRow, OrderRow
from dashboards.board.known import Known
from dashboards.board.poller import questions
from dashboards.board.queries import best_sellers, last_orders
from dashboards.board.search import OpenSearchSearcher, Unanswered
from dashboards.board.snapshot import Snapshot, Storefront, snapshot

pytestmark = pytest.mark.integration

NOW = dt.datetime(2001, 5, 1, 12, 30, 45, tzinfo=dt.UTC)
EMPTY_DAY = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def searcher(opensearch_url: str) -> Iterator[OpenSearchSearcher]:
    real = OpenSearchSearcher(opensearch_url, timeout_s=10)
    yield real
    real.close()


def look(searcher: OpenSearchSearcher, now: dt.datetime, shop: Storefront) -> Snapshot:
    async def play() -> Known:
        known = Known()
        for question in questions(0.5):
            known = question.fold(known, await searcher.ask(question.searches(now)), now)
        return known

    return snapshot(asyncio.run(play()), now, shop, [])


def letter(n: int, reason: str) -> LetterRow:
    return LetterRow(
        letter_id=f"l-{n}",
        reason=reason,
        read_on=dt.date(2026, 11, 27),
        reasons=[reason, "wrong_total"],
        event_type="order",
        arrived_at=NOW - dt.timedelta(minutes=n),
        shard_id="shard-0",
        sequence="1",
        sub_sequence=0,
    )


def test_a_shop_without_orders_shows_zeros(searcher: OpenSearchSearcher, shop: Storefront) -> None:
    shown = look(searcher, EMPTY_DAY, shop)
    assert (shown.hour.revenue, shown.hour.orders, shown.fresh_s, shown.orders) == ("0.00", "0", None, [])


def test_orders_are_shown_right_to_the_penny(
    searcher: OpenSearchSearcher, shop: Storefront, store: Any, order_row: Callable[..., OrderRow]
) -> None:
    rng = random.Random(7)
    rows = [
        order_row(
            NOW - dt.timedelta(seconds=n * 61.7),
            f"O-{n}",
            revenue=rng.choice([1, 1, 1, -1]) * rng.randrange(1, 10**9),
            currency=rng.choice(["GBP", "GBP", "JPY"]),
        )
        for n in range(80)
    ]
    store.put(rows)
    shown = look(searcher, NOW, shop)
    first_minute = dt.datetime(2001, 5, 1, 11, 31, tzinfo=dt.UTC)
    hour = [row for row in rows if row.event_time >= first_minute]
    assert 50 < len(hour) < len(rows)

    def expected(currency: str) -> tuple[str, str]:
        own = [row for row in hour if row.currency == currency]
        revenue, orders = sum(row.revenue for row in own), sum(row.kind == "sale" for row in own)
        return display(revenue, currency), f"{orders:,}"

    assert (shown.hour.revenue, shown.hour.orders) == expected("GBP")
    assert [(other.currency, other.revenue, other.orders) for other in shown.others] == [("JPY", *expected("JPY"))]
    assert sum(point.revenue for point in shown.minutes) == sum(r.revenue for r in hour if r.currency == "GBP")
    assert [line.order_id for line in shown.orders] == [f"O-{n}" for n in range(10)]
    assert shown.fresh_s == 0.0


def test_best_sellers_are_the_units_of_fifteen_minutes_returns_apart(
    searcher: OpenSearchSearcher, shop: Storefront, store: Any, order_row: Callable[..., OrderRow]
) -> None:
    minute = dt.timedelta(minutes=1)
    store.put(
        [
            order_row(NOW, "O-1", lines=[("85123A", 3), ("B", 9)]),
            order_row(NOW - 14 * minute, "O-2", lines=[("85123A", 7), ("85123A", 1)], currency="EUR"),
            order_row(NOW - 15 * minute, "O-3", lines=[("TOO-OLD", 99)]),
            order_row(NOW, "R-1", lines=[("B", 5)], revenue=-100),
        ]
    )
    sellers = look(searcher, NOW, shop).sellers
    assert [(row.sku, row.units) for row in sellers] == [("85123A", 11), ("B", 9)]


def test_refusals_are_counted_once_by_their_decisive_reason(
    searcher: OpenSearchSearcher, shop: Storefront, store: Any
) -> None:
    store.put([letter(1, "unknown_sku"), letter(2, "unknown_sku"), letter(3, "not_json"), letter(61, "not_json")])
    shown = look(searcher, NOW, shop)
    assert shown.refused == 3
    assert [(line.reason, line.count) for line in shown.refused_by] == [("unknown_sku", 2), ("not_json", 1)]


def test_answers_come_in_the_order_of_the_searches(searcher: OpenSearchSearcher) -> None:
    sellers, orders = asyncio.run(searcher.ask([best_sellers(EMPTY_DAY), last_orders(EMPTY_DAY)]))
    assert orders.aggregations == {}
    assert sellers.hits.hits == []


def test_a_search_that_the_store_refuses_is_unanswered(
    searcher: OpenSearchSearcher, store: Any, order_row: Any
) -> None:
    store.put([order_row(NOW, "O-1")])
    search = last_orders(NOW)
    broken = type(search)(index="orders-2001.05.01", body={"sort": [{"no_such_field": "desc"}]})
    with pytest.raises(Unanswered, match="could not search"):
        asyncio.run(searcher.ask([broken]))


def test_an_absent_store_is_unanswered_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    absent = OpenSearchSearcher(f"http://127.0.0.1:{port}", timeout_s=10)
    with pytest.raises(Unanswered, match="cannot be reached"):
        asyncio.run(absent.ask([last_orders(NOW)]))
    absent.close()


def test_a_store_that_hangs_is_unanswered_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = OpenSearchSearcher(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
        with pytest.raises(Unanswered, match="did not answer in time"):
            asyncio.run(hanging.ask([last_orders(NOW)]))
        hanging.close()
