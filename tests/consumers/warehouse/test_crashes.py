"""A keeper that dies before any effect of a commit: all of it is there or nothing, and the next one ends the same."""

import datetime as dt

import pytest

from consumers.keeper.store import Outrun
from consumers.warehouse.testing import Cut, SpanWriter, cut, dying_at, heartbeat, hit, letter, lines_of, order
from runtime.outage import Outage

pytestmark = pytest.mark.integration

AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
TABLES = {
    "orders": "event_id, content_hash, arrived_at, origin_offset",
    "lines": "event_id, line_number, content_hash",
    "hits": "event_id, path, arrived_at, origin_offset",
    "letters": "letter_id, origin_offset",
    "account": "file_id, end_offset, final",
    "duplicates": "event_id, conflict, origin_offset",
    "conflicts": "event_id, kept_content_hash, content_hash",
    "ledger": "shard_id, previous, last, orders, hits, letters",
    "commits": "manifests, orders, lines, hits, letters, heartbeats, duplicates, conflicts, redelivered",
}


def sold(*sent):
    orders = [
        order(
            f"e{event}",
            day=AT.date(),
            arrived_at=AT + dt.timedelta(seconds=offset),
            line=("f", offset),
            content=content,
        )
        for event, offset, content in sent
    ]
    return {"orders": orders, "lines": [line for row in orders for line in lines_of(row)]}


def asked(event, offset):
    return hit(f"h{event}", day=AT.date(), arrived_at=AT + dt.timedelta(seconds=offset), line=("a", offset))


@pytest.fixture(scope="module")
def manifests(lake):
    """What is there before, and a commit with something of every kind, from two shards."""
    first, second = (SpanWriter(lake, application="crash", shard_id=name) for name in ("s1", "s2"))
    before = first.write({**sold((1, 0, 1)), "hits": [asked(1, 0)]})
    refused = [letter("l1", day=AT.date(), arrived_at=AT, line=("g", offset)) for offset in (0, 10)]
    return [before], [
        first.write(
            {
                **sold((1, 0, 1), (1, 10, 1), (1, 20, 2), (2, 30, 2)),
                "letters": refused,
                "hits": [asked(1, 0), asked(1, 10)],
            }
        ),
        second.write({**sold((2, 40, 2)), "hits": [asked(2, 20)], "account": [heartbeat("f", 50, arrived_at=AT)]}),
    ]


@pytest.fixture
def state(read):
    return lambda corner: {table: read(corner, columns, table) for table, columns in TABLES.items()}


def finish(store, manifests):
    """What the next keeper does."""
    taken = store.taken()
    left = [m for m in manifests if m.previous >= taken.get((m.application, m.shard_id), 0)]
    store.take(left)
    return left


def test_a_crash_before_any_effect_leaves_all_or_nothing_and_is_made_good(
    new_corner, new_store, manifests, state, lake
):
    before, commit = manifests
    ready = new_corner()
    new_store(ready).take(before)
    untouched = state(ready)
    whole = new_corner()
    new_store(whole).take(before)
    new_store(whole).take(commit)
    wanted = state(whole)

    corner, names, number = ready, [], 0
    while True:
        effect, names = dying_at(number, corner)
        try:
            new_store(corner, effect=effect).take(commit)
        except Cut:
            if state(corner) != untouched:  # committed: the answer came, or was lost
                assert finish(new_store(corner), commit) == []
                assert state(corner) == wanted
                corner = new_corner()
                new_store(corner).take(before)
            number += 1
            continue
        break
    assert state(corner) == wanted
    print(f"{number} effects of a commit, each survived: {', '.join(names)}")
    assert {
        "lock ledger",
        "add orders",
        "add lines",
        "add hits",
        "add conflicts",
        "record ledger",
        "commit",
        "committed",
    } <= {*names}
    assert number == len(names) > 30


def test_an_answer_to_commit_that_is_lost_is_found_out(corner, new_store, manifests, state):
    before, commit = manifests
    new_store(corner).take(before)

    def lose(name):
        if name == "committed":
            cut(corner.last)
            raise Outage("the connection was closed before the answer")

    with pytest.raises(Outage):
        new_store(corner, effect=lose).take(commit)
    after = state(corner)
    with pytest.raises(Outrun):
        new_store(corner).take(commit)
    assert finish(new_store(corner), commit) == []
    assert state(corner) == after


def test_a_connection_lost_before_any_effect_is_an_outage_that_changes_nothing(corner, new_store, manifests, state):
    before, commit = manifests
    new_store(corner).take(before)
    untouched = state(corner)
    for lost_at in ("lock ledger", "copy stage_orders", "add orders", "commit"):

        def lose(name, lost_at=lost_at):
            if name == lost_at:
                cut(corner.last)

        with pytest.raises(Outage, match="Redshift at"):
            new_store(corner, effect=lose).take(commit)
        assert state(corner) == untouched
    new_store(corner).take(commit)
