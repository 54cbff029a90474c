"""The fleet measured on the clock: a small one, so that the bench is known to run."""

import pytest

from loadtests.bench.fleet_simulation import measure

pytestmark = pytest.mark.unit


def test_a_small_fleet_balances_after_every_change() -> None:
    found = measure(1, workers=4, shards=12)
    assert set(found.seconds) == {"cold_start", "half_lost", "as_many_new", "shards_doubled"}
    assert all(seconds < 60.0 for seconds in found.seconds.values())
    # A renewal of each lease every third of the failover time, and little else.
    assert 12 * 18 * 0.8 <= found.writes["rest"] <= 12 * 18 * 1.2
    assert found.read_units["rest"] > 0
