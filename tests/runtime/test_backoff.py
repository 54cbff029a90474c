import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import full_jitter

pytestmark = pytest.mark.unit


@given(st.integers(0, 10_000), st.integers())
def test_a_wait_is_never_negative_and_never_over_the_cap(attempt: int, seed: int) -> None:
    assert 0 <= full_jitter(attempt, random.Random(seed), cap_s=5.0) <= 5.0


def test_waits_grow_with_the_attempts() -> None:
    rng = random.Random(1)
    early = sum(full_jitter(0, rng) for _ in range(1000))
    late = sum(full_jitter(5, rng) for _ in range(1000))
    assert late > 10 * early
