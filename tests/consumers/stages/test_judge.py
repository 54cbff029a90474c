import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.stages.testing import batch, encoded, judge, order, stamped, verdict
from contract.rows import LetterRow, OrderRow

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
def torn(draw: st.DrawFn) -> bytes:
    whole = draw(mutated_orders())
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=4)) + whole[at + draw(st.integers(0, 4)) :]


def judged(contents: list[bytes]) -> list[OrderRow | LetterRow]:
    """The documents of these records, after checking that there is one for each, addressed by its kind."""
    rows = judge().judge(batch(contents))
    assert len(rows) == len(contents)
    documents: list[OrderRow | LetterRow] = []
    for row in rows:
        is_letter = row.index.startswith("letters-")
        assert is_letter or row.index.startswith("orders-")
        kind = LetterRow if is_letter else OrderRow
        documents.append(msgspec.json.decode(row.document, type=kind))
        assert b"\n" not in row.document
        assert len(row.row_id.encode()) <= 512
    return documents


@given(st.lists(mutated_orders() | torn() | st.binary(max_size=50), min_size=1, max_size=5))
def test_records_in_are_orders_plus_letters(contents: list[bytes]) -> None:
    judged(contents)


@given(mutated_orders() | torn() | st.binary())
def test_the_same_record_gets_the_same_verdict(content: bytes) -> None:
    assert judge().judge(batch([content])) == judge().judge(batch([content]))


@given(mutated_orders())
def test_no_planted_identity_leaves_the_stages(content: bytes) -> None:
    document = verdict(content).document
    assert not any(planted.encode() in document for planted in PLANTED)


@given(mutated_events(), sound_values)
def test_one_more_unknown_field_changes_no_verdict(event: dict[str, Any], value: object) -> None:
    plain, wider = judged([json.dumps(each).encode() for each in (event, {**event, "an unknown field": value})])
    assert type(plain) is type(wider)
    if isinstance(plain, LetterRow) and isinstance(wider, LetterRow):
        assert (plain.reasons, plain.detail) == (wider.reasons, wider.detail)
    else:
        assert isinstance(wider, OrderRow)
        assert "an unknown field" in json.loads(wider.extra or "")


DATA = Path(__file__).parents[4] / "shared" / "data" / "hostile_strings" / "blns.json"


@pytest.mark.skipif(not DATA.exists(), reason="needs the list of hostile strings in ../shared/data")
def test_hostile_strings_pass_as_any_field() -> None:
    strings = json.loads(DATA.read_text(encoding="utf-8"))
    fields = ("event_id", "order_id", "customer_id", "session_id", "channel", "region", "returns", "gift")
    contents = [encoded(order(**{field: text})) for text in strings for field in fields]
    documents = judged(contents)
    assert sum(isinstance(document, OrderRow) for document in documents) > len(documents) * 0.9
    by_channel = {d.channel for d in documents if isinstance(d, OrderRow)}
    assert {text for text in strings if 0 < len(text) <= 256} <= by_channel
