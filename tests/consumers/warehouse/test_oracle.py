"""Whatever is sent, however often, in whatever spans and commits: the tables are what a few lines of Python say."""

import dataclasses
import datetime as dt
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.warehouse.testing import SpanWriter, heartbeat, hit, letter, lines_of, order

pytestmark = pytest.mark.integration

AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
DAYS = (AT.date(), AT.date() - dt.timedelta(days=1), AT.date() - dt.timedelta(days=300))
SHARDS = ("s1", "s2")
EVENTS, LINES = 3, 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A line, which is the same whenever it is sent. `foreign`: without an origin, and with one time of arrival."""

    number: int
    event: int
    content: int
    day: dt.date
    foreign: bool

    @property
    def place(self):
        return None if self.foreign else (f"f{self.number % 2}", 10 * self.number)

    def sent(self, second):
        return AT + dt.timedelta(seconds=100 + self.number if self.foreign else second)


def a_line(number):
    return st.builds(
        Line,
        number=st.just(number),
        event=st.integers(0, EVENTS - 1),
        content=st.integers(1, 2),
        day=st.sampled_from(DAYS),
        foreign=st.booleans(),
    )


SEND = st.tuples(
    st.sampled_from(["orders", "hits", "letters", "account"]), st.integers(0, LINES - 1), st.integers(0, 3)
)
SPAN = st.tuples(st.sampled_from(SHARDS), st.lists(SEND, max_size=6))
COMMITS = st.lists(st.lists(SPAN, min_size=1, max_size=3), min_size=1, max_size=3)


class Oracle:
    """What the tables should be."""

    def __init__(self):
        self.stored = {"orders": {}, "hits": {}, "letters": {}, "account": {}}
        self.lines, self.duplicates, self.conflicts = [], {}, []
        self.redelivered = 0

    def take(self, rows):
        self.judge("orders", rows["orders"], lambda row: (row["event_id"], row["event_date"]))
        self.judge("hits", rows["hits"], lambda row: (row["event_id"], row["event_date"]))
        self.judge("letters", rows["letters"], lambda row: (row["letter_id"], row["read_on"]))
        for row in sorted(rows["account"], key=lambda row: row["arrived_at"]):
            key = row["file_id"], row["end_offset"], row["final"], row["read_at"]
            if self.stored["account"].setdefault(key, row) is not row:
                self.redelivered += 1

    def judge(self, table, rows, identity):
        for key, group in groupby(sorted(rows, key=lambda row: (identity(row), in_order(row))), key=identity):
            same_event = list(group)
            if key not in self.stored[table]:
                self.stored[table][key] = same_event[0]
                self.lines += lines_of(same_event[0]) if table == "orders" else []
                del same_event[0]
            for row in same_event:
                self.again(key[0], row, self.stored[table][key])

    def again(self, event_id, row, kept):
        if line_of(row) == line_of(kept) or (event_id, line_of(row)) in self.duplicates:
            self.redelivered += 1
            return
        is_conflict = row.get("content_hash") != kept.get("content_hash")
        self.duplicates[event_id, line_of(row)] = (is_conflict, row["arrived_at"])
        if is_conflict:
            self.conflicts.append((event_id, kept["content_hash"], row["content_hash"], row["revenue"]))


def line_of(row):
    return (row["origin_file"], row["origin_offset"]) if "origin_file" in row else row["arrived_at"]


def in_order(row):
    return row["arrived_at"], "origin_file" not in row, row.get("origin_file"), row.get("origin_offset")


def the_row(kind, line, second):
    at = line.sent(second)
    if kind == "hits":
        return hit(f"e{line.event}", day=line.day, arrived_at=at, line=line.place, status=200 + line.content)
    if kind == "letters":
        return letter(f"e{line.event}", day=line.day, arrived_at=at, line=line.place)
    if kind == "account":
        read_at = line.sent(second // 2)
        return heartbeat(f"f{line.event}", 10 * line.content, arrived_at=at, final=line.foreign, read_at=read_at)
    return order(f"e{line.event}", day=line.day, arrived_at=at, line=line.place, content=line.content)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.tuples(*map(a_line, range(LINES))), commits=COMMITS)
def test_the_tables_are_what_the_oracle_says(new_corner, new_store, read, lake, lines, commits):
    corner, oracle = new_corner(), Oracle()
    store, writers = new_store(corner), {shard: SpanWriter(lake, application="o", shard_id=shard) for shard in SHARDS}
    for spans in commits:
        staged, manifests = {"orders": [], "hits": [], "letters": [], "account": []}, []
        for shard, sends in spans:
            rows = {table: [the_row(*(kind, lines[n], s)) for kind, n, s in sends if kind == table] for table in staged}
            sold = [line for row in rows["orders"] for line in lines_of(row)]
            manifests.append(writers[shard].write({**rows, "lines": sold}))
            for table, added in rows.items():
                staged[table] += added
        oracle.take(staged)
        store.take(manifests)
    compare(corner, read, oracle)


def compare(corner, read, oracle):
    columns = "event_id, event_date, content_hash, arrived_at, origin_file, origin_offset"
    assert read(corner, columns, "orders") == projected(oracle.stored["orders"].values(), columns)
    columns = "event_id, event_date, status, arrived_at, origin_file, origin_offset"
    assert read(corner, columns, "hits") == projected(oracle.stored["hits"].values(), columns)
    columns = "letter_id, read_on, arrived_at, origin_file, origin_offset"
    assert read(corner, columns, "letters") == projected(oracle.stored["letters"].values(), columns)
    columns = "file_id, end_offset, final, read_at, arrived_at"
    assert read(corner, columns, "account") == projected(oracle.stored["account"].values(), columns)
    columns = "event_id, event_date, content_hash, line_number, amount"
    assert read(corner, columns, "lines") == projected(oracle.lines, columns)
    wanted = [(event_id, conflict, at) for (event_id, _), (conflict, at) in oracle.duplicates.items()]
    assert read(corner, "event_id, conflict, arrived_at", "duplicates") == sorted(wanted, key=repr)
    columns = "event_id, kept_content_hash, content_hash, revenue"
    assert read(corner, columns, "conflicts") == sorted(oracle.conflicts, key=repr)
    sums = "SUM(duplicates) AS duplicates, SUM(conflicts) AS conflicts, SUM(redelivered) AS redelivered"
    assert read(corner, sums, "commits") == [(len(oracle.duplicates), len(oracle.conflicts), oracle.redelivered)]
    counted = "SUM(orders) + SUM(hits) + SUM(letters) + SUM(heartbeats)"
    staged = f"SELECT {counted} AS n FROM ledger"
    became = f"SELECT {counted} + SUM(duplicates) + SUM(redelivered) AS n FROM commits"
    assert read(corner, "n", f"({staged}) l") == read(corner, "n", f"({became}) c")


def projected(rows, columns):
    return sorted((tuple(row.get(name) for name in columns.split(", ")) for row in rows), key=repr)
