"""A duty has its turns while the lease is ours; its trouble is its own."""

import datetime as dt
import logging
import random
import threading
from collections.abc import Callable

import pytest

from consumers.delivery import LeaseLost
from consumers.keeper.cadence import Cadence, parse_cadence
from consumers.keeper.duties import Attendance
from consumers.keeper.lease import KeeperLease
from consumers.keeper.process import keep
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.testing import InMemoryLeaseTable
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

NEVER = threading.Event()


class _Duty:
    """Meets what a test says, turn by turn."""

    name = "lake"

    def __init__(self, *, prepares: list[Exception] | None = None, turns: list[Exception | None] | None = None) -> None:
        self.log: list[str] = []
        self._prepares = prepares or []
        self._turns = turns or []

    def prepare(self) -> None:
        self.log.append("prepare")
        if self._prepares:
            raise self._prepares.pop(0)

    def turn(self, check: Callable[[], None], stop: Stop) -> None:
        check()
        self.log.append("turn")
        if self._turns and (error := self._turns.pop(0)):
            raise error

    def report(self) -> str:
        return ""


class _Bench:
    def __init__(self, duty: _Duty, cadence: Cadence | None = None) -> None:
        self.clock = ManualClock()
        self.is_held = True
        self.duty = duty
        self.attendance = Attendance(duty, cadence or Cadence.always(15), self._check, self.clock, random.Random(7))

    def _check(self) -> None:
        if not self.is_held:
            raise LeaseLost("another keeper is at work")

    def pass_s(self, seconds: float) -> list[str]:
        """What the duty was asked for in so many seconds, looked at twice a second."""
        before = len(self.duty.log)
        for _ in range(int(seconds * 2)):
            self.attendance.step(NEVER)
            self.clock.advance(0.5)
        return self.duty.log[before:]


def test_a_turn_comes_at_once_and_then_by_the_cadence() -> None:
    bench = _Bench(_Duty())
    assert bench.pass_s(15) == ["prepare", "turn"]
    assert bench.pass_s(45) == ["turn"] * 3


def test_the_hour_decides_as_soon_as_it_comes() -> None:
    bench = _Bench(_Duty(), parse_cadence("00-09:3600,09-24:15", dt.UTC, "x"))
    bench.clock.advance(1_800)
    assert bench.pass_s(1_790) == ["prepare", "turn"]
    assert bench.pass_s(15) == ["turn"]


def test_without_the_lease_nothing_happens_and_with_it_at_once() -> None:
    bench = _Bench(_Duty())
    bench.is_held = False
    assert bench.pass_s(60) == []
    bench.is_held = True
    assert bench.pass_s(1) == ["prepare", "turn"]


def test_an_outage_is_tried_again_within_seconds_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = _Bench(_Duty(turns=[Outage("no connection")] * 5), Cadence.always(3_600))
    with caplog.at_level(logging.INFO):
        assert bench.pass_s(60) == ["prepare", *["turn"] * 6]
    assert [each.getMessage().partition(" after")[0] for each in caplog.records] == [
        "lake: no connection; waiting, nothing is lost",
        "lake: well again",
    ]


def test_what_the_operator_has_to_change_is_tried_again_each_minute_and_prepared_for() -> None:
    bench = _Bench(_Duty(turns=[None, ConfigError("the table is gone")]))
    assert bench.pass_s(15) == ["prepare", "turn"]
    assert bench.pass_s(61) == ["turn", "prepare", "turn"]
    assert bench.attendance.refused is None


def test_a_duty_that_never_began_says_why() -> None:
    error = ConfigError("no such database")
    bench = _Bench(_Duty(prepares=[error]))
    assert bench.pass_s(30) == ["prepare"]
    assert bench.attendance.refused is error
    assert bench.pass_s(31) == ["prepare", "turn"]
    assert bench.attendance.refused is None


def test_a_fault_of_its_own_is_logged_whole_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    bench = _Bench(_Duty(turns=[ZeroDivisionError("oh")]))
    with caplog.at_level(logging.ERROR):
        assert bench.pass_s(60) == ["prepare", "turn"]
    assert bench.pass_s(1) == ["turn"]
    (record,) = caplog.records
    assert record.exc_info


def test_a_lease_lost_in_the_middle_ends_the_turn_quietly(caplog: pytest.LogCaptureFixture) -> None:
    bench = _Bench(_Duty(turns=[LeaseLost("another's")]))
    assert bench.pass_s(0.5) == ["prepare", "turn"]
    assert not caplog.records


def test_a_lease_that_only_an_operator_mends_ends_the_keeper_and_its_duties() -> None:
    class Denied(InMemoryLeaseTable):
        def read_all(self) -> list[Lease]:
            raise ConfigError("AWS refuses")

    clock = ManualClock()
    lease = KeeperLease(Denied(), owner="one", failover_s=10.0, clock=clock)
    before = set(threading.enumerate())
    with pytest.raises(ConfigError, match="AWS refuses"):
        keep([(_Duty(), Cadence.always(15))], lease, threading.Event(), 60.0, clock)
    assert set(threading.enumerate()) <= before
