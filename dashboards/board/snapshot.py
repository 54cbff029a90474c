"""One state of the page, ready to be shown: texts in the shop's own time zone and currency. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from contract.money import display, exponent
from contract.reasons import Reason
from dashboards.board.known import NOTHING, Known, Tally, total
from dashboards.board.queries import MINUTE, MINUTES_SHOWN, window
from dashboards.board.search import OrderHit

_ABOUT = {str(reason): reason.about for reason in Reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storefront:
    """How this shop's figures are shown."""

    currency: str  # leads; every other one is listed beside it, never added
    zone: ZoneInfo
    names: Mapping[str, str]  # product name by SKU


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Revenue and orders of some minutes in one currency."""

    revenue: str  # whole units, `1,234.56`
    orders: str


class OtherCurrency(Sum, frozen=True, kw_only=True):
    """The same, in a currency that is not the shop's."""

    currency: str


class MinutePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One minute of the chart."""

    label: str  # shop's time, HH:MM
    revenue: int  # minor units, for the height only
    revenue_text: str
    orders: int


class SellerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A best seller; `name` is the SKU where the catalogue has none."""

    sku: str
    name: str
    units: int


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last orders; a return has a negative amount and negative units."""

    time: str
    order_id: str
    amount: str
    currency: str
    units: int
    region: str
    is_return: bool


class RefusedLine(msgspec.Struct, frozen=True, kw_only=True):
    """How often one reason was the decisive one."""

    reason: str
    about: str
    count: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows. `minutes` are the last 60, oldest first; the last one is still running."""

    fresh_s: float | None  # now minus the newest event time that can be queried; None: there is no order yet
    trouble: list[str]  # what is wrong, one sentence each; empty: nothing
    digits: int  # of the shop's currency after the point
    hour: Sum
    last_minute: Sum
    this_minute: Sum
    others: list[OtherCurrency]  # last 60 minutes
    minutes: list[MinutePoint]
    sellers: list[SellerRow]
    orders: list[OrderLine]
    refused: int  # letters of the last 60 minutes
    refused_by: list[RefusedLine]


def snapshot(known: Known, now: datetime, shop: Storefront, trouble: Sequence[str]) -> Snapshot:
    """What `known` looks like at `now`. Raises nothing."""
    span = window(now, MINUTES_SHOWN)
    shown = {start: known.minutes.get(start, {}) for start in span.minutes}
    own = {start: tallies.get(shop.currency, NOTHING) for start, tallies in shown.items()}
    return Snapshot(
        fresh_s=max(0.0, (now - known.orders[0].event_time).total_seconds()) if known.orders else None,
        trouble=list(trouble),
        digits=exponent(shop.currency),
        hour=_sum(total(own.values()), shop.currency),
        last_minute=_sum(own[span.end - 2 * MINUTE], shop.currency),
        this_minute=_sum(own[span.end - MINUTE], shop.currency),
        others=_others(shown.values(), shop.currency),
        minutes=[_point(start, tally, shop) for start, tally in own.items()],
        sellers=[SellerRow(sku=s.sku, name=shop.names.get(s.sku, s.sku), units=s.units) for s in known.sellers],
        orders=[_order(hit, now, shop.zone) for hit in known.orders],
        refused=sum(refusal.letters for refusal in known.refusals),
        refused_by=[
            RefusedLine(reason=refusal.reason, about=_ABOUT.get(refusal.reason, ""), count=refusal.letters)
            for refusal in known.refusals
        ],
    )


def _sum(tally: Tally, currency: str) -> Sum:
    return Sum(revenue=display(tally.revenue, currency), orders=f"{tally.orders:,}")


def _others(minutes: Iterable[Mapping[str, Tally]], own: str) -> list[OtherCurrency]:
    tallies: dict[str, list[Tally]] = {}
    for minute in minutes:
        for currency in minute.keys() - {own}:
            tallies.setdefault(currency, []).append(minute[currency])
    sums = {currency: _sum(total(tallies[currency]), currency) for currency in sorted(tallies)}
    return [OtherCurrency(currency=code, revenue=part.revenue, orders=part.orders) for code, part in sums.items()]


def _point(start: datetime, tally: Tally, shop: Storefront) -> MinutePoint:
    return MinutePoint(
        label=f"{start.astimezone(shop.zone):%H:%M}",
        revenue=tally.revenue,
        revenue_text=display(tally.revenue, shop.currency),
        orders=tally.orders,
    )


def _order(hit: OrderHit, now: datetime, zone: ZoneInfo) -> OrderLine:
    at, today = hit.event_time.astimezone(zone), now.astimezone(zone).date()
    return OrderLine(
        time=f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}",
        order_id=hit.order_id,
        amount=display(hit.revenue, hit.currency),
        currency=hit.currency,
        units=hit.units,
        region=hit.region or "",
        is_return=hit.kind == "return",
    )
