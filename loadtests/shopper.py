"""Shoppers for Locust: each goes from the home page to a thank-you page, or leaves on the way.

    python -m locust -f loadtests/shopper.py --headless -H http://127.0.0.1:8080 -u 20 -r 5 -t 60s

With default think times one shopper places an order about every 14 s. The weights are in `loadtests.visit`.
"""

import itertools
import random
from collections.abc import Callable
from typing import Any, TypeVar

from locust import HttpUser, events, task

from loadtests.visit import BUYS, Visit, departments_on, order_number_on, products_on, sku_on, token_on, visit_of

T = TypeVar("T")

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
)
_numbers = itertools.count()


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: Any) -> None:
    group = parser.add_argument_group("Shoppers")
    group.add_argument("--seed", type=int, default=None, help="Makes the shoppers' choices the same again.")
    group.add_argument("--buys", type=float, default=BUYS, help=f"Share of visits that check out. Default: {BUYS}.")
    group.add_argument("--think-min", type=float, default=0.5, help="Shortest look at a page, seconds. Default: 0.5.")
    group.add_argument("--think-max", type=float, default=2.0, help="Longest look at a page, seconds. Default: 2.")


class Buyer(HttpUser):
    """Somebody at a keyboard: every visit is a new session."""

    abstract = True

    def on_start(self) -> None:
        options, runner = self.environment.parsed_options, self.environment.runner
        worker = getattr(runner, "worker_index", 0)  # with --processes each makes its own choices
        number = next(_numbers)
        self._rng = random.Random() if options.seed is None else random.Random(f"{options.seed}-{worker}-{number}")
        self._buys = options.buys

    def wait_time(self) -> float:
        """Seconds for a look at a page."""
        options = self.environment.parsed_options
        return self._rng.uniform(options.think_min, options.think_max)

    def answered(self, answer: Any) -> None:
        """A page has come. Here nothing is made of it."""

    def bought(self, order_id: str | None) -> None:
        """The shop has answered a checkout; None: without an order. Here nothing is made of it."""

    def _look(self) -> None:
        self.wait()  # type: ignore[no-untyped-call]  # sleeps for wait_time, and ends the visit at a stop

    def come(self) -> bool:
        """Home, a search or a department, one to three products into the cart, and perhaps the checkout.

        Whether it went well: every page came and had what it is for, and there was something to buy.
        """
        self._goes_well = True
        visit = visit_of(self._rng, buys=self._buys)
        self.client.cookies.clear()
        self.client.headers["User-Agent"] = self._rng.choice(_AGENTS)
        home = self._read("/", "/", str)
        self._look()
        offers = self._look_around(visit, home) or products_on(home)
        for quantity in visit.quantities if offers else ():
            self._look()
            self._put_into_cart(self._rng.choice(offers), quantity)
        self._look()
        if offers and visit.buys:
            self._check_out(visit)
        return self._goes_well and bool(offers)

    def _look_around(self, visit: Visit, home: str) -> list[str]:
        if visit.word:
            return products_on(self._read(f"/search?q={visit.word}", "/search?q=[word]", str))
        departments = departments_on(home)
        return self._read(self._rng.choice(departments), "/search?department=[]", products_on) if departments else []

    def _put_into_cart(self, product: str, quantity: int) -> None:
        sku = self._read(product, "/product/[sku]", sku_on)
        self._look()
        if sku:
            form = {"sku": sku, "quantity": quantity}
            with self.client.post("/cart/add", data=form, name="/cart/add", catch_response=True) as answer:
                self._came(answer)

    def _check_out(self, visit: Visit) -> None:
        token = self._read("/checkout", "/checkout", token_on)
        self._look()
        if not token:
            return
        form = {"token": token, "customer_id": visit.customer_id or "", "region": visit.region}
        with self.client.post("/checkout", data=form, name="/checkout (order)", catch_response=True) as answer:
            number = order_number_on(answer.text or "")
            self.bought(number)
            if not self._came(answer):
                return
            if number is None:
                self._fail(answer, "no order number on the page")
            elif not answer.url.endswith(f"/thank-you/{number}"):
                self._fail(answer, "the page shows the number of another order")

    def _read(self, address: str, name: str, reader: Callable[[str], T]) -> T:
        """What `reader` finds on the page at `address`. A page without it counts as failed under `name`."""
        with self.client.get(address, name=name, catch_response=True) as answer:
            self.answered(answer)
            came = self._came(answer)
            found = reader(answer.text or "" if came else "")
            if came and not found:
                self._fail(answer, "the page lacks what it is for")
            return found

    def _came(self, answer: Any) -> bool:
        """Whether it is a page. Where it is none, Locust counts a failure and says why.

        Not `answer.ok`: that raises where nobody answered, and Locust would not even count the request.
        """
        came = bool(200 <= answer.status_code < 400)
        self._goes_well = self._goes_well and came
        return came

    def _fail(self, answer: Any, why: str) -> None:
        self._goes_well = False
        answer.failure(why)


class Shopper(Buyer):
    """One person after another, each as soon as the one before has left."""

    @task
    def visit(self) -> None:
        """One visit."""
        self.come()
