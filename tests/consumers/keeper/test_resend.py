"""The keeper sends retryable letters again by itself: once a newer list is in force, ever more slowly, for a while."""

import random
import threading
from dataclasses import replace
from typing import Any

import pytest

from consumers.cold_testing import APPLICATION
from consumers.delivery import LeaseLost
from consumers.keeper.resend import _MENDED_BY, ResendDuty
from consumers.letters.cases import Shelf, State
from consumers.letters.sending import Sender
from consumers.letters.testing import LettersBench
from consumers.reference.published import Published
from consumers.stages.reference_testing import any_price
from consumers.stages.testing import FACTS, encoded, order
from contract.reasons import Reason
from contract.reference import Kind, Price
from producers.reference.publish import publish
from runtime.errors import ConfigError
from runtime.objects.testing import MemoryObjects
from runtime.outage import Outage
from runtime.testing import StopAfter

pytestmark = pytest.mark.unit

WAIT_S, GRACE_H = 300.0, 24.0
NEVER = threading.Event()


def held() -> None:
    """The lease is ours."""


class Bench(LettersBench):
    """With what the shop publishes, and a keeper."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = MemoryObjects()
        self.publish()
        self.clock.advance(10)
        self.duty = self.keeper()

    def keeper(self) -> ResendDuty:
        kinds: tuple[Kind, ...] = ("catalogue", "customers")
        shelf = Shelf(
            lake=self.cold.lake, restricted=self.cold.restricted, applications=[APPLICATION], access_stream="access"
        )
        return ResendDuty(
            shelf,
            self.ledger,
            self.stored,
            Sender(
                self.ledger,
                lambda kind: self.outlet,
                by="keeper",
                per_s=1_000.0,
                clock=self.clock,
                rng=random.Random(7),
                stop=StopAfter(10_000, self.clock),
            ),
            [Published(self.bucket, kind) for kind in kinds],
            ready=held,
            first_wait_s=WAIT_S,
            grace_h=GRACE_H,
            clock=self.clock,
        )

    def publish(self) -> None:
        """One more catalogue, in force two minutes later."""
        publish("catalogue", [Price(sku="A", currency="GBP", price=1)], self.bucket, self.clock)

    def turn(self) -> int:
        """Returns how many letters were sent."""
        self.duty.turn(held, NEVER)
        return len(self.outlet.held)


def unknown_sku(number: int = 1, **changes: Any) -> bytes:
    line = {"sku": "NEW", "quantity": 6, "unit_price": 255}
    return encoded(
        order(**{"event_id": f"e-{number}", "order_id": f"O-{number}", "lines": [line], **changes}), offset=number
    )


def test_every_retryable_reason_has_a_list_that_may_mend_it() -> None:
    assert set(_MENDED_BY) == {reason for reason in Reason if reason.retryable}


def test_it_waits_for_a_newer_list_and_for_the_first_wait() -> None:
    bench = Bench()
    bench.arrive(unknown_sku())
    bench.clock.advance(WAIT_S + 1)
    assert bench.turn() == 0  # the list is the one that it was judged by
    bench.publish()
    assert bench.turn() == 0  # published, and not yet in force
    bench.clock.advance(121)
    assert bench.turn() == 1
    assert bench.turn() == 1  # and no second time: its verdict is on its way
    bench.reference.facts = replace(FACTS, prices=any_price("NEW"))
    bench.deliver()
    (case,) = bench.cases()
    assert case.state is State.MENDED
    (row,) = bench.cold.chained.rows("orders")
    assert (row["event_id"], row["origin_offset"]) == ("e-1", 1)
    attempt = bench.ledger.read(case.newest, 1)
    assert attempt is not None and (attempt.by, attempt.patch) == ("keeper", None)
    assert bench.turn() == 0
    assert bench.duty.report() == "letters: 1 sent again, 0 waiting"


def test_each_wait_is_twice_the_one_before_and_the_grace_period_ends_it() -> None:
    bench = Bench()
    bench.arrive(unknown_sku())
    start, sent = bench.clock.now(), list[float]()
    while (bench.clock.now() - start).total_seconds() < (GRACE_H + 6) * 3600:
        bench.publish()
        bench.clock.advance(130)
        if bench.turn():
            sent.append((bench.clock.now() - start).total_seconds())
            bench.deliver()
    gaps = [later - earlier for earlier, later in zip([0.0, *sent], sent, strict=False)]
    assert len(sent) == 8
    for attempt, gap in enumerate(gaps):
        assert WAIT_S * 2**attempt <= gap < WAIT_S * 2**attempt + 300
    assert sent[-1] < GRACE_H * 3600
    (case,) = bench.cases()
    assert (case.state, case.newest.attempt) == (State.REFUSED_AGAIN, 8)


def test_what_a_list_cannot_mend_is_left_to_people() -> None:
    bench = Bench()
    bench.arrive(unknown_sku(1, total=1), unknown_sku(2, currency="gbp"), encoded(order(total=1), offset=3))
    bench.publish()
    bench.clock.advance(WAIT_S + 200)
    assert bench.turn() == 0
    assert bench.duty.report() == ""


def test_one_that_is_sold_already_is_not_sent() -> None:
    bench = Bench()
    bench.arrive(unknown_sku(1), encoded(order(event_id="again", order_id="O-1"), offset=9))
    bench.publish()
    bench.clock.advance(WAIT_S + 200)
    assert bench.turn() == 0


def test_another_keeper_knows_what_was_sent_and_finishes_what_was_claimed() -> None:
    bench = Bench()
    bench.arrive(unknown_sku(1))
    bench.publish()
    bench.clock.advance(WAIT_S + 200)
    bench.outlet.refuses = [Outage("away")] * 20
    with pytest.raises(Outage):
        bench.turn()
    bench.outlet.refuses = []
    bench.duty = bench.keeper()
    assert bench.turn() == 1
    bench.duty = bench.keeper()
    assert bench.turn() == 1
    bench.deliver()
    assert bench.turn() == 0  # refused again, and its wait has begun anew


def test_without_the_lease_nothing_is_sent() -> None:
    bench = Bench()
    bench.arrive(unknown_sku())
    bench.publish()
    bench.clock.advance(WAIT_S + 200)

    def lost() -> None:
        raise LeaseLost("another keeper is at work")

    with pytest.raises(LeaseLost):
        bench.duty.turn(lost, NEVER)
    assert not bench.outlet.held


def test_a_damaged_chain_holds_up_no_other() -> None:
    bench = Bench()
    bench.arrive(unknown_sku())
    bench.cold.lake.put(f"manifests/{APPLICATION}/damaged/{0:064d}.json", b"no manifest")
    bench.publish()
    bench.clock.advance(WAIT_S + 200)
    with pytest.raises(ConfigError, match="damaged"):
        bench.turn()
    assert len(bench.outlet.held) == 1
