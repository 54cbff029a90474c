"""A drill, as data: how a fault is provoked and undone, and what has to come of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from contract.reasons import Reason
from loadtests.drills.ground import Ground

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
    planted: float = 0.02
    customer_id: str | None = None  # who buys everything; None: many
    alter: Callable[[Order, random.Random], Reason | None] = unaltered


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault. `provoke` and `undo` are called once, while orders are sold."""

    name: str
    expected: str  # what comes of it, for people
    provoke: Callable[[Ground], None]
    undo: Callable[[Ground], None] = nothing
    hold_s: float = 20.0  # between the two
    short_s: float = 8.0  # the same in the short form
    recover_s: float = 120.0  # longest time from `undo` until every line is in all stores
    load: Load = field(default_factory=Load)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    name: str
    expected: str
    emitted: int  # identities
    lost: dict[str, int]  # by store
    wrong: dict[str, int]  # duplicated, misjudged or undetected, by store
    recovered_s: dict[str, float | None]  # from `undo` until the last line sold before it was seen; None: never
    seen: dict[str, str]  # where the operator saw it, and what was said first
    trouble: str | None = None  # why the drill could not be held

    @property
    def passed(self) -> bool:
        return (
            self.trouble is None
            and self.emitted > 0
            and bool(self.lost)
            and not any(self.lost.values())
            and not any(self.wrong.values())
            and None not in self.recovered_s.values()
        )
