"""A drill, as data: how a fault is provoked and undone, what shows that it was there, and what has to come of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from contract.reasons import Reason
from loadtests.drills.ground import Ground
from loadtests.drills.signs import Sign

Order = dict[str, Any]


def nothing(ground: Ground) -> None:
    """The load itself is the fault, or it undoes itself."""


def unaltered(order: Order, rng: random.Random) -> Reason | None:
    """Orders are as they are."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sold meanwhile."""

    times: float = 1.0  # the usual rate
    per_s: float | None = None  # orders, whatever the usual rate is
    planted: float = 0.02
    customer_id: str | None = None  # who buys everything; None: many
    alter: Callable[[Order, random.Random], Reason | None] = unaltered

    def rate(self, usual: float) -> float:
        """Orders a second."""
        return usual * self.times if self.per_s is None else self.per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault. `provoke` and `undo` are called once, while orders are sold; `undo` returns once all is back."""

    name: str
    expected: str  # what comes of it, for people
    sign: Sign  # that it was in force
    provoke: Callable[[Ground], None] = nothing
    undo: Callable[[Ground], None] = nothing
    hold_s: float = 20.0  # between the two
    short_s: float = 8.0  # the same in the short form
    recover_s: float = 180.0  # longest time from `undo` until every line is in all stores
    load: Load = field(default_factory=Load)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    name: str
    expected: str
    sign: str  # what is counted to know that the fault was in force
    in_force: int  # that count; 0: there is no telling that there was a fault
    emitted: int  # identities
    lost: dict[str, int]  # by store
    wrong: dict[str, int]  # duplicated, misjudged or undetected, by store
    # From the moment when the end of the fault was begun until the last line sold before all was back was seen; None:
    # never.
    recovered_s: dict[str, float | None]
    seen: dict[str, str]  # where the operator saw it, and what was said first
    trouble: str | None = None  # why the drill could not be held

    @property
    def passed(self) -> bool:
        return (
            self.trouble is None
            and self.in_force > 0
            and self.emitted > 0
            and bool(self.lost)
            and not any(self.lost.values())
            and not any(self.wrong.values())
            and None not in self.recovered_s.values()
        )
