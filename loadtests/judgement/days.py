"""A month of the shop, judged day by day: each morning publishes what the days before have taught."""

import datetime as dt
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from consumers.reference.in_force import SnapshotReference
from consumers.stages.rules import Rules, thresholds_of
from contract.order import Order
from loadtests.judgement.past import ACCOUNT, GUEST, Past
from producers.reference.publish import publish
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping
from producers.replay.orders import invoices_of
from runtime.objects.testing import MemoryObjects
from runtime.testing import ManualClock

MAPPING = "online-retail"
REMEMBERED = dt.timedelta(days=180)
RULES = Rules(guest_channels=GUEST)
_HOUR_S = 3_600.0


class Day(NamedTuple):
    """One day, and what judges it."""

    date: dt.date
    orders: list[Order]
    reference: SnapshotReference
    past: Past  # until the evening before


def days_of(file: Path, first: dt.date, last: dt.date, *, remembered: dt.timedelta = REMEMBERED) -> Iterator[Day]:
    """The days from `first` to `last` on which something was sold. All before `first` is the past."""
    mapping = load_mapping(MAPPING)
    zone = ZoneInfo(mapping.time_zone)
    past = Past(remembered)
    orders = invoices_of(read_export(file, mapping), mapping, last=last).orders()
    for date, of_day in groupby(map(_with_channel, orders), lambda order: order.event_time.astimezone(zone).date()):
        sold = list(of_day)
        if date >= first:
            morning = dt.datetime.combine(date, dt.time(), zone).astimezone(dt.UTC)
            yield Day(date, sold, _published(past, morning, mapping.currency), past)
        past.add(sold)


def _with_channel(order: Order) -> Order:
    return msgspec.structs.replace(order, channel=ACCOUNT if order.customer_id else GUEST)


def _published(past: Past, morning: dt.datetime, currency: str) -> SnapshotReference:
    """What is in force from that morning on, by way of a bucket, as any shop's."""
    clock, bucket = ManualClock(morning - dt.timedelta(seconds=_HOUR_S)), MemoryObjects()
    publish("catalogue", past.prices(morning, currency), bucket, clock, effective_at=morning)
    publish("customers", past.customers(), bucket, clock, effective_at=morning)
    reference = SnapshotReference(bucket, thresholds_of(RULES), clock, held=2)
    reference.look()
    return reference
