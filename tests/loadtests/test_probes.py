"""What counts as on the board, and the figures of waits."""

import json

import pytest

from loadtests.probes import Probes, percentiles
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit


def snapshot(*orders_a_minute: int) -> bytes:
    minutes = [{"label": "08:00", "revenue": 1, "orders": orders} for orders in orders_a_minute]
    return json.dumps({"minutes": minutes, "orders": []}).encode()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def probes(clock: ManualClock) -> Probes:
    probes = Probes(clock)
    probes.expect("a", 0.0)
    probes.expect("b", 0.5)
    return probes


def test_a_probe_is_shown_by_the_first_snapshot_that_counts_all_it_was_found_among(
    probes: Probes, clock: ManualClock
) -> None:
    clock.advance(1.0)
    probes.found(["a"], 10)
    clock.advance(0.1)
    probes.board_shows(snapshot(4, 5))  # asked before the refresh that made the tenth order visible
    clock.advance(0.5)
    probes.board_shows(snapshot(4, 5))  # says the same again
    clock.advance(0.5)
    probes.board_shows(snapshot(4, 7))
    assert probes.found_s == [1.0]
    assert probes.shown_s == [pytest.approx(2.1)]
    assert probes.missing() == ["b"]


def test_a_board_that_is_faster_than_the_search_is_believed(probes: Probes, clock: ManualClock) -> None:
    clock.advance(1.0)
    probes.board_shows(snapshot(10))
    clock.advance(0.1)
    probes.found(["a", "b"], 10)
    assert probes.shown_s == [1.0, 0.5]
    assert probes.found_s == [1.1, pytest.approx(0.6)]


def test_a_probe_that_the_board_never_shows_has_no_wait(probes: Probes, clock: ManualClock) -> None:
    probes.found(["a"], 10)
    probes.board_shows(snapshot(9))
    assert probes.shown_s == []
    assert len(probes) == 2


def test_percentiles_of_a_hundred_waits() -> None:
    waits = [number / 100 for number in range(101)]
    assert percentiles(waits) == {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def test_the_longest_wait_is_seen_however_many_short_ones_there_are() -> None:
    found = percentiles([0.1] * 99_999 + [30.0])
    assert (found["p99"], found["max"]) == (pytest.approx(0.1), 30.0)


def test_too_few_waits_have_no_percentiles() -> None:
    assert percentiles([1.0]) == {}


def test_each_store_of_history_has_waits_of_its_own(probes: Probes, clock: ManualClock) -> None:
    clock.advance(2.0)
    probes.arrived("lake", ["a"])
    clock.advance(1.0)
    probes.arrived("lake", ["b"])
    probes.arrived("warehouse", ["b"])
    assert probes.arrived_s("lake") == [2.0, 2.5]
    assert probes.arrived_s("warehouse") == [2.5]
    assert (probes.missing_in("lake"), probes.missing_in("warehouse")) == ([], ["a"])
