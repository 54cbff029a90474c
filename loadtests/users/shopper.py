"""People in the shop: home, a search or a department, products, cart, checkout, with looks at each page."""

import time
from typing import Any

import gevent
from locust import task

from loadtests import shopper
from loadtests.sale.counted import tell_visit
from loadtests.sale.ledger import Intended
from loadtests.users.taking_part import part_of

_OVER_S = 1.0


class Shopper(shopper.Buyer):
    """One of a pool: takes the next visit that is due.

    The times of the first page and of the whole visit count from when it was due, so that a shop that stands still is
    seen in full: those who could not even begin have waited as well.
    """

    def on_start(self) -> None:
        super().on_start()
        self._part = part_of(self.environment)
        self._due_s: float | None = None

    @task
    def visit(self) -> None:
        """The next visit."""
        assert self._part.arrivals
        due = self._part.arrivals.take()
        if due is None:
            gevent.sleep(_OVER_S)  # until Locust ends: one that stopped by itself would be replaced
            return
        gevent.sleep(max(0.0, due.due_s - self._part.elapsed_s))
        self._rng, self._due_s = self._part.choices_of(due.number), due.due_s
        went_well = False
        try:
            went_well = self.come()
        finally:  # also where Locust ends it, or a page cannot be made sense of
            tell_visit(self.environment.runner.stats, self._part.elapsed_s - due.due_s, went_well=went_well)

    def answered(self, answer: Any) -> None:
        if self._due_s is not None:
            answer.request_meta["response_time"] = 1000 * (self._part.elapsed_s - self._due_s)
            self._due_s = None

    def bought(self, order_id: str | None) -> None:
        if order_id is not None:
            assert self._part.sold
            now_us = time.time_ns() // 1000
            self._part.sold.add(Intended(order_id, "order", "", 1, now_us, now_us))
            self._part.sold.flush()
