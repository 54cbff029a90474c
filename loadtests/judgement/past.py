"""The reference data that a shop could have published on a morning, out of what it had sold by the evening before.

Nobody has told us this shop's price list: what it sold a thing for is what the thing costs. Those with a customer
number pay by another list than those without, so each is a channel of its own.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from contract.order import Order
from contract.reference import Customer, Price

ACCOUNT, GUEST = "account", "guest"  # the two price lists
BLOCKED = "C-blocked"  # nobody of this shop is
SEEN = "sold at"  # several prices go beside each other, as promotions do: big customers, offers, clearances

Sold = tuple[str, str, int]  # channel, SKU, price


@dataclass(slots=True)
class Sighting:
    """When a thing was sold at a price, and to how small a buyer."""

    first: dt.datetime
    last: dt.datetime
    smallest: int  # pieces


@dataclass(slots=True)
class Past:
    """What was sold so far. Grows by `add`."""

    remembered: dt.timedelta  # for so long after its last sale a price is still one
    sold: dict[Sold, Sighting] = field(default_factory=dict)
    regions: dict[str, set[str]] = field(default_factory=dict)  # of each customer

    def add(self, orders: Iterable[Order]) -> None:
        """Take these in: what was sold, at whole prices, and to whom."""
        for order in orders:
            if order.kind == "sale":
                self._add(order)
            if order.customer_id:
                self.regions.setdefault(order.customer_id, set()).update([order.region] if order.region else [])

    def _add(self, order: Order) -> None:
        for line in order.lines:
            if line.quantity > 0 and isinstance(line.unit_price, int) and line.unit_price > 0:
                place = order.channel, line.sku, line.unit_price
                seen = self.sold.setdefault(place, Sighting(order.event_time, order.event_time, line.quantity))
                seen.last = max(seen.last, order.event_time)
                seen.smallest = min(seen.smallest, line.quantity)

    def prices(self, now: dt.datetime, currency: str) -> list[Price]:
        """The catalogue as of `now`. A price that was not seen for too long has ended.

        A price is for as many pieces as the smallest buyer at it took, the dearest for any number: who buys little
        pays most.
        """
        dearest: dict[tuple[str, str], int] = {}
        for channel, sku, price in self.sold:
            dearest[channel, sku] = max(price, dearest.get((channel, sku), 0))
        return [
            Price(
                sku=sku,
                channel=channel,
                currency=currency,
                price=price,
                min_quantity=1 if price == dearest[channel, sku] else seen.smallest,
                valid_from=seen.first,
                valid_to=ended if (ended := seen.last + self.remembered) <= now else None,
                promotion=f"{SEEN} {price}",
            )
            for (channel, sku, price), seen in self.sold.items()
        ]

    def customers(self) -> list[Customer]:
        """All that were seen, and one who is blocked. Who was in two countries may be anywhere."""
        return [
            Customer(customer_id=BLOCKED, status="blocked"),
            *(
                Customer(customer_id=customer, region=next(iter(regions)) if len(regions) == 1 else None)
                for customer, regions in self.regions.items()
            ),
        ]
