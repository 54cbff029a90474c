"""Orders for volumes that no shop on the same machine could serve: into the spool, or straight into the stream."""

import random
from pathlib import Path
from typing import Any

import gevent
from locust import User, task

from contract.catalogue import products_from_ndjson
from loadtests.sale.counted import tell_refused, tell_step
from loadtests.sale.outlets import Outlet, SpoolOutlet, StreamOutlet
from loadtests.sale.plan import PROBES_A_SECOND
from loadtests.sale.planted import Goods
from loadtests.sale.pump import TICK_S, Pump
from loadtests.users.taking_part import TakingPart, part_of
from producers.storefront.shelf import SHIPPED
from runtime.aws import client


class EventUser(User):
    """One of the plan's senders; its share of the rate is fixed, so none of them waits for another."""

    def on_start(self) -> None:
        # One that Locust ends and starts anew goes on where it was: no line is written twice.
        part = part_of(self.environment)
        self._pump = part.idle.pop() if part.idle else started_pump(part)

    def on_stop(self) -> None:
        tell_refused(self._stats, self._pump.outlet)  # it may have been ended while it waited for the stream
        part_of(self.environment).idle.append(self._pump)

    @task
    def send(self) -> None:
        """What is due."""
        refused = self._pump.refused
        lines = self._pump.step()
        tell_step(self._stats, self._pump, found_no_room=self._pump.refused > refused)
        tell_refused(self._stats, self._pump.outlet)
        gevent.sleep(0 if lines else TICK_S)

    @property
    def _stats(self) -> Any:
        return self.environment.runner.stats


def started_pump(part: TakingPart) -> Pump:
    """One sender's share of the plan, on its way since second 0."""
    plan, (name, ledger) = part.plan, part.sender()
    # Not by the machine's name: the same seed makes the same orders elsewhere.
    rng = random.Random(f"{plan.seed}-{name.split('-')[-2:]}")
    catalogue = Path(part.settings.reference.catalogue or SHIPPED)
    pump = Pump(
        f"{plan.run_id}-{name}",
        plan.orders.times(1 / plan.senders),
        outlet_of(part, rng),
        ledger,
        Goods(products_from_ndjson(catalogue.read_bytes()), rng),
        part.clock,
        rng,
        planted=plan.planted,
        twice=plan.twice,
        probes_a_second=PROBES_A_SECOND / plan.senders,
    )
    pump.start_at(part.began_s)
    return pump


def outlet_of(part: TakingPart, rng: random.Random) -> Outlet:
    """Where the plan's lines go."""
    settings = part.settings
    if part.plan.into == "stream":
        return StreamOutlet(client("kinesis", settings.aws, attempts=1), settings.streams.transactions, rng)
    return SpoolOutlet(Path(settings.agent.spool))
