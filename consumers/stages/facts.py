"""What an order is judged by besides itself: the snapshots in force when it arrived, and the thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from consumers.stages.customers import CustomerList
from consumers.stages.prices import PriceList
from consumers.stages.rules import Rules, Thresholds, thresholds_of

ALWAYS, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The snapshots that judge what arrives from `since` to before `until`. None: nothing published, no such rule."""

    prices: PriceList | None = None
    customers: CustomerList | None = None
    thresholds: Thresholds = thresholds_of(Rules())
    since: datetime = ALWAYS
    until: datetime = NEVER


class Reference(Protocol):
    """The published snapshots as judges ask for them. Safe from any thread."""

    def at(self, arrived_at: datetime) -> InForce:
        """What judges a record that arrived then: the same answer whenever it is asked.

        Raises Backpressure where it is not in memory and cannot be read now.
        """
        ...

    def versions(self, first: datetime, last: datetime) -> Mapping[str, str]:
        """Of all that judged what arrived between the two, both included; `stale` where a newer one may have been
        missed, as the bucket was away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """One state of things that never changes: of a shop that publishes nothing, and of tests."""

    facts: InForce = InForce()

    def at(self, arrived_at: datetime) -> InForce:
        return self.facts

    def versions(self, first: datetime, last: datetime) -> Mapping[str, str]:
        return {"catalogue": "none"} if self.facts.prices is None else {"catalogue": "fixed"}
