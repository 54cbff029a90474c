"""The duty itself, with a lake and a store of lists."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from consumers.keeper.conflicts import Conflict, ConflictDuty, Found
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

DAY = dt.date(2026, 11, 27)
NOON = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
CONFLICT = Conflict(event_id="e-1", event_date=DAY, lines=[{"line_count": 2, "arrived_at": NOON}])


@dataclass
class _Lake:
    order_lines: list[dict[str, object]] = field(default_factory=list)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def changed_days(self, state: int | None, since: dt.date) -> tuple[set[dt.date], int]:
        return (set() if state else {DAY}), 1

    def conflicts(self, day: dt.date, after: int | None) -> Iterator[Conflict]:
        yield CONFLICT

    def with_order_lines(self, conflicts: Sequence[Conflict]) -> list[Conflict]:
        return [replace(each, order_lines=list(self.order_lines)) for each in conflicts]


@dataclass
class _Store:
    name: str = "store"
    corrected: list[Conflict] = field(default_factory=list)

    def look(self, conflicts: Sequence[Conflict]) -> Found:
        return Found(wrong=[] if self.corrected else conflicts, waiting=0)

    def correct(self, conflicts: Sequence[Conflict], check: Callable[[], None]) -> int:
        check()
        self.corrected += conflicts
        return len(conflicts)


def test_an_order_whose_lines_the_lake_has_not_taken_in_yet_is_waited_for() -> None:
    lake, store, clock, never = _Lake(), _Store(), ManualClock(NOON), threading.Event()
    duty = ConflictDuty(store, lake, clock)
    for have in ([], [{"sku": "A"}]):
        lake.order_lines = have
        duty.turn(lambda: None, never)
        assert store.corrected == []
        clock.advance(3600)
    lake.order_lines = [{"sku": "A"}, {"sku": "B"}]
    duty.turn(lambda: None, never)
    assert [len(each.order_lines) for each in store.corrected] == [2]
