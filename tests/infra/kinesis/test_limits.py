import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.kinesis.limits import ShardLimits, Window

pytestmark = pytest.mark.unit


def test_a_window_holds_its_limit_and_opens_again_after_a_second() -> None:
    window = Window(5)
    for _ in range(5):
        assert window.fits(1, 10.0)
        window.take(1, 10.0)
    assert not window.fits(1, 10.999)
    assert window.fits(1, 11.0)


def test_ten_mib_read_at_once_close_the_shard_for_five_seconds() -> None:
    limits = ShardLimits()
    limits.bytes_out.take(10 << 20, 0.0)
    assert not limits.bytes_out.fits(1, 4.99)
    assert limits.bytes_out.fits(1, 5.0)


def test_one_record_over_the_limit_passes_alone() -> None:
    window = Window(10)
    assert window.fits(15, 0.0)
    window.take(15, 0.0)
    assert not window.fits(1, 1.4)
    assert window.fits(1, 1.5)


def test_a_refused_record_takes_nothing() -> None:
    limits = ShardLimits()
    assert limits.admit(1 << 20, 0.0)
    assert not limits.admit(1, 0.5)
    assert limits.admit(1 << 20, 1.0)


def test_without_limits_everything_passes() -> None:
    limits = ShardLimits(enforced=False)
    assert all(limits.admit(1 << 20, 0.0) for _ in range(5000))
    assert limits.reads.fits(math.inf, 0.0)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 400)), max_size=80))
def test_no_window_of_a_second_lets_more_than_its_limit_through(steps: list[tuple[float, int]]) -> None:
    window, now_s = Window(1000), 0.0
    taken: list[tuple[float, int]] = []
    for wait_s, amount in steps:
        now_s += wait_s
        if window.fits(amount, now_s):
            window.take(amount, now_s)
            taken.append((now_s, amount))
    for opened_s, _ in taken:  # two windows can touch, so twice the limit bounds any second, wherever it starts
        assert sum(amount for at_s, amount in taken if opened_s <= at_s < opened_s + 1) <= 2000
