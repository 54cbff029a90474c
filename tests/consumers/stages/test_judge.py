import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.stages.judge import Verdict
from consumers.stages.testing import batch, documents, encoded, heartbeat, judge, order, stamped
from contract import tables
from contract.rows import HeartbeatRow, LetterRow, OrderRow
from contract.tables import Column, Kind

pytestmark = pytest.mark.unit

PLANTED = ("PLANTED-CUSTOMER-7f3d", "PLANTED-SESSION-91ac")


def json_values(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )


values = json_values(st.floats())
sound_values = json_values(st.floats(allow_nan=False, allow_infinity=False))
names = st.sampled_from(sorted(order())) | st.text(max_size=6)
amounts = st.integers(-3, 300) | st.floats(0, 300) | st.sampled_from([10**13, 10**30, 254.5, -0.0])
line = st.fixed_dictionaries(
    {"sku": st.sampled_from(["85123A", "71053", "nothing"]), "quantity": st.integers(-1, 9), "unit_price": amounts},
    optional={"discount": amounts, "note": values},
)


@st.composite
def mutated_events(draw: st.DrawFn) -> dict[str, Any]:
    """An order with planted ids and with some fields replaced, removed or added."""
    event: dict[str, Any] = order(customer_id=PLANTED[0], session_id=PLANTED[1])
    event |= draw(st.dictionaries(names, values, max_size=3))
    if draw(st.booleans()):
        event["lines"] = draw(st.lists(line, max_size=3))
    for name in draw(st.sets(names, max_size=1)):
        event.pop(name, None)
    return event


@st.composite
def mutated_orders(draw: st.DrawFn) -> bytes:
    """Such an event as JSON, or nearly so: NaN may be in it."""
    written = json.dumps(draw(mutated_events()), ensure_ascii=draw(st.booleans())).encode()
    return stamped(written) if draw(st.booleans()) and written != b"{}" else written


@st.composite
def heartbeats(draw: st.DrawFn) -> bytes:
    """A heartbeat, or nearly one."""
    changed = heartbeat(**draw(st.dictionaries(st.sampled_from(sorted(heartbeat())), values, max_size=2)))
    if isinstance(changed["_sp"], dict):
        changed["_sp"] |= draw(st.dictionaries(st.sampled_from("kfoncht"), values, max_size=1))
    return json.dumps(changed).encode()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    whole = draw(mutated_orders())
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=4)) + whole[at + draw(st.integers(0, 4)) :]


def judged(contents: list[bytes]) -> list[Verdict]:
    """The rows of these records, after checking that there is one for each, and one document."""
    offered = batch(contents)
    rows = [each.row for each in judge().judge(offered)]
    assert len(rows) == len(contents)
    made = documents(offered)
    assert len(made) == sum(not isinstance(row, HeartbeatRow) for row in rows)
    assert all(b"\n" not in each.document and len(each.row_id.encode()) <= 512 for each in made)
    return rows


@given(st.lists(mutated_orders() | torn() | heartbeats() | st.binary(max_size=50), min_size=1, max_size=5))
def test_records_in_are_orders_plus_letters_plus_heartbeats(contents: list[bytes]) -> None:
    judged(contents)


@given(mutated_orders() | torn() | heartbeats() | st.binary())
def test_the_same_record_gets_the_same_verdict(content: bytes) -> None:
    assert judge().judge(batch([content])) == judge().judge(batch([content]))


@given(mutated_orders())
def test_no_planted_identity_leaves_the_stages(content: bytes) -> None:
    for document in documents(batch([content])):
        assert not any(planted.encode() in document.document for planted in PLANTED)


@given(mutated_events(), sound_values)
def test_one_more_unknown_field_changes_no_verdict(event: dict[str, Any], value: object) -> None:
    plain, wider = judged([json.dumps(each).encode() for each in (event, {**event, "an unknown field": value})])
    assert type(plain) is type(wider)
    if isinstance(plain, LetterRow) and isinstance(wider, LetterRow):
        assert (plain.reasons, plain.detail) == (wider.reasons, wider.detail)
    else:
        assert isinstance(wider, OrderRow)
        assert "an unknown field" in json.loads(wider.extra or "")


NUL_AND_FRIENDS = st.text(st.sampled_from('\0\x01x"\\é😀\u2028'), max_size=260)
TABLE_OF = {OrderRow: tables.ORDERS, LetterRow: tables.LETTERS, HeartbeatRow: tables.ACCOUNT}


def column_of(row: Verdict, column: Column) -> object:
    """What the column holds of the row."""
    value: object = row
    prefix, _, rest = column.name.partition("_")
    for name in (prefix, rest) if prefix == "origin" else (column.name,):
        value = getattr(value, name) if value is not None else None
    return ",".join(value) if isinstance(value, list) else value


def check_fits(value: object, column: Column) -> None:
    if value is None:
        assert column.nullable, column
    elif column.kind is Kind.TEXT:
        assert isinstance(value, str)
        assert len(value.encode()) <= column.longest, column
        assert "\0" not in value, column
    elif column.kind is Kind.INTEGER:
        assert isinstance(value, int)
        assert -(2**63) <= value < 2**63, column


huge = st.sampled_from([2**53, 2**53 + 1, 2**63, 10**13, 9 * 10**12])


@st.composite
def stretched(draw: st.DrawFn) -> bytes:
    """An order or a heartbeat with text and numbers that stretch the columns."""
    event: dict[str, Any] = draw(st.sampled_from([order(), order(kind="return"), heartbeat()]))
    for name in draw(st.lists(st.sampled_from([*order(), "gift", *heartbeat()]), max_size=3)):
        event[name] = draw(NUL_AND_FRIENDS | huge | st.just("long" * 20_000))
    if draw(st.booleans()):
        event["lines"] = draw(st.lists(line | line.map(lambda each: {**each, "quantity": 9 * 10**12}), max_size=3))
        event["lines"] *= draw(st.sampled_from([1, 1000]))
        event["total"] = sum(each["quantity"] * each["unit_price"] for each in event["lines"]) + 495
    if draw(st.booleans()):
        event["_sp"] = {**heartbeat()["_sp"], "f": draw(NUL_AND_FRIENDS), "h": draw(NUL_AND_FRIENDS)}
    return json.dumps(event).encode()


@given(mutated_orders() | heartbeats() | stretched())
def test_every_verdict_fits_its_columns(content: bytes) -> None:
    (row,) = judged([content])
    for column in TABLE_OF[type(row)].columns:
        check_fits(column_of(row, column), column)
    for each in row.lines if isinstance(row, OrderRow) else ():
        check_fits(each.sku, tables.LINES["sku"])
        check_fits(each.quantity * each.unit_price - each.discount, tables.LINES["amount"])


DATA = Path(__file__).parents[4] / "shared" / "data" / "hostile_strings" / "blns.json"


@pytest.mark.skipif(not DATA.exists(), reason="needs the list of hostile strings in ../shared/data")
def test_hostile_strings_pass_as_any_field() -> None:
    strings = json.loads(DATA.read_text(encoding="utf-8"))
    fields = ("event_id", "order_id", "customer_id", "session_id", "channel", "region", "returns", "gift")
    contents = [encoded(order(**{field: text})) for text in strings for field in fields]
    rows = judged(contents)
    assert sum(isinstance(row, OrderRow) for row in rows) > len(rows) * 0.9
    by_channel = {row.channel for row in rows if isinstance(row, OrderRow)}
    assert {text for text in strings if 0 < len(text) <= 256} <= by_channel
