"""The open model of the event users: a line is written when the shape says, whatever became of earlier ones."""

import random
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from contract.reasons import Reason
from loadtests.sale.ledger import Intended, Ledger
from loadtests.sale.outlets import Outlet
from loadtests.sale.planted import SPOILERS, Goods, has_identity, spoilt
from loadtests.shapes import Schedule, Shape
from runtime.clock import Clock

TICK_S = 0.01  # lines due within one tick are written together
_MOST_A_STEP = 2_000  # then others of the same process have a turn


class _Line(NamedTuple):
    """A line that is due; `raw` None: an order for the SDK."""

    order: dict[str, Any]
    raw: bytes | None
    reason: Reason | None
    copies: int
    due_s: float
    is_probe: bool


class Pump:
    """One sender. `step` is called every tick, from one thread.

    Its orders, what is wrong with them and what is emitted twice depend on `rng` alone; the event time of each is when
    it was due.
    """

    def __init__(
        self,
        sender: str,
        shape: Shape,
        outlet: Outlet,
        ledger: Ledger,
        goods: Goods,
        clock: Clock,
        rng: random.Random,
        *,
        planted: float,
        twice: float,
        probes_a_second: float,
        reasons: Sequence[Reason] = tuple(SPOILERS),
        alter: Callable[[dict[str, Any]], Reason | None] = lambda order: None,
    ) -> None:
        """`sender` begins its event ids. `alter` may change an order, and says what it is to be refused for."""
        self.schedule = Schedule(shape)
        self._sender, self.outlet, self._ledger, self._goods = sender, outlet, ledger, goods
        self._clock, self._rng, self._alter = clock, rng, alter
        self._planted, self._twice, self._probe_s = planted, twice, 1 / probes_a_second
        self._reasons = [reason for reason in reasons if outlet.takes_anything or has_identity(reason)]
        self._began_s = clock.monotonic()
        self._began_at = clock.now()
        self._next, self._next_probe_s = 0, 0.0
        self._next_due_s = self.schedule.due_s(0) if self.schedule.events else 0.0
        self._stuck: deque[_Line] = deque()
        self.refused = 0  # times that the outlet had no room
        self.late_s: list[float] = []  # of the lines of the last step: from due until written

    def start_at(self, monotonic_s: float) -> None:
        """The shape's second 0. Raises nothing; called before the first step."""
        self._began_at = self._clock.now() + timedelta(seconds=monotonic_s - self._clock.monotonic())
        self._began_s = monotonic_s

    @property
    def is_over(self) -> bool:
        """Every line of the shape was written."""
        return self._next >= self.schedule.events and not self._stuck

    def step(self) -> int:
        """Write what is due by now. Returns how many lines that were."""
        now_s = self._clock.monotonic() - self._began_s
        self.late_s.clear()
        written: list[_Line] = []
        while len(written) < _MOST_A_STEP and (line := self._due(now_s)) is not None:
            if not self._write(line):
                break
            written.append(line)
        if written:
            self.outlet.flush()
            self._note(written)
        return sum(line.copies for line in written)

    def _due(self, now_s: float) -> _Line | None:
        if self._stuck:
            return self._stuck.popleft()
        if self._next >= self.schedule.events:
            return None
        if self._next_due_s > now_s:
            return None
        line = self._line(self._next, self._next_due_s)
        self._next += 1
        if self._next < self.schedule.events:
            self._next_due_s = self.schedule.due_s(self._next)
        return line

    def _line(self, number: int, due_s: float) -> _Line:
        order = self._goods.order(f"{self._sender}-{number}", self._at(due_s))
        lot = self._rng.random()
        if lot < self._planted and self._reasons:
            reason = self._rng.choice(self._reasons)
            return _Line(order, spoilt(order, reason), reason, 1, due_s, False)
        altered = self._alter(order)
        is_probe = altered is None and due_s >= self._next_probe_s
        if is_probe:
            self._next_probe_s = due_s + self._probe_s
        copies = 2 if not is_probe and altered is None and lot > 1 - self._twice else 1
        return _Line(order, None, altered, copies, due_s, is_probe)

    def _write(self, line: _Line) -> bool:
        """False: there is no room, and the line is kept for the next step, as a shop would keep it."""
        for copy in range(line.copies):
            try:
                self.outlet.write(line.raw) if line.raw is not None else self.outlet.sell(line.order)
            except OSError:
                self.refused += 1
                if copy:  # the first one is out
                    line = line._replace(copies=copy)
                    self.outlet.flush()
                    self._note([line])
                    return False
                self._stuck.appendleft(line)
                return False
        return True

    def _note(self, lines: Sequence[_Line]) -> None:
        sent_s = self._clock.monotonic() - self._began_s
        for line in lines:
            self.late_s.append(sent_s - line.due_s)
            key, by = line.order["event_id"], "event"
            if line.raw is not None and line.reason is not None and not has_identity(line.reason):
                text = line.raw.removesuffix(b"\n")
                key, by = f"{zlib.crc32(text)}-{len(text)}", "line"
            reason = str(line.reason or "")
            total = None if reason else line.order["total"]
            times = (_us(self._at(line.due_s)), _us(self._at(sent_s)))
            self._ledger.add(Intended(key, by, reason, line.copies, *times, total), is_probe=line.is_probe)  # type: ignore[arg-type]
        self._ledger.flush()

    def _at(self, elapsed_s: float) -> datetime:
        return self._began_at + timedelta(seconds=elapsed_s)


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1e6)
