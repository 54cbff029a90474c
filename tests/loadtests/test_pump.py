"""The open model: lines are due by the clock, and what is late is counted as late."""

import random
import statistics
from collections import Counter
from itertools import pairwise

import msgspec
import pytest

from contract.catalogue import products_from_ndjson
from loadtests.sale.arrivals import Arrivals, arrivals_of, people_for, visits_due
from loadtests.sale.ledger import Ledger, Tail
from loadtests.sale.plan import Plan
from loadtests.sale.planted import Goods
from loadtests.sale.pump import TICK_S, Pump
from loadtests.shapes import Knot, Shape, sale_day
from producers.storefront.shelf import SHIPPED
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

PRODUCTS = products_from_ndjson(SHIPPED.read_bytes())
FLAT = Shape(knots=(Knot(0.0, 50.0), Knot(12.0, 50.0)))


class Outlet:
    """Takes everything; stands still, or is full, when told to."""

    takes_anything = True

    def __init__(self, clock):
        self.clock, self.sold, self.written = clock, [], []
        self.freeze_at_s, self.freezes_s = None, 0.0
        self.full = False

    def sell(self, order):
        if self.full:
            raise OSError(28, "No space left on device")
        if self.freeze_at_s is not None and self.clock.monotonic() >= self.freeze_at_s:
            self.freeze_at_s = None
            self.clock.advance(self.freezes_s)
        self.sold.append(order)

    def write(self, line):
        if self.full:
            raise OSError(28, "No space left on device")
        self.written.append(line)

    def flush(self):
        pass

    def close(self):
        pass


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def make(tmp_path, clock):
    def make(shape=FLAT, seed=1, planted=0.0, twice=0.0):
        folder = tmp_path / f"ledger-{seed}-{len(list(tmp_path.iterdir()))}"
        for each in (folder, folder / "probes"):
            each.mkdir()
        outlet, rng = Outlet(clock), random.Random(seed)
        pump = Pump(
            "s",
            shape,
            outlet,
            Ledger(folder, folder / "probes", "s"),
            Goods(PRODUCTS, rng),
            clock,
            rng,
            planted=planted,
            twice=twice,
            probes_a_second=10,
        )
        return pump, outlet, folder

    return make


def run(pump, clock, *, until_s=60.0):
    late = []
    while not pump.is_over and clock.monotonic() < until_s:
        clock.advance(TICK_S)
        pump.step()
        late += pump.late_s
    return late


def p95(waits):
    return statistics.quantiles(waits, n=100)[94]


def test_a_sender_that_stands_still_for_three_seconds_shows_it_in_its_95th_percentile(make, clock):
    pump, outlet, _ = make()
    outlet.freeze_at_s, outlet.freezes_s = 5.0, 3.0
    late = run(pump, clock)
    # A closed loop would have one slow line of 600, and a p95 of nothing.
    assert len(late) == 600
    assert p95(late) > 2.0
    assert max(late) == pytest.approx(3.0, abs=0.1)


def test_without_trouble_every_line_is_written_within_a_tick_of_being_due_and_dated_so(make, clock):
    pump, outlet, folder = make()
    assert max(run(pump, clock)) <= TICK_S + 1e-6
    times = [order["event_time"] for order in outlet.sold]
    assert times == sorted(times) and times[0] == "2026-11-27T08:00:00.000000Z"
    probes = [int(due) for _, due in Tail(folder / "probes").new()]
    assert len(probes) == pytest.approx(120, abs=2)
    assert min(after - before for before, after in pairwise(probes)) >= 99_000


def test_the_same_seed_makes_the_same_lines_and_the_same_bad_ones(make, clock):
    def lines(seed):
        start = clock.monotonic()
        pump, outlet, folder = make(seed=seed, planted=0.3, twice=0.1)
        pump.start_at(start)
        run(pump, clock, until_s=start + 60)
        bare = [{**order, "event_time": ""} for order in outlet.sold]
        return bare, [row[2:4] for row in Tail(folder).new()]

    assert lines(7) == lines(7) != lines(8)


def test_the_ledger_has_every_line_once_with_its_reason_and_how_often_it_was_emitted(make, clock):
    pump, outlet, folder = make(planted=0.2, twice=0.1)
    run(pump, clock)
    rows = list(Tail(folder).new())
    reasons = Counter(row[2] for row in rows)
    assert len(rows) == 600 and len({row[0] for row in rows}) == 600
    assert sum(reasons.values()) - reasons[""] == len(outlet.written) == pytest.approx(120, abs=40)
    assert sum(int(row[3]) for row in rows if not row[2]) == len(outlet.sold)
    assert any(row[3] == "2" for row in rows)
    totals = {order["event_id"]: str(order["total"]) for order in outlet.sold}
    assert {row[0]: row[6] for row in rows} == {row[0]: totals.get(row[0], "") for row in rows}


def test_a_full_disk_keeps_the_lines_for_later_and_none_is_noted_before_it_is_written(make, clock):
    pump, outlet, folder = make()
    outlet.full = True
    assert run(pump, clock, until_s=2) == [] and list(Tail(folder).new()) == []
    assert pump.refused > 100
    outlet.full = False
    assert len(run(pump, clock)) == 600
    assert [order["event_id"] for order in outlet.sold] == [f"s-{n}" for n in range(600)]


def test_visits_are_handed_out_once_each_whoever_is_late():
    arrivals = Arrivals(Shape(knots=(Knot(0.0, 2.0), Knot(5.0, 2.0))))
    taken = [arrivals.take() for _ in range(11)]
    assert taken == [(n, pytest.approx(n / 2)) for n in range(10)] + [None]


def test_there_are_people_enough_before_a_peak_begins():
    visits = sale_day().peaking_at(5)
    peak = next(phase for phase in sale_day().phases if phase.name == "burst")
    assert people_for(visits, peak.start_s + 20) > 3 * people_for(visits, peak.start_s - 20)


def test_nobody_is_sent_home_in_the_middle_of_a_visit():
    visits = sale_day().peaking_at(5)
    people = [people_for(visits, at_s) for at_s in range(int(visits.seconds) + 30)]
    assert people == sorted(people)


@pytest.mark.parametrize("processes", [1, 3])
def test_all_visits_are_due_from_somebody(processes):
    flat = Shape(knots=(Knot(0.0, 2.0), Knot(5.0, 2.0)))
    plan = Plan(run_id="r", seed=1, shape_name="flat", orders=flat, visits=flat, processes=processes, settings_file="")
    arrivals = [arrivals_of(plan) for _ in range(processes)]
    taken = [due for each in arrivals for due in iter(each.take, None)]
    assert len(taken) == visits_due(plan)
    assert visits_due(plan) == pytest.approx(10, abs=processes)
    assert visits_due(msgspec.structs.replace(plan, visits=None)) == 0
