"""Rates over time, and when each event is due."""

import itertools
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.sale.arrivals import users_at
from loadtests.sale.export_hour import busiest_hour
from loadtests.sale.plan import Plan
from loadtests.shapes import BURST, SHAPES, STEP, Knot, Schedule, Shape, from_minutes, sale_day
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

EXPORT = Path(__file__).parents[3] / "shared/data/online_retail/online_retail_2010_2011.parquet"
PAGE = Path(__file__).parents[2] / "docs/saleday.md"


def phase(shape: Shape, name: str):
    return next(each for each in shape.phases if each.name == name)


def test_a_sale_day_has_its_published_peaks():
    shape = sale_day()
    day, step, burst = (phase(shape, name) for name in ("day", "step", "burst"))
    assert shape.rate(day.start_s - 1) == 1
    assert max(shape.rate(day.start_s + n) for n in range(600)) == pytest.approx(2.5)
    assert (shape.rate(step.start_s), shape.rate(step.start_s + 30)) == (2.0, STEP)
    assert step.end_s - step.start_s == 630
    decay = [shape.rate(step.start_s + 30 + n) for n in range(601)]
    assert decay == sorted(decay, reverse=True) and decay[-1] < 1.2
    assert shape.peak == BURST == shape.rate(burst.start_s + 30)
    assert shape.rate(shape.seconds) == 1
    assert [each.start_s for each in shape.phases[1:]] == [each.end_s for each in shape.phases[:-1]]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_can_be_stretched_and_given_a_peak(name):
    shape = SHAPES[name]().stretched(60).peaking_at(720)
    assert (shape.seconds, shape.peak) == (pytest.approx(60), pytest.approx(720))
    assert shape.rate(-1) == shape.rate(61) == 0
    assert all(before.at_s < after.at_s for before, after in itertools.pairwise(shape.knots))


rates = st.floats(0, 1000)
shapes = st.lists(st.tuples(st.floats(0.5, 60), rates), min_size=1, max_size=8).map(
    lambda parts: Shape(
        knots=(
            Knot(0.0, parts[0][1]),
            *(
                Knot(at, rate)
                for at, (_, rate) in zip(itertools.accumulate(gap for gap, _ in parts), parts, strict=True)
            ),
        )
    )
)


@given(shapes, st.floats(0, 1))
def test_an_event_is_due_when_the_rate_has_added_up_to_its_number(shape, place):
    schedule = Schedule(shape)
    if schedule.events:
        number = min(schedule.events - 1, int(place * schedule.events))
        due_s = schedule.due_s(number)
        assert 0 <= due_s <= shape.seconds + 1e-6
        assert schedule.until(due_s) == pytest.approx(number, abs=1e-3, rel=1e-6)
    with pytest.raises(ValueError, match="event"):
        schedule.due_s(schedule.events)


def test_minutes_counted_become_a_shape_with_as_many_events():
    shape = from_minutes([60, 120, 0, 60])
    assert shape.seconds == 240
    assert Schedule(shape).events == pytest.approx(240, rel=0.05)
    with pytest.raises(ValueError, match="no minute"):
        from_minutes([0, 0])


def test_the_busiest_hour_of_an_export_is_found(tmp_path):
    file = tmp_path / "export.csv"
    rows = [("A1", "2011-01-01 08:00:00")] + [(f"B{n}", f"2011-01-02 10:{n % 60:02}:00") for n in range(120)]
    pl.DataFrame(
        [(i, "X", "1", "2.55", t, "1", "France", "d") for i, t in rows],
        schema=[
            "InvoiceNo",
            "StockCode",
            "Quantity",
            "UnitPrice",
            "InvoiceDate",
            "CustomerID",
            "Country",
            "Description",
        ],
        orient="row",
    ).write_csv(file)
    assert {knot.rate * 60 for knot in busiest_hour(file, "online-retail").knots} == {2.0}
    with pytest.raises(ConfigError):
        busiest_hour(tmp_path / "absent.csv", "online-retail")


@pytest.mark.skipif(not EXPORT.exists(), reason="the real data are not there")
def test_a_real_shops_busiest_hour_is_no_flat_line():
    shape = busiest_hour(EXPORT, "online-retail")
    assert shape.seconds == 3600
    assert 40 < Schedule(shape).events < 60  # 5 times the mean hour
    assert shape.peak > 2 * Schedule(shape).events / 3600


def test_locust_has_users_for_the_rate_until_the_shape_is_over():
    orders = sale_day().stretched(60).peaking_at(360)
    plan = Plan(
        run_id="r", seed=1, shape_name="x", orders=orders, visits=orders.peaking_at(4), settings_file="", board_url="b"
    )
    fixed = plan.senders + plan.viewers + plan.analysts
    counts = [users_at(plan, at_s) for at_s in range(60)]
    assert all(count is not None and count > fixed for count in counts)
    assert max(filter(None, counts)) > 30
    assert users_at(plan, 60 + 18) == counts[-1]  # a visit that was due at the very end takes as long
    assert users_at(plan, 60 + 21) is None
    nobody = msgspec.structs.replace(plan, visits=None)
    assert (users_at(nobody, 60 + 7), users_at(nobody, 60 + 9)) == (fixed, None)


def test_the_lengths_that_the_page_advises_leave_a_shape_as_it_is():
    advised = re.findall(r"--shape (\w+)\s+--minutes ([\d.]+)", PAGE.read_text())
    assert {name for name, _ in advised} == {"step", "steady"}
    for name, minutes in advised:
        assert SHAPES[name]().seconds == 60 * float(minutes)
