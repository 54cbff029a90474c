"""Stage four: judged events as the rows that every store holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from consumers.delivery import Position
from consumers.stages.events import Event, Fault
from consumers.stages.facts import ALWAYS, NEVER
from consumers.stages.identity import content_hash_of
from consumers.stages.origin import origin_of
from consumers.stages.redacted import stored_extra
from contract.identity import IdentityKey
from contract.order import Order
from contract.rows import LetterRow, LineRow, OrderRow
from contract.stamp import Stamp

# The agent sends a line again until the stream has it; when the two are further apart, a clock is wrong.
_LONGEST_SENDING = timedelta(days=7)
_LONGEST_NAME = 256  # characters, as in the contract of an order
_PATHS_SHOWN = 3  # of each reason: the first ones are enough to find a fault, and an order may have thousands


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """Where and when the stream took a record."""

    shard_id: str
    position: Position
    at: datetime  # aware UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopFacts:
    """What rows need to know of the shop, for what arrives from `since` to before `until`. One alone is a `Shop`."""

    key: IdentityKey
    zone: ZoneInfo  # days are cut here
    since: datetime = ALWAYS
    until: datetime = NEVER

    def at(self, arrived_at: datetime) -> "ShopFacts":
        return self

    def key_ids(self, first: datetime, last: datetime) -> str:
        return self.key.key_id


class Shop(Protocol):
    """The shop through time: its key changes. Safe from any thread."""

    def at(self, arrived_at: datetime) -> ShopFacts:
        """What holds for a record that arrived then: the same answer whenever it is asked."""
        ...

    def key_ids(self, first: datetime, last: datetime) -> str:
        """Of all keys that hash what arrived between the two, both included; comma between."""
        ...


def order_row(event: Event, event_id: str, arrived_at: datetime, shop: ShopFacts, *, is_late: bool = False) -> OrderRow:
    """The row of an accepted order. Identity stops here: customer and session leave as keyed hashes."""
    order, stamp, key = event.order, event.stamp, shop.key
    customer, session, total = order.customer_id, order.session_id, int(order.total)
    hashed_customer = key.hash_of("customer", customer) if customer else None
    hashed_session = key.hash_of("session", session) if session else None
    units, lines = _line_rows(order)
    is_return = order.kind == "return"
    return OrderRow(
        event_id=event_id,
        content_hash=content_hash_of(event),
        event_time=order.event_time.astimezone(UTC),
        event_date=order.event_time.astimezone(shop.zone).date(),
        arrived_at=arrived_at,
        order_id=order.order_id,
        kind=order.kind,
        returns=order.returns,
        customer=hashed_customer,
        session=hashed_session,
        identity_key_id=key.key_id if customer or session else None,
        channel=order.channel,
        region=order.region,
        currency=order.currency,
        lines=lines,
        tax=int(order.tax),
        shipping=int(order.shipping),
        total=total,
        revenue=-total if is_return else total,
        units=-units if is_return else units,
        line_count=len(lines),
        late=is_late or None,
        origin=origin_of(stamp),
        extra=stored_extra(event.extra, {session: hashed_session, customer: hashed_customer}) if event.extra else None,
    )


def _line_rows(order: Order) -> tuple[int, list[LineRow]]:
    """Pieces and lines. Amounts such as 255.0 are whole, and validated as such; columns are integers."""
    units, lines = 0, []
    for line in order.lines:
        units += line.quantity
        price, discount = int(line.unit_price), int(line.discount)
        lines.append(LineRow(sku=line.sku, quantity=line.quantity, unit_price=price, discount=discount))
    return units, lines


def letter_row(
    faults: Sequence[Fault],
    letter_id: str,
    arrival: Arrival,
    *,
    event_type: str,
    order_id: str | None,
    stamp: Stamp | None,
) -> LetterRow:
    """The row of a refused event: reasons, where it came from, its ids; nothing else of its content."""
    return LetterRow(
        letter_id=letter_id,
        reason=faults[0].reason.value,
        reasons=[fault.reason.value for fault in faults],
        detail="; ".join(_detail_of(fault) for fault in faults if fault.at) or None,
        event_type=event_type,
        order_id=order_id[:_LONGEST_NAME] if order_id and "\0" not in order_id else None,
        read_on=read_on(stamp, arrival.at),
        arrived_at=arrival.at,
        shard_id=arrival.shard_id,
        sequence=str(arrival.position.sequence),
        sub_sequence=arrival.position.sub_sequence,
        origin=origin_of(stamp),
    )


def _detail_of(fault: Fault) -> str:
    more = len(fault.at) - _PATHS_SHOWN
    shown = ", ".join(fault.at[:_PATHS_SHOWN])
    return f"{fault.reason.value}: {shown}" + (f" and {more} more" if more > 0 else "")


def read_on(stamp: Stamp | None, arrived_at: datetime) -> date:
    """The UTC day on which the agent read the line: where a row is stored may depend on it.

    Not the arrival's, which is another one when a line is sent again after midnight: the row would be stored twice.
    A foreign producer's record has no better one, nor has a stamp whose time is absurd.
    """
    arrived_on = arrived_at.date()
    day = _date_of(stamp.t[:10]) if stamp else None
    return arrived_on if day is None or abs(day - arrived_on) > _LONGEST_SENDING else day


@lru_cache(maxsize=1024)
def _date_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
