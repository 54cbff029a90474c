"""The pace of orders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.steady import paced
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def waiting(clock):
    def wait(seconds):
        clock.advance(seconds)
        return False

    return wait


@given(rate=st.floats(0.5, 3000), seconds=st.floats(0.05, 3))
def test_as_many_orders_become_due_as_rate_and_time_say_each_at_its_moment(rate, seconds):
    clock = ManualClock()
    clock.advance(7.0)
    orders = list(paced(rate, seconds, clock, waiting(clock)))
    assert len(orders) == pytest.approx(rate * seconds, abs=1)
    assert [due.number for due in orders] == list(range(len(orders)))
    assert [due.at for due in orders] == [7.0 + number / rate for number in range(len(orders))]
    assert clock.monotonic() == pytest.approx(7.0 + seconds, abs=0.011)


def test_no_order_comes_before_it_is_due():
    clock = ManualClock()
    for due in paced(333, 1.0, clock, waiting(clock)):
        assert due.at <= clock.monotonic() <= due.at + 0.0101


def test_a_writer_that_is_slow_delays_orders_but_not_the_time_at_which_they_were_due():
    clock = ManualClock()
    orders = []
    for due in paced(100, 1.0, clock, waiting(clock)):
        clock.advance(0.05)
        orders.append(due)
    assert len(orders) == 100
    assert orders[-1].at == pytest.approx(0.99)
    assert clock.monotonic() == pytest.approx(5.0, abs=0.1)


def test_a_stop_ends_the_schedule():
    clock = ManualClock()
    assert list(paced(100, 1.0, clock, lambda _: clock.monotonic() > 0 or clock.advance(0.01) is not None)) == [
        (0, 0.0)
    ]
