"""Visits as they are due: an open model of people, who come whether or not the shop has answered those before."""

from typing import NamedTuple

from loadtests.sale.plan import Plan
from loadtests.shapes import Schedule, Shape

VISIT_S = 15.0  # of a visit with default looks at its pages
_SPARE = 2.0  # a slow shop keeps people for longer
_LAST_S = 8.0  # for lines that were due at the very end
_LAST_VISIT_S = 20.0  # for visits: nine looks of two seconds, and the pages


class Due(NamedTuple):
    """One visit."""

    number: int  # of this process's
    due_s: float  # from the shape's start


class Arrivals:
    """Hands out one process's visits, oldest first; whoever has taken one waits until it is due."""

    def __init__(self, shape: Shape) -> None:
        self._schedule = Schedule(shape)
        self._next = 0

    @property
    def visits(self) -> int:
        """How many there are in all."""
        return self._schedule.events

    def take(self) -> Due | None:
        """The next visit; None once all were taken."""
        if self._next >= self.visits:
            return None
        due = Due(self._next, self._schedule.due_s(self._next))
        self._next += 1
        return due


def arrivals_of(plan: Plan) -> Arrivals | None:
    """One process's share of the plan's visits; None without a shop."""
    return Arrivals(plan.visits.times(1 / plan.processes)) if plan.visits else None


def visits_due(plan: Plan) -> int:
    """Visits that all processes together have to begin."""
    arrivals = arrivals_of(plan)
    return plan.processes * arrivals.visits if arrivals else 0


def people_for(visits: Shape, at_s: float) -> int:
    """How many are needed so that somebody is free whenever a visit is due soon.

    Never fewer than before: Locust would end somebody in the middle of a visit, and the shop would be blamed for it.
    """
    soon_s = min(at_s + VISIT_S, visits.seconds)
    most = max(visits.rate(soon_s), *(knot.rate for knot in visits.knots if knot.at_s <= soon_s))
    return max(1, round(most * VISIT_S * _SPARE))


def users_at(plan: Plan, at_s: float) -> int | None:
    """How many at that second of the shape; None once it is over, and those who came last have had time to leave."""
    if at_s > plan.orders.seconds + (_LAST_VISIT_S if plan.visits else _LAST_S):
        return None
    fixed = plan.senders + plan.analysts + (plan.viewers if plan.board_url else 0)
    return fixed + (people_for(plan.visits, max(0.0, at_s)) if plan.visits else 0)
