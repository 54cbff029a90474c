"""The customers in memory, and what is wrong with the customer of an order. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contract.order import Order
from contract.reasons import Reason


class Standing(NamedTuple):
    """What is known of a customer. Millions share a few of these."""

    is_active: bool
    region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerList:
    """Who buys here. Numbers in place of standings: the cycle collector passes by a dict of text and numbers."""

    places: Mapping[str, int]  # customer id -> n: theirs is standings[n]
    standings: Sequence[Standing]

    def standing(self, customer_id: str) -> Standing | None:
        """None for one who is not in it."""
        place = self.places.get(customer_id)
        return None if place is None else self.standings[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Who may buy, and for where. See the settings `[rules]`."""

    guest_channels: frozenset[str] | None  # None: every one
    regions: frozenset[str]  # empty: every one
    own_region: bool


def fault_of_customer(order: Order, customers: CustomerList | None, welcome: Welcome) -> Reason | None:
    """None also where no list of customers has been published, and for a guest where guests may buy."""
    if order.customer_id is None:
        channels = welcome.guest_channels
        return None if channels is None or order.channel in channels else Reason.GUEST_NOT_ALLOWED
    if customers is None:
        return None
    standing = customers.standing(order.customer_id)
    if standing is None:
        return Reason.UNKNOWN_CUSTOMER
    return None if standing.is_active else Reason.BLOCKED_CUSTOMER


def is_implausible_region(order: Order, customers: CustomerList | None, welcome: Welcome) -> bool:
    """Whether it is one that the shop does not sell to, or not the customer's own. An order without one is neither."""
    if order.region is None:
        return False
    if welcome.regions and order.region not in welcome.regions:
        return True
    if not welcome.own_region or customers is None or order.customer_id is None:
        return False
    standing = customers.standing(order.customer_id)
    return standing is not None and standing.region is not None and standing.region != order.region
