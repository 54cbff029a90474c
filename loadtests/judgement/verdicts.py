"""What comes of a month: every reason's count, and which planted errors were caught."""

import copy
import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from consumers.delivery import Batch, Position, Record, Shard
from consumers.stages.orders import OrderJudge
from consumers.stages.rows import ShopFacts
from contract.identity import IdentityKey
from contract.order import Order
from contract.rows import LetterRow, OrderRow
from loadtests.judgement.days import days_of
from loadtests.judgement.past import ACCOUNT
from loadtests.judgement.planted import ERRORS, PRICE, Event

_SHARD = Shard(stream="judgement", shard_id="0")
_SHOP = ShopFacts(key=IdentityKey(key_id="judgement", secret=b"j" * 32), zone=ZoneInfo("Europe/London"))
_IN_TRANSIT = dt.timedelta(seconds=1)  # from the shop to the stream
_A_DAY = 8  # errors of each kind


@dataclass(slots=True)
class Judgement:
    """Orders by what they gave as reasons; an order with two counts under both."""

    orders: Counter[str] = field(default_factory=Counter)  # by channel
    accepted: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)  # of sales, by channel
    price_lines: Counter[str] = field(default_factory=Counter)  # of those, refused for their price, by channel
    reasons: dict[str, Counter[str]] = field(default_factory=dict)  # by channel
    planted: Counter[str] = field(default_factory=Counter)  # by kind of error
    caught: Counter[str] = field(default_factory=Counter)


def judge_month(file: Path, first: dt.date, last: dt.date, *, seed: int = 1) -> Judgement:
    """Judge what was sold from `first` to `last`, and each day some of it again with errors in it."""
    found, rng = Judgement(), Random(seed)
    for day in days_of(file, first, last):
        judge = OrderJudge(day.reference, _SHOP)
        good: list[Event] = []
        for order in day.orders:
            row = _judged(judge, msgspec.to_builtins(order), order.event_time)
            _count(found, order, row)
            if isinstance(row, OrderRow) and order.kind == "sale" and order.channel == ACCOUNT:
                good.append(msgspec.to_builtins(order))
        for kind, error in ERRORS.items():
            tried = rng.sample(good, len(good))
            for event in tried[: 10 * _A_DAY]:
                if found.planted[kind] >= _A_DAY * (1 + (day.date - first).days):
                    break
                bad = error.plant(copy.deepcopy(event), day.past, rng)
                if bad is not None:
                    found.planted[kind] += 1
                    found.caught[kind] += _is_caught(judge, event, bad, error.reasons)
    return found


def _judged(judge: OrderJudge, event: Event, sold_at: dt.datetime) -> OrderRow | LetterRow:
    record = Record(Position(1), sold_at + _IN_TRANSIT, msgspec.json.encode(event))
    (judged,) = judge.judge(Batch(shard=_SHARD, records=[record]))
    assert isinstance(judged.row, OrderRow | LetterRow)
    return judged.row


def _is_caught(judge: OrderJudge, event: Event, bad: Event, reasons: frozenset[str]) -> bool:
    sold_at = dt.datetime.fromisoformat(event["event_time"])
    row = _judged(judge, bad, sold_at)
    if reasons:
        return isinstance(row, LetterRow) and not reasons.isdisjoint(row.reasons)
    before = _judged(judge, event, sold_at)  # both are orders: the keeper tells them apart by their content
    assert isinstance(before, OrderRow)
    return isinstance(row, OrderRow) and row.event_id == before.event_id and row.content_hash != before.content_hash


def _count(found: Judgement, order: Order, row: OrderRow | LetterRow) -> None:
    found.orders[order.channel] += 1
    if order.kind == "sale":
        found.lines[order.channel] += len(order.lines)
    if isinstance(row, OrderRow):
        found.accepted[order.channel] += 1
        return
    found.reasons.setdefault(order.channel, Counter()).update(row.reasons)
    if order.kind == "sale":
        found.price_lines[order.channel] += _price_faults(row)


def _price_faults(row: LetterRow) -> int:
    """Lines that the letter names for their price; it shows three of each reason, and says how many more there are."""
    lines = 0
    for part in (row.detail or "").split("; "):
        reason, _, where = part.partition(": ")
        if reason in PRICE:
            shown, _, more = where.partition(" and ")
            lines += len(shown.split(", ")) + (int(more.split()[0]) if more else 0)
    return lines


def sentences(found: Judgement) -> str:
    """For people."""
    lines = []
    for channel, orders in sorted(found.orders.items()):
        share = found.price_lines[channel] / found.lines[channel]
        lines.append(f"{channel}: {orders:,} orders, {found.accepted[channel]:,} accepted")
        lines.append(f"  lines of sales {found.lines[channel]:,}, refused for their price {share:.2%}")
        lines += [f"  {reason} {count:,}" for reason, count in found.reasons.get(channel, Counter()).most_common()]
    lines.append("planted, caught:")
    lines += [f"  {kind}: {count:,}, {found.caught[kind]:,}" for kind, count in found.planted.items()]
    return "\n".join(lines)
