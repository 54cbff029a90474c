"""Visits as they are due: an open model of people, who come whether or not the shop has answered those before."""

from loadtests.sale.plan import Plan
from loadtests.shapes import Schedule, Shape

VISIT_S = 15.0  # of a visit with default looks at its pages
_SPARE = 2.0  # a slow shop keeps people for longer
_LAST_S = 8.0  # for lines and visits that were due at the very end


class Arrivals:
    """Hands out one process's visits, oldest first; whoever has taken one waits until it is due."""

    def __init__(self, shape: Shape) -> None:
        self._schedule = Schedule(shape)
        self._next = 0

    def take(self) -> float | None:
        """When the next visit is due: seconds from the shape's start; None once all were taken."""
        if self._next >= self._schedule.events:
            return None
        due_s = self._schedule.due_s(self._next)
        self._next += 1
        return due_s


def people_for(visits: Shape, at_s: float) -> int:
    """How many are needed so that somebody is free whenever a visit is due soon."""
    soon = max(visits.rate(at_s), visits.rate(min(at_s + VISIT_S, visits.seconds)))
    return max(1, round(soon * VISIT_S * _SPARE)) if at_s <= visits.seconds else 0


def users_at(plan: Plan, at_s: float) -> int | None:
    """How many at that second of the shape; None once it is over."""
    if at_s > plan.orders.seconds + _LAST_S:
        return None
    fixed = plan.senders + plan.analysts + (plan.viewers if plan.board_url else 0)
    return fixed + (people_for(plan.visits, max(0.0, at_s)) if plan.visits else 0)
