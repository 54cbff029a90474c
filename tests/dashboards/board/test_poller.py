import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from contract.rows import OrderRow
from dashboards.board.feed import Feed
from dashboards.board.poller import CLOSED_S, DETAILS_S, PARTIAL, RECENT_S, Poller
from dashboards.board.queries import Search
from dashboards.board.search import Answer
from dashboards.board.snapshot import Snapshot, Storefront
from dashboards.board.testing import ScriptedSearcher, minutes_answer, orders_answer, refusals_answer, sellers_answer
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

REFRESH_S = 0.5


class RecordingFeed(Feed):
    """Keeps every snapshot."""

    def __init__(self) -> None:
        super().__init__("run")
        self.published: list[Snapshot] = []

    def publish(self, snapshot: Snapshot) -> None:
        super().publish(snapshot)
        self.published.append(snapshot)


class Board:
    """A poller over a script, with a clock that stands still."""

    def __init__(self, shop: Storefront, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.clock = ManualClock()
        self.searcher = ScriptedSearcher()
        self.feed = RecordingFeed()
        self.poller = Poller(self.searcher, self.feed, shop, clock=self.clock, refresh_s=REFRESH_S, sleep=sleep)
        self.open, self.recent, self.details, self.closed = self.poller.questions

    def ask_all(self) -> Snapshot:
        async def play() -> None:
            for question in self.poller.questions:
                await self.poller.ask(question)

        asyncio.run(play())
        return self.feed.published[-1]

    def ask_open(self) -> float:
        return asyncio.run(self.poller.ask(self.open))


@pytest.fixture
def board(shop: Storefront) -> Board:
    return Board(shop)


def test_nothing_is_shown_before_every_question_was_asked(board: Board) -> None:
    async def play() -> list[int]:
        counts = []
        for question in board.poller.questions:
            await board.poller.ask(question)
            counts.append(len(board.feed.published))
        return counts

    assert asyncio.run(play()) == [0, 0, 0, 1]


def test_all_answers_arrive_on_the_page(board: Board, order_row: Callable[..., OrderRow]) -> None:
    now = board.clock.now()
    board.searcher.minutes = minutes_answer({"GBP": {now: (2025.0, 1)}})
    board.searcher.orders = orders_answer([order_row(now, "O-1")])
    board.searcher.sellers = sellers_answer({"85123A": 6.0})
    board.searcher.refusals = refusals_answer({"not_json": 2})
    shown = board.ask_all()
    assert shown.orders[0].order_id == "O-1"
    assert shown.sellers[0].name == "HANGING HEART"
    assert shown.refused == 2
    assert shown.fresh_s == 0.0


def test_each_question_rests_for_its_own_time(board: Board) -> None:
    async def play() -> list[float]:
        return [await board.poller.ask(question) for question in board.poller.questions]

    assert asyncio.run(play()) == [REFRESH_S, RECENT_S, DETAILS_S, CLOSED_S]


def test_a_slow_store_is_asked_less_often(board: Board) -> None:
    class Slow(ScriptedSearcher):
        async def ask(self, searches: Sequence[Search]) -> list[Answer]:
            board.clock.advance(2.0)
            return await super().ask(searches)

    board.poller._searcher = Slow()
    assert board.ask_open() == 6.0
    assert asyncio.run(board.poller.ask(board.details)) == 18.0


def test_no_news_is_not_sent_but_a_sign_of_life_is(board: Board) -> None:
    board.ask_all()
    board.clock.advance(0.5)
    board.ask_open()
    assert len(board.feed.published) == 1
    board.clock.advance(0.5)
    board.ask_open()
    assert len(board.feed.published) == 2


def test_news_is_sent_at_once(board: Board, order_row: Callable[..., OrderRow]) -> None:
    board.ask_all()
    board.searcher.orders = orders_answer([order_row(board.clock.now(), "O-1")])
    board.ask_open()
    assert [len(shown.orders) for shown in board.feed.published] == [0, 1]


def test_without_an_answer_the_figures_stay_and_the_page_says_why(
    board: Board, order_row: Callable[..., OrderRow]
) -> None:
    board.searcher.orders = orders_answer([order_row(board.clock.now(), "O-1")])
    board.ask_all()
    board.searcher.down = "OpenSearch cannot be reached"
    assert board.ask_open() == 1.0
    assert board.poller.trouble == ["OpenSearch cannot be reached"]
    assert board.feed.published[-1].trouble == ["OpenSearch cannot be reached"]
    assert board.feed.published[-1].orders[0].order_id == "O-1"
    board.searcher.down = None
    board.ask_open()
    assert board.feed.published[-1].trouble == []


def test_a_store_that_is_absent_from_the_start_is_shown_as_trouble_not_as_zero_orders(board: Board) -> None:
    board.searcher.down = "OpenSearch cannot be reached"
    assert board.ask_all().trouble == ["OpenSearch cannot be reached"]


def test_a_partial_answer_is_shown_and_named(board: Board) -> None:
    now = board.clock.now()
    board.searcher.minutes = minutes_answer({"GBP": {now: (2025.0, 1)}}) | {"_shards": {"total": 2, "failed": 1}}
    shown = board.ask_all()
    assert shown.trouble == [PARTIAL]
    assert shown.hour.revenue == "20.25"


def test_it_asks_while_someone_watches_and_only_then(shop: Storefront) -> None:
    async def turns() -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def play() -> None:
        board = Board(shop, sleep=lambda _: asyncio.sleep(0))
        running = asyncio.ensure_future(board.poller.run())
        await turns()
        assert board.searcher.asked == []
        viewer = board.feed.events(None)
        await anext(viewer)
        await turns()
        assert len(board.searcher.asked) > len(board.poller.questions)
        await viewer.aclose()
        await turns()
        asked = len(board.searcher.asked)
        await turns()
        assert len(board.searcher.asked) == asked
        board.feed.close()
        assert [frame async for frame in board.feed.events(None)] == [b"retry: 1000\n\n"]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(play())
