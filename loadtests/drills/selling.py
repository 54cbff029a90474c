"""What is sold while a drill is held: orders at a rate into the spool, and a checkout now and then in the shop."""

import datetime as dt
import http.client
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from contract.catalogue import products_from_ndjson
from loadtests.drills.drill import Drill
from loadtests.drills.ground import Ground
from loadtests.sale.ledger import Intended, Ledger
from loadtests.sale.outlets import Outlet, SpoolOutlet
from loadtests.sale.plan import PROBES_A_SECOND, Plan, RunFolder
from loadtests.sale.planted import Goods
from loadtests.sale.pump import TICK_S, Pump
from loadtests.visit import order_number_on, products_on, sku_on, token_on
from producers.storefront.testing import Visitor
from runtime.clock import Clock, SystemClock

_VISIT_S = 0.5  # between two checkouts


@contextmanager
def selling(drill: Drill, plan: Plan, ground: Ground, folder: RunFolder) -> Iterator[dt.datetime]:
    """Sell, in threads, until the context is left. Gives when that began."""
    rng, clock = random.Random(f"{plan.seed}-{drill.name}"), SystemClock()
    shopper = random.Random(f"{plan.seed}-{drill.name}-shop")
    outlet: Outlet = SpoolOutlet(ground.endpoints.spool)
    with ExitStack() as running:
        ledger = running.enter_context(Ledger(folder.intended, folder.probes, "drill"))
        checkouts = running.enter_context(Ledger(folder.intended, folder.probes, "shop"))
        running.callback(outlet.close)
        goods = Goods(products_from_ndjson(ground.home.catalogue.read_bytes()), rng, customer_id=drill.load.customer_id)
        pump = Pump(
            plan.run_id,
            plan.orders,
            outlet,
            ledger,
            goods,
            clock,
            rng,
            planted=plan.planted,
            twice=plan.twice,
            probes_a_second=PROBES_A_SECOND,
            alter=lambda order: drill.load.alter(order, rng),
        )
        running.enter_context(_again_and_again("seller", TICK_S, pump.step))
        running.enter_context(
            _again_and_again(
                "shopper", _VISIT_S, lambda: check_out(Visitor(ground.shop_url), checkouts, shopper, clock)
            )
        )
        yield clock.now()


def check_out(visitor: Visitor, ledger: Ledger, rng: random.Random, clock: Clock) -> None:
    """One order of one product. It is noted once its number was read; a shop that is away has promised nothing."""
    due_us = _us(clock.now())
    with suppress(OSError, http.client.HTTPException):
        offers = products_on(visitor.get("/"))
        sku = sku_on(visitor.get(rng.choice(offers))) if offers else None
        if sku is None:
            return
        visitor.post("/cart/add", {"sku": sku, "quantity": "1"})
        token = token_on(visitor.get("/checkout"))
        page = visitor.post("/checkout", {"token": token or "", "customer_id": "", "region": "GB"})
        if number := order_number_on(page):
            ledger.add(Intended(number, "order", "", 1, due_us, _us(clock.now())))
            ledger.flush()


@contextmanager
def _again_and_again(name: str, every_s: float, do: Callable[[], object]) -> Iterator[None]:
    done = threading.Event()

    def run() -> None:
        while not done.wait(every_s):
            do()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _us(at: dt.datetime) -> int:
    return round(at.timestamp() * 1e6)
