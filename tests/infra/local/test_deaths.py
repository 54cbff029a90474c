"""How many deaths are too many."""

import pytest

from infra.local.attendant import MAX_DEATHS, WITHIN_S, Deaths

pytestmark = pytest.mark.unit


def test_deaths_within_a_minute_add_up() -> None:
    deaths = Deaths()

    assert [deaths.record(second) for second in range(MAX_DEATHS)] == [1, 2, 3, 4, 5]


def test_deaths_of_more_than_a_minute_ago_are_forgotten() -> None:
    deaths = Deaths()

    counts = [deaths.record(index * WITHIN_S / 2) for index in range(10)]

    assert max(counts) == 2
