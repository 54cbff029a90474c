"""Those who ask: the board's questions of OpenSearch, and a day's business of the warehouse."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import gevent
from locust import User, task
from opensearchpy import OpenSearchException

from consumers.sinks.opensearch.connection import connect as connect_opensearch
from consumers.warehouse.connection import Session
from consumers.warehouse.connection import connect as connect_warehouse
from dashboards.board import queries
from loadtests.users.taking_part import part_of
from runtime.errors import ConfigError
from runtime.outage import Outage

EVERY_S = 3.0  # between two questions

_WAREHOUSE = {
    "sales by day": "SELECT event_date, SUM(orders) AS orders, SUM(revenue) AS revenue, currency FROM sales_by_day"
    " GROUP BY event_date, currency ORDER BY event_date",
    "products today": "SELECT sku, SUM(units) AS units, SUM(amount) AS amount FROM lines WHERE event_date >= ?"
    " GROUP BY sku ORDER BY 2 DESC LIMIT 20",
    "regions today": "SELECT region, COUNT(*) AS orders, SUM(revenue) AS revenue FROM orders WHERE event_date >= ?"
    " AND kind = 'sale' GROUP BY region ORDER BY 2 DESC",
    "letters": "SELECT reason, COUNT(*) AS letters FROM letters_open GROUP BY reason ORDER BY 2 DESC",
}


class Analyst(User):
    """One person with two tools, who asks every few seconds. Times count from when a question was due."""

    def on_start(self) -> None:
        settings = part_of(self.environment).settings
        self._search = connect_opensearch(settings.opensearch)
        self._warehouse_settings = settings.warehouse
        self._session: Session | None = None
        self._due_s = time.monotonic()
        self._turn = 0

    def on_stop(self) -> None:
        self._search.close()
        if self._session:
            self._session.close()

    @task
    def ask(self) -> None:
        """The next question, on time or as soon as the one before is answered."""
        self._due_s += EVERY_S
        gevent.sleep(max(0.0, self._due_s - time.monotonic()))
        questions = self._questions()
        kind, name, question = questions[self._turn % len(questions)]
        self._turn += 1
        trouble: Exception | None = None
        try:
            question()
        except (Outage, ConfigError, OpenSearchException) as error:
            trouble = error
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=1000 * (time.monotonic() - self._due_s),
            response_length=0,
            exception=trouble,
            context={},
        )

    def _questions(self) -> list[tuple[str, str, Callable[[], Any]]]:
        now = datetime.now(UTC)
        searches = {
            "revenue by minute": queries.minute_figures(queries.window(now, queries.MINUTES_SHOWN)),
            "best sellers": queries.best_sellers(now),
            "last orders": queries.last_orders(now),
            "refusals": queries.refusals(now),
        }
        asked: list[tuple[str, str, Callable[[], Any]]] = []
        for (name, search), (label, text) in zip(searches.items(), _WAREHOUSE.items(), strict=True):
            asked.append(("OPENSEARCH", name, lambda search=search: self._find(search)))  # type: ignore[misc]
            asked.append(("WAREHOUSE", label, lambda text=text, now=now: self._query(text, now)))  # type: ignore[misc]
        return asked

    def _find(self, search: queries.Search) -> None:
        self._search.search(
            index=search.index, body=search.body, params={"ignore_unavailable": "true", "allow_no_indices": "true"}
        )

    def _query(self, text: str, now: datetime) -> None:
        try:
            self._session = self._session or connect_warehouse(self._warehouse_settings)
            self._session.query("analyst", text, [now.date()] if "?" in text else [])
            self._session.rollback()
        except Exception:
            if self._session:
                self._session.close()
            self._session = None
            raise
