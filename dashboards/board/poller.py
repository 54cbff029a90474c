"""Asks OpenSearch while someone watches, and publishes what changed: one poller, however many viewers.

Four questions, each at its own pace: the open minutes and the last orders at every look; the minutes just over, and
best sellers and refusals, every few seconds; the closed minutes seldom, for orders that came late. A question rests
several times as long as its answer took, so a slow store is asked less often rather than pressed harder.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dashboards.board import queries
from dashboards.board.feed import Feed
from dashboards.board.known import Known
from dashboards.board.queries import Search, Window
from dashboards.board.search import Answer, Searcher, Unanswered
from dashboards.board.snapshot import Snapshot, Storefront, snapshot
from runtime.clock import Clock

RECENT_S = 5.0
DETAILS_S = 5.0
CLOSED_S = 30.0
_REST, _REST_OF_DETAILS = 3.0, 9.0  # times its answer: what people see change is asked for sooner
_RETRY_S = 1.0  # after no answer: soon enough to see a restart, seldom enough not to disturb one
_LINGER_S = 10.0  # a page that is loaded again finds the figures warm
# A snapshot that says nothing new still tells the page that the board is alive.
_PUBLISH_S = 1.0

PARTIAL = "Part of OpenSearch did not answer: figures may be too low"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask together, how often, and what the answers mean."""

    name: str
    every_s: float
    rest: float  # at least so many times as long as the answer took
    searches: Callable[[datetime], list[Search]]
    fold: Callable[[Known, Sequence[Answer], datetime], Known]


def questions(refresh_s: float) -> tuple[Question, ...]:
    """All that the board asks."""
    return (
        Question(
            name="open minutes",
            every_s=refresh_s,
            rest=_REST,
            searches=lambda now: [queries.minute_figures(queries.open_window(now)), queries.last_orders(now)],
            fold=lambda known, answers, now: known.with_minutes(answers[0], queries.open_window(now), now).with_orders(
                answers[1]
            ),
        ),
        _minutes("recent minutes", RECENT_S, _REST, queries.recent_window),
        Question(
            name="details",
            every_s=DETAILS_S,
            rest=_REST_OF_DETAILS,
            searches=lambda now: [queries.best_sellers(now), queries.refusals(now)],
            fold=lambda known, answers, _: known.with_sellers(answers[0]).with_refusals(answers[1]),
        ),
        _minutes("closed minutes", CLOSED_S, _REST_OF_DETAILS, queries.closed_window),
    )


def _minutes(name: str, every_s: float, rest: float, window: Callable[[datetime], Window]) -> Question:
    return Question(
        name=name,
        every_s=every_s,
        rest=rest,
        searches=lambda now: [queries.minute_figures(window(now))],
        fold=lambda known, answers, now: known.with_minutes(answers[0], window(now), now),
    )


class Poller:
    """Fills `feed` from `searcher` while the feed has viewers."""

    def __init__(
        self,
        searcher: Searcher,
        feed: Feed,
        shop: Storefront,
        *,
        clock: Clock,
        refresh_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._searcher = searcher
        self._feed = feed
        self._shop = shop
        self._clock = clock
        self._sleep = sleep
        self.questions = questions(refresh_s)
        self._known = Known()
        self._trouble: dict[str, str] = {}
        self._unasked: set[str] = set()
        self._published: Snapshot | None = None
        self._published_at = 0.0
        self._start_over()

    @property
    def trouble(self) -> list[str]:
        """What is wrong now, one sentence each."""
        return list(dict.fromkeys(self._trouble.values()))

    async def run(self) -> None:
        """Until cancelled. What it raises is a fault of the board, never of the store."""
        while True:
            await self._feed.watched.wait()
            self._start_over()
            async with asyncio.TaskGroup() as group:
                asking = [group.create_task(self._keep_asking(question)) for question in self.questions]
                await self._left_alone()
                for task in asking:
                    task.cancel()
            self._feed.forget()

    async def ask(self, question: Question) -> float:
        """Ask once, publish if there is news. Returns how long to rest before the same question (s)."""
        began, now = self._clock.monotonic(), self._clock.now()
        try:
            answers = await self._searcher.ask(question.searches(now))
        except Unanswered as error:
            self._note(question, str(error))
            rest_s = _RETRY_S
        else:
            self._known = question.fold(self._known, answers, now)
            self._note(question, PARTIAL if any(answer.partial for answer in answers) else None)
            rest_s = question.every_s - (self._clock.monotonic() - began)
        self._unasked.discard(question.name)
        self._publish()
        return max(rest_s, question.rest * (self._clock.monotonic() - began))

    async def _keep_asking(self, question: Question) -> None:
        while True:
            await self._sleep(await self.ask(question))

    async def _left_alone(self) -> None:
        while self._feed.viewers:
            await self._feed.deserted.wait()
            await self._sleep(_LINGER_S)

    def _start_over(self) -> None:
        self._known = Known()
        self._trouble = {}
        self._unasked = {question.name for question in self.questions}
        self._published = None

    def _note(self, question: Question, trouble: str | None) -> None:
        before = self.trouble
        if trouble is None:
            self._trouble.pop(question.name, None)
        else:
            self._trouble[question.name] = trouble
        if self.trouble != before:
            log.warning("%s", "; ".join(self.trouble)) if self.trouble else log.info("OpenSearch answers again")

    def _publish(self) -> None:
        """Nothing before every question was asked once: an hour without its closed minutes would be a wrong figure."""
        if self._unasked:
            return
        new = snapshot(self._known, self._clock.now(), self._shop, self.trouble)
        # The age grows by itself, on the page too: it alone is no news.
        ageless = msgspec.structs.replace(new, fresh_s=None)
        waited_s = self._clock.monotonic() - self._published_at
        if ageless != self._published or waited_s >= _PUBLISH_S:
            self._published, self._published_at = ageless, self._clock.monotonic()
            self._feed.publish(new)
