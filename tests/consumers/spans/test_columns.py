import datetime as dt
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.spans.columns import batches_of, schema_of
from consumers.spans.stretches import Stretches
from consumers.stages.judge import Verdict
from consumers.stages.testing import batch, encoded, heartbeat, judge, order
from contract import tables
from contract.rows import HeartbeatRow, LetterRow, OrderRow

pytestmark = pytest.mark.unit

DAY = dt.date(2026, 11, 27)
TWO_LINES = [
    {"sku": "85123A", "quantity": 6, "unit_price": 255, "discount": 30},
    {"sku": "71053", "quantity": 1, "unit_price": 500},
]


def rows_of(*contents: bytes) -> list[Verdict]:
    return [each.row for each in judge().judge(batch(contents))]


def columns_of(*contents: bytes) -> dict[tuple[str, dt.date], list[dict[str, Any]]]:
    return {(table.name, day): made.to_pylist() for table, day, made in batches_of(rows_of(*contents))}


def test_each_table_has_the_contracts_columns_in_order() -> None:
    schema = schema_of(tables.ORDERS)
    assert schema.names == [column.name for column in tables.ORDERS.columns]
    assert (schema.field("event_id").type, schema.field("event_id").nullable) == (pa.string(), False)
    assert (schema.field("total").type, schema.field("event_date").type) == (pa.int64(), pa.date32())
    assert schema.field("event_time").type == pa.timestamp("us", "UTC")
    assert schema.field("origin_offset").nullable


def test_a_row_is_told_apart_by_table_and_day() -> None:
    made = columns_of(
        encoded(order()),
        encoded(order(event_id="e-2", event_time="2026-11-28T08:00:00Z")),
        b"no json",
        msgspec.json.encode(heartbeat()),
        encoded(order(event_id="e-3")),
    )
    found = {place: [row.get("event_id") for row in rows] for place, rows in made.items()}
    assert found == {
        ("orders", DAY): ["e-1", "e-3"],
        ("lines", DAY): ["e-1", "e-3"],
        ("orders", dt.date(2026, 11, 28)): ["e-2"],
        ("lines", dt.date(2026, 11, 28)): ["e-2"],
        ("letters", DAY): [None],
        ("account", DAY): [None],
    }


@pytest.mark.parametrize(
    ("content", "kind", "table"),
    [
        (encoded(order(returns="O-0", gift=1), offset=7), OrderRow, "orders"),
        (msgspec.json.encode(order(customer_id=None, session_id=..., region=...)), OrderRow, "orders"),
        (encoded(order(currency="x", total=1)), LetterRow, "letters"),
        (b"no json", LetterRow, "letters"),
        (msgspec.json.encode(heartbeat()), HeartbeatRow, "account"),
    ],
)
def test_every_column_is_the_rows_value(content: bytes, kind: type, table: str) -> None:
    (row,) = rows_of(content)
    assert isinstance(row, kind)
    (made,) = columns_of(content)[table, DAY]
    expected: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name == "origin":
            parts = ("file", "offset", "bytes", "crc", "attempt")
            expected |= {f"origin_{part}": None if value is None else getattr(value, part) for part in parts}
        elif name == "reasons":
            expected[name] = ",".join(value)
        elif name != "lines" or isinstance(value, int):
            expected[name] = value
    assert made == expected


def test_lines_are_numbered_in_each_order_and_carry_what_they_are_grouped_by() -> None:
    sale = order(event_id="e-1", lines=TWO_LINES, total=2495)
    made = columns_of(encoded(order(event_id="e-0")), encoded(sale))["lines", DAY]
    assert [(row["event_id"], row["line_number"], row["sku"]) for row in made] == [
        ("e-0", 1, "85123A"),
        ("e-1", 1, "85123A"),
        ("e-1", 2, "71053"),
    ]
    (parent,) = (row for row in rows_of(encoded(sale)))
    assert isinstance(parent, OrderRow)
    for name in ("event_date", "event_time", "content_hash", "kind", "channel", "region", "currency"):
        assert made[1][name] == getattr(parent, name)
    assert [(row["quantity"], row["unit_price"], row["discount"], row["units"], row["amount"]) for row in made] == [
        (6, 255, 0, 6, 1530),
        (6, 255, 30, 6, 1500),
        (1, 500, 0, 1, 500),
    ]


def test_a_returns_lines_count_negative() -> None:
    made = columns_of(encoded(order(kind="return", lines=TWO_LINES, total=2495)))["lines", DAY]
    assert [(row["quantity"], row["units"], row["amount"]) for row in made] == [(6, -6, -1500), (1, -1, -500)]


def test_the_largest_lines_that_add_up_fit_their_columns() -> None:
    price = 8_999_999_998_001
    huge = [{"sku": "71053", "quantity": 1001, "unit_price": price}]
    huge += [{"sku": "71053", "quantity": 1, "unit_price": 1, "discount": price}] * 1000
    made = columns_of(encoded(order(lines=huge, shipping=0, total=price + 1000)))["lines", DAY]
    assert made[0]["amount"] == 1001 * price


def test_stretches_say_which_lines_of_which_files_are_there() -> None:
    contents = [
        encoded(order(event_id=f"e-{file}-{offset}"), file=file, offset=offset)
        for file, offset in (("b", 500), ("a", 0), ("b", 900), ("b", 500))
    ]
    size = len(msgspec.json.encode(order(event_id="e-b-500")))
    stretches = Stretches()
    for table, _, made in batches_of(rows_of(*contents, msgspec.json.encode(order(event_id="foreign")))):
        if table is tables.ORDERS:
            stretches.add(made.slice(0, 2))
            stretches.add(made.slice(2))
    found = [(each.file_id, each.first, each.end, each.lines) for each in stretches.all()]
    assert found == [("a", 0, size - 2 + 1, 1), ("b", 500, 900 + size + 1, 3)]


def test_rows_of_foreign_producers_alone_are_in_no_stretch() -> None:
    stretches = Stretches()
    for table, _, made in batches_of(rows_of(msgspec.json.encode(order()))):
        if table is tables.ORDERS:
            stretches.add(made)
    assert stretches.all() == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=12), st.integers(1, 12))
def test_stretches_are_what_counting_one_by_one_gives(places: list[tuple[str, int]], cut: int) -> None:
    line = msgspec.json.encode(order())
    rows = rows_of(*(encoded(order(), file=file, offset=offset) for file, offset in places))
    (made,) = (made for table, _, made in batches_of(rows) if table is tables.ORDERS)
    stretches = Stretches()
    for part in (made.slice(0, cut), made.slice(cut)):
        stretches.add(part)
    for each in stretches.all():
        offsets = [offset for file, offset in places if file == each.file_id]
        expected = (min(offsets), max(offsets) + len(line) + 1, len(offsets))
        assert (each.first, each.end, each.lines) == expected
    assert [each.file_id for each in stretches.all()] == sorted({file for file, _ in places})
