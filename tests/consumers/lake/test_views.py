"""The views against the rule in plain Python, on whatever rows there may be."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.lake.views import VIEWS, athena_ddl
from consumers.spans.columns import schema_of
from consumers.warehouse.testing import hit, letter, lines_of, order
from contract.tables import DUPLICATES, HITS, LETTERS, LINES, ORDERS

pytestmark = pytest.mark.unit

DAY = dt.date(2026, 11, 27)
AT = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
Row = dict[str, Any]

times = st.integers(0, 3).map(lambda second: AT + dt.timedelta(seconds=second))
origins = st.one_of(st.none(), st.tuples(st.sampled_from("fg"), st.integers(0, 2)))
days = st.sampled_from([DAY, DAY + dt.timedelta(days=1)])
orders = st.lists(
    st.builds(order, st.sampled_from("abc"), day=days, arrived_at=times, line=origins, content=st.integers(1, 3)),
    max_size=12,
)
hits = st.lists(
    st.builds(
        hit,
        st.sampled_from("abc"),
        day=days,
        arrived_at=times,
        line=origins,
        request_id=st.none() | st.sampled_from("rs"),
        path=st.sampled_from(["/", "/basket"]),
    ),
    max_size=12,
)
letters = st.lists(st.builds(letter, st.sampled_from("abc"), day=days, arrived_at=times, line=origins), max_size=12)


_SCHEMAS = {table.name: schema_of(table) for table in (ORDERS, HITS, LETTERS, LINES)}


class _Lake:
    """The tables in memory, with the views on them. One at a time: all are made in one database, on the same views."""

    _database = duckdb.connect(config={"threads": 1})  # a few rows each
    _has_views = False

    def __init__(self, orders: list[Row], hits: Sequence[Row] = (), letters: Sequence[Row] = ()) -> None:
        lines = [line for row in orders for line in lines_of(row)]
        for table, rows in ((ORDERS, orders), (HITS, hits), (LETTERS, letters), (LINES, lines)):
            self._database.register(table.name, pa.Table.from_pylist(list(rows), schema=_SCHEMAS[table.name]))
        if not _Lake._has_views:
            for name, text in VIEWS.items():
                self._database.execute(f"CREATE VIEW {name} AS {text}")
            _Lake._has_views = True

    def all(self, view: str) -> list[Row]:
        result = self._database.execute(f"SELECT * FROM {view}")
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def line_of(row: Row) -> object:
    return (row["origin_file"], row["origin_offset"]) if row.get("origin_file") else row["arrived_at"]


def line_and_id(row: Row) -> object:
    return row["event_id"], row["event_date"], line_of(row)


def by_identity(rows: list[Row], identity: str, day: str) -> list[list[Row]]:
    """Rows of each event, the one that counts first."""
    groups: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[identity], row[day]].append(row)
    return [sorted(group, key=_rank) for group in groups.values()]


def _rank(row: Row) -> tuple[object, ...]:
    file, offset = row.get("origin_file"), row.get("origin_offset")
    return row["arrived_at"], file is None, file or "", offset or 0, row.get("content_hash", "")


def expected_duplicates(groups: list[list[Row]], identity: str) -> Counter[object]:
    found: Counter[object] = Counter()
    for first, *others in groups:
        seen = {line_of(first)}
        for row in others:
            if line_of(row) not in seen:
                seen.add(line_of(row))
                conflict = row.get("content_hash") != first.get("content_hash")
                found[row[identity], conflict, row["arrived_at"], row.get("origin_file"), row.get("origin_offset")] += 1
    return found


@given(orders, hits, letters)
@settings(max_examples=150, deadline=None)
def test_the_views_say_what_the_rule_says(orders: list[Row], hits: list[Row], letters: list[Row]) -> None:
    lake = _Lake(orders, hits, letters)
    of_orders = by_identity(orders, "event_id", "event_date")
    of_hits = by_identity(hits, "event_id", "event_date")
    of_letters = by_identity(letters, "letter_id", "read_on")
    winners = [group[0] for group in of_orders]
    assert Counter((row["event_id"], row["event_date"], row["content_hash"]) for row in lake.all("orders_once")) == (
        Counter((row["event_id"], row["event_date"], row["content_hash"]) for row in winners)
    )
    assert Counter(map(line_and_id, lake.all("hits_once"))) == Counter(line_and_id(group[0]) for group in of_hits)
    assert len(lake.all("letters_once")) == len(of_letters)
    assert Counter((row["event_id"], row["event_date"], row["line_number"]) for row in lake.all("lines_once")) == (
        Counter(
            (line["event_id"], line["event_date"], line["line_number"]) for row in winners for line in lines_of(row)
        )
    )
    found = Counter(
        (row["event_id"], row["conflict"], row["arrived_at"], row["origin_file"], row["origin_offset"])
        for row in lake.all("duplicates")
    )
    expected = (
        expected_duplicates(of_orders, "event_id")
        + expected_duplicates(of_hits, "event_id")
        + expected_duplicates(of_letters, "letter_id")
    )
    assert found == expected


@given(orders, hits)
@settings(max_examples=100, deadline=None)
def test_lines_in_are_rows_duplicates_and_the_same_line_again(orders: list[Row], hits: list[Row]) -> None:
    lake = _Lake(orders, hits)
    different = len(set(map(line_and_id, orders))) + len(set(map(line_and_id, hits)))
    once = len(lake.all("orders_once")) + len(lake.all("hits_once"))
    assert once + len(lake.all("duplicates")) == different


def test_views_have_the_columns_of_the_tables_they_stand_for() -> None:
    lake = _Lake(
        [order("a", day=DAY, arrived_at=AT, line=("f", n), content=n + 1) for n in range(2)],
        [hit("a", day=DAY, arrived_at=AT, line=("g", 0))],
    )
    assert list(lake.all("orders_once")[0]) == [column.name for column in ORDERS.columns]
    assert list(lake.all("hits_once")[0]) == [column.name for column in HITS.columns]
    assert list(lake.all("lines_once")[0]) == [column.name for column in LINES.columns]
    assert list(lake.all("duplicates")[0]) == [column.name for column in DUPLICATES.columns]


def test_athena_gets_one_statement_a_view_that_its_dialect_reads() -> None:
    statements = athena_ddl("storepulse")
    assert [text.split()[4] for text in statements] == [f"storepulse.{name}" for name in VIEWS]
    for text in statements:
        parsed = sqlglot.parse_one(text, dialect="athena")
        assert parsed.key == "create"


def test_a_letter_whose_line_was_accepted_when_it_was_sent_again_is_open_no_more() -> None:
    lines = [("f", n) for n in range(5)]
    refused = [letter(f"l{n}", day=DAY, arrived_at=AT, line=line) for n, line in enumerate(lines)]
    foreign = letter("l9", day=DAY, arrived_at=AT, line=None)
    accepted = [
        order("l1", day=DAY, arrived_at=AT, line=lines[1], origin_attempt=1),
        order("other", day=DAY, arrived_at=AT, line=lines[2], origin_attempt=2),  # its identity was what was mended
        order("l3", day=DAY, arrived_at=AT, line=("g", 3), origin_attempt=1),  # of another line
    ]
    hits = [hit("l4", day=DAY, arrived_at=AT, line=lines[4], origin_attempt=1)]
    lake = _Lake(accepted * 2, hits, [*refused * 2, foreign])
    assert sorted(row["letter_id"] for row in lake.all("letters_open")) == ["l0", "l3", "l9"]
    assert len(lake.all("letters_once")) == 6
    assert list(lake.all("letters_open")[0]) == [column.name for column in LETTERS.columns]
