"""Days and chains: the parts of a commit that need no database."""

import datetime as dt
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.identities import ORDERS
from consumers.keeper.store import Outrun
from consumers.manifests import Manifest
from consumers.warehouse import once
from consumers.warehouse.ledger import require_next
from consumers.warehouse.once import HEARTBEAT_MEMORY, day_ranges, parameters

pytestmark = pytest.mark.unit

AT = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 11, 23)


@given(st.sets(st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 31)), min_size=1), st.sampled_from([0, 30]))
def test_ranges_hold_every_day_and_what_lies_before_it_and_are_apart(days, before_days):
    before = dt.timedelta(days=before_days)
    ranges = day_ranges(days, before=before)
    assert all(any(first <= day - before and day <= last for first, last in ranges) for day in days)
    assert all(last + dt.timedelta(days=7) < after for (_, last), (after, _) in pairwise(ranges))
    assert parameters(ranges) == sorted(parameters(ranges))


def test_a_far_day_does_not_widen_the_range():
    assert day_ranges([MONDAY, dt.date(2025, 1, 1), MONDAY + dt.timedelta(days=2)]) == [
        (dt.date(2025, 1, 1), dt.date(2025, 1, 1)),
        (MONDAY, MONDAY + dt.timedelta(days=2)),
    ]


def test_heartbeats_are_looked_for_a_month_back():
    assert day_ranges([MONDAY], before=HEARTBEAT_MEMORY) == [(dt.date(2026, 10, 24), MONDAY)]


def manifest(previous, last, shard="s1"):
    return Manifest(
        span_id="x",
        application="cold",
        stream="t",
        shard_id=shard,
        previous=previous,
        last=last,
        records=1,
        first_arrived_at=AT,
        last_arrived_at=AT,
        data=[],
        raw=[],
        letters=[],
        written_at=AT,
        worker="w",
    )


def test_manifests_go_on_where_the_ledger_ends_each_shard_for_itself():
    chains = [manifest(5, 7), manifest(0, 3, "s2"), manifest(7, 9)]
    require_next({("cold", "s1"): 5}, chains)


def test_a_ledger_that_is_ahead_means_another_was_there():
    with pytest.raises(Outrun, match="cold/s1: taken up to 7"):
        require_next({("cold", "s1"): 7}, [manifest(5, 7)])


def test_a_gap_before_the_manifests_is_never_jumped():
    with pytest.raises(Outrun, match="cold/s1: taken up to 5"):
        require_next({("cold", "s1"): 5}, [manifest(7, 9)])


def test_manifests_that_are_no_chain_are_the_callers_fault():
    with pytest.raises(ValueError, match="does not follow"):
        require_next({}, [manifest(0, 3), manifest(4, 5)])


def test_one_statement_reads_the_days_orders_and_the_others_what_it_found():
    columns, days = ORDERS.table.columns, [(MONDAY, MONDAY)]
    others = [
        once.insert_new(ORDERS, columns),
        once.insert_conflicts(),
        once.insert_duplicates(ORDERS),
        once.count_lines(ORDERS),
        once.count_stored(ORDERS),
    ]
    reads = re.compile(r"\b(FROM|JOIN) orders\b")
    assert reads.findall(once.insert_known(ORDERS, once.known_columns(ORDERS, columns), days)) == ["FROM"]
    assert not any(map(reads.search, others))
