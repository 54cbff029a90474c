import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.kinesis import sequence

pytestmark = pytest.mark.unit

_times = st.integers(1_000_000_000_000, 9_999_999_999_999)


@given(_times, st.integers(0, 10**12 - 1), st.integers(0, 10**29 - 1))
def test_a_number_looks_like_one_of_aws_and_gives_its_counter_back(created: int, shard: int, counter: int) -> None:
    number = sequence.number(sequence.prefix(created, shard), counter)
    assert len(number) == sequence.DIGITS
    assert number.startswith("49")
    assert number.isdecimal()
    assert sequence.counter(number) == counter


@given(_times, st.integers(0, 10**29 - 1), st.integers(0, 10**29 - 1))
def test_text_order_is_counter_order(created: int, one: int, two: int) -> None:
    head = sequence.prefix(created, 7)
    assert (one < two) == (sequence.number(head, one) < sequence.number(head, two))


@given(st.integers(0, 10**20), _times)
def test_a_resumed_counter_jumps_over_every_number_that_may_have_been_torn_off(last: int, now_ms: int) -> None:
    number = sequence.number(sequence.prefix(1_795_000_000_000, 0), last)
    assert sequence.resumed(number, now_ms) > last + 500


def test_a_log_that_lost_its_only_record_does_not_start_over() -> None:
    assert sequence.resumed(None, 1_795_000_000_001) - sequence.resumed(None, 1_795_000_000_000) > 500
