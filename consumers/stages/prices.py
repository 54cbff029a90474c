"""A catalogue's prices in memory, and what is wrong with the price on a line. Pure: times are microseconds, UTC."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contract.order import Line
from contract.reasons import Reason

ANY = -1  # in place of a price: sold at any
EVER, NEVER = -(1 << 62), 1 << 62  # in place of a time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Offer(NamedTuple):
    """One price of one SKU in one channel and currency."""

    price: int  # minor units, or ANY
    start_us: int
    end_us: int  # the first moment at which it is over
    tier: int  # pieces from which on it holds
    is_promotion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The prices of one channel and currency: columns, the rows of one SKU together.

    Ten times smaller than objects. Its dicts hold nothing but text and numbers, so the cycle collector passes them by.
    """

    plain: Mapping[str, int]  # SKU -> the one price that is right from `PriceList.plain_since` on, for any quantity
    places: Mapping[str, int]  # SKU -> n: its rows are firsts[n] to firsts[n + 1]
    firsts: "array[int]"
    prices: "array[int]"
    starts_us: "array[int]"
    ends_us: "array[int]"
    tiers: "array[int]"
    promotions: "array[int]"  # 1 for a promotion's

    def offers(self, sku: str) -> Iterator[Offer]:
        """All that it ever cost and will; none for a SKU that is not in it."""
        place = self.places.get(sku)
        if place is not None:
            for row in range(self.firsts[place], self.firsts[place + 1]):
                times = self.starts_us[row], self.ends_us[row]
                yield Offer(self.prices[row], *times, self.tiers[row], self.promotions[row] == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """A catalogue. A channel's own prices of a SKU stand in place of those for every channel ("")."""

    books: Mapping[tuple[str, str], Book]  # by channel and currency
    plain_since: datetime
    plain: Mapping[str, Mapping[str, Mapping[str, int]]] = field(init=False)  # of each book: by currency, then channel

    def __post_init__(self) -> None:
        plain: dict[str, dict[str, Mapping[str, int]]] = {}
        for (channel, currency), book in self.books.items():
            plain.setdefault(currency, {})[channel] = book.plain
        object.__setattr__(self, "plain", plain)

    def knows(self, sku: str) -> bool:
        """Whether it is sold anywhere, for any currency."""
        return any(sku in book.places for book in self.books.values())

    def offers(self, sku: str, channel: str, currency: str) -> list[Offer]:
        """All that it ever cost there and will."""
        for place in ((channel, currency), ("", currency)):
            book = self.books.get(place)
            if book is not None and (offers := list(book.offers(sku))):
                return offers
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Lenience:
    """How near a price has to be. See the settings `[rules]`."""

    tolerance_percent: float
    grace_us: int
    return_us: int
    free_lines: bool


def to_us(time: datetime) -> int:
    """An aware time as microseconds since 1970 UTC."""
    return (time - _EPOCH) // _US


def fault_of_price(
    line: Line, offers: list[Offer], *, is_return: bool, at_us: int, lenience: Lenience
) -> Reason | None:
    """What is wrong with a line's price; its amounts are whole and in range. `offers`: all of its SKU there.

    A sale costs what the SKU cost at that moment from that quantity on, or in a promotion; for the grace period the
    price before is right too. What comes back goes at any price at which it can have been bought.
    """
    if line.unit_price == 0 and lenience.free_lines:
        return None
    if is_return:
        right = [each for each in offers if each.start_us <= at_us < each.end_us + lenience.return_us]
    else:
        right = _right_at(offers, line.quantity, at_us)
        for ended in offers:
            if at_us - lenience.grace_us < ended.end_us <= at_us:
                right += _right_at(offers, line.quantity, ended.end_us - 1)
    if any(_matches(line.unit_price, offer.price, lenience.tolerance_percent) for offer in right):
        return None
    if not right:
        return Reason.NO_PRICE
    was_right = any(line.unit_price == offer.price for offer in offers if offer.end_us <= at_us)
    return Reason.STALE_PRICE if was_right else Reason.WRONG_PRICE


def _right_at(offers: list[Offer], quantity: int, at_us: int) -> list[Offer]:
    """What holds at a moment: of the usual prices that of the highest tier reached, and every promotion's."""
    valid = [each for each in offers if each.start_us <= at_us < each.end_us and each.tier <= quantity]
    highest = max((each.tier for each in valid if not each.is_promotion), default=0)
    return [each for each in valid if each.is_promotion or each.tier == highest]


def _matches(price: int | float, listed: int, tolerance_percent: float) -> bool:
    return listed == ANY or price == listed or abs(price - listed) * 100 <= tolerance_percent * listed
