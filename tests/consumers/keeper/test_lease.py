"""One keeper works, the others wait."""

from contextlib import suppress

import pytest

from consumers.delivery import LeaseLost
from consumers.keeper.lease import KeeperLease
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

FAILOVER_S = 10.0


class _Keepers:
    """Two keepers at one table."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.table = InMemoryLeaseTable()
        self.one, self.two = (
            KeeperLease(self.table, owner=owner, failover_s=FAILOVER_S, clock=self.clock) for owner in ("one", "two")
        )
        for keeper in (self.one, self.two):
            keeper.ensure()
            keeper.attend()

    def pass_s(self, seconds: int, *attending: KeeperLease) -> None:
        for _ in range(seconds):
            self.clock.advance(1.0)
            for keeper in attending:
                keeper.attend()


def holds(keeper: KeeperLease) -> bool:
    try:
        keeper.check()
    except LeaseLost:
        return False
    return True


def test_the_first_to_look_has_it_and_keeps_it() -> None:
    keepers = _Keepers()
    assert (holds(keepers.one), holds(keepers.two)) == (True, False)
    keepers.pass_s(60, keepers.one, keepers.two)
    assert (holds(keepers.one), holds(keepers.two)) == (True, False)


def test_given_back_it_is_anothers_at_its_next_look() -> None:
    keepers = _Keepers()
    keepers.one.release()
    assert not holds(keepers.one)
    keepers.pass_s(1, keepers.two)
    assert holds(keepers.two)


def test_a_keeper_that_is_silent_is_replaced_and_knows_it_before_the_other_begins() -> None:
    keepers = _Keepers()
    for _ in range(30):
        keepers.pass_s(1, keepers.two)
        assert not (holds(keepers.one) and holds(keepers.two))
    assert holds(keepers.two)
    keepers.one.attend()
    assert not holds(keepers.one)


def test_a_keeper_that_was_replaced_waits_for_its_turn() -> None:
    keepers = _Keepers()
    keepers.pass_s(30, keepers.two)
    keepers.pass_s(30, keepers.one, keepers.two)
    assert (holds(keepers.one), holds(keepers.two)) == (False, True)
    keepers.two.release()
    keepers.pass_s(1, keepers.one)
    assert holds(keepers.one)


def test_with_the_table_away_the_lease_runs_out_and_nobody_has_it() -> None:
    keepers = _Keepers()
    keepers.table.away = True
    for _ in range(int(FAILOVER_S)):
        keepers.clock.advance(1.0)
        for keeper in (keepers.one, keepers.two):
            try:
                keeper.attend()
            except Outage:
                continue
    assert not holds(keepers.one)
    assert not holds(keepers.two)
    keepers.table.away = False
    keepers.pass_s(30, keepers.one, keepers.two)
    assert holds(keepers.one) != holds(keepers.two)


def test_a_release_that_does_not_arrive_is_an_outage_and_it_runs_out() -> None:
    keepers = _Keepers()
    keepers.table.away = True
    with pytest.raises(Outage):
        keepers.one.release()
    assert not holds(keepers.one)
    keepers.table.away = False
    keepers.pass_s(12, keepers.two)
    assert holds(keepers.two)


def test_a_table_that_is_deleted_is_made_again_and_one_of_them_has_the_lease() -> None:
    keepers = _Keepers()
    keepers.table.delete()
    for _ in range(30):
        keepers.clock.advance(1.0)
        for keeper in (keepers.one, keepers.two):
            with suppress(Outage):
                keeper.attend()
        assert not (holds(keepers.one) and holds(keepers.two))
    assert holds(keepers.one) != holds(keepers.two)
