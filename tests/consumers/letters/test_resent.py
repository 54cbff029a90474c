"""The record by which a letter is sent again: the same line, the same identity, one attempt more."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.letters.letter import Kind, Letter, letter_of
from consumers.letters.merge_patch import Json
from consumers.letters.resent import RECORD_LIMIT, Mend, Resent, Unselected, Unsendable, resent
from consumers.letters.selection import Selection
from consumers.manifests import Manifest
from consumers.spans.raw import RawRecord
from consumers.stages.judge import Verdict
from consumers.stages.testing import (
    ARRIVED_AT,
    SHARD,
    access_judge,
    batch,
    encoded,
    enveloped,
    judge,
    order,
    stamp_of,
    stamped,
)
from contract.reasons import Reason
from contract.rows import HitRow, LetterRow, OrderRow

pytestmark = pytest.mark.unit

MANIFEST = Manifest(
    span_id="s",
    application="cold",
    stream="transactions",
    shard_id=SHARD.shard_id,
    previous=0,
    last=1,
    records=1,
    first_arrived_at=ARRIVED_AT,
    last_arrived_at=ARRIVED_AT,
    data=[],
    raw=[],
    letters=[],
    written_at=ARRIVED_AT,
    worker="w",
)


def verdict(data: bytes, kind: Kind = "order", *, first: int = 1) -> Verdict:
    (judged,) = (judge() if kind == "order" else access_judge()).judge(batch([data], first=first))
    return judged.row


def refused(data: bytes, kind: Kind = "order") -> Letter:
    """The letter of a record, which has to be refused."""
    row = verdict(data, kind)
    assert isinstance(row, LetterRow)
    record = RawRecord(position=batch([data]).end, arrived_at=ARRIVED_AT, data=data, reasons=row.reasons)
    letter = letter_of(record, MANIFEST, "letters/x", kind)
    assert (letter.letter_id, letter.order_id) == (row.letter_id, row.order_id)  # as the judge names it
    return letter


def again(
    data: bytes, patch: Json = None, *, kind: Kind = "order", select: str = "", encoding: str = "utf-8"
) -> Resent:
    selection = Selection(select) if select else None
    mend = None if patch is None else Mend(patch=patch, selection=selection, encoding=encoding)
    return resent(refused(data, kind), data, mend, 1)


def stamp_in(data: bytes) -> Any:
    return json.loads(data)["_sp"]


def test_unchanged_it_is_the_same_bytes_but_for_the_attempt() -> None:
    data = encoded(order(total=1, note="unknown \u00fc 1.50"))
    made = again(data)
    assert made.data == data.replace(b'"}}', b'","a":1}}')
    assert stamp_in(made.data) == {**stamp_in(data), "a": 1}


def test_an_event_without_an_id_keeps_the_one_that_its_line_gives() -> None:
    data = encoded(order(event_id=..., total=1))
    before = verdict(data)
    after = verdict(again(data).data, first=77)
    assert isinstance(before, LetterRow) and isinstance(after, LetterRow)
    assert after.letter_id == before.letter_id
    assert b"event_id" not in again(data).data


@pytest.mark.parametrize("event_id", [..., "e-1", None, "", 7, "nul\0", "x" * 700])
def test_mended_it_passes_under_the_identity_of_the_letter(event_id: object) -> None:
    data = encoded(order(event_id=event_id, total=1))
    made = again(data, {"total": 2025})
    row = verdict(made.data, first=77)
    if isinstance(event_id, str) and len(event_id) > 256:  # no shape for an event id, and yet the identity
        assert isinstance(row, LetterRow) and row.letter_id == refused(data).letter_id
        return
    assert isinstance(row, OrderRow)
    assert row.event_id == refused(data).letter_id
    assert (row.origin == refused(data).stamp and False) or row.origin is not None
    assert (row.origin.file, row.origin.offset) == ("i-1-abc", 0)
    assert stamp_in(made.data) == {**stamp_in(data), "a": 1}


def test_a_mended_one_that_is_refused_again_can_be_mended_further() -> None:
    first = again(encoded(order(event_id=..., total=1, currency="gbp")), {"total": 2025})
    second = resent(refused(first.data), first.data, Mend(patch={"currency": "GBP"}), 2)
    row = verdict(second.data)
    assert isinstance(row, OrderRow)
    assert row.event_id == refused(first.data).letter_id
    assert stamp_in(second.data)["a"] == 2


def test_the_patch_goes_to_what_is_selected_and_all_else_stays() -> None:
    lines = [
        {"sku": "85123a", "quantity": 6, "unit_price": 255, "gift": True},
        {"sku": "71053", "quantity": 1, "unit_price": 5},
    ]
    data = encoded(order(lines=lines, total=2030, extra={"a": [1.5, None]}))
    made = again(data, {"sku": "85123A"}, select="lines[?sku=='85123a']")
    event = json.loads(made.data)
    assert event.pop("_sp")["a"] == 1
    assert event == {**order(lines=[{**lines[0], "sku": "85123A"}, lines[1]], total=2030), "extra": {"a": [1.5, None]}}
    (change,) = made.changes
    assert change.place == ("lines", 0)
    assert isinstance(verdict(made.data), OrderRow)


@pytest.mark.parametrize("line", [b"O-1;85123A;6", b"[1]", b'{"total": 1,}', b""])
def test_a_line_that_is_no_object_is_replaced_by_what_the_patch_says(line: bytes) -> None:
    data = enveloped(line)
    made = again(data, order(event_id=...))
    row = verdict(made.data)
    assert isinstance(row, OrderRow)
    assert row.event_id == refused(data).letter_id


def test_a_line_with_an_agents_field_is_mended_by_taking_it_out() -> None:
    data = enveloped(msgspec.json.encode(order(_sp="spring sale")))
    with pytest.raises(Unsendable, match="_sp"):
        again(data, {"region": "FR"})
    assert isinstance(verdict(again(data, {"_sp": None}).data), OrderRow)


def test_a_line_of_another_encoding_is_read_as_is_said() -> None:
    data = enveloped(json.dumps(order(channel="caf\u00e9"), ensure_ascii=False).encode("latin-1"))
    with pytest.raises(Unsendable, match="--encoding"):
        again(data, {"region": "GB"})
    row = verdict(again(data, {"channel": "caf\u00e9 web"}, encoding="latin-1").data)
    assert isinstance(row, OrderRow) and row.channel == "caf\u00e9 web"


@pytest.mark.parametrize("line", [b"no json", b"caf\xe9", b'{"_sp":1}'])
def test_an_enveloped_line_stays_in_its_envelope(line: bytes) -> None:
    data = enveloped(line)
    made, letter = again(data), refused(data)
    row = verdict(made.data, first=9)
    assert isinstance(row, LetterRow)
    assert (row.letter_id, row.reasons) == (letter.letter_id, letter.reasons)


@pytest.mark.parametrize(
    ("changes", "patch", "why"),
    [
        ({"total": 1}, {"event_id": "other"}, "event_id"),
        ({"total": 1, "event_id": ...}, {"event_id": "new"}, "event_id"),
        ({"total": 1}, {"event_id": None}, "event_id"),
        ({"total": 1}, {"total": 1}, "changes nothing"),
        ({"total": 1}, {"none": None}, "changes nothing"),
        ({"total": 1}, {"_sp": {"k": "order"}}, "_sp"),
        ({"total": 1}, {"x": "y" * RECORD_LIMIT}, "a stream's record holds"),
    ],
)
def test_what_would_lose_the_line_or_its_identity_is_refused(changes: Any, patch: Json, why: str) -> None:
    with pytest.raises(Unsendable, match=why):
        again(encoded(order(**changes)), patch)


def test_an_event_that_the_selection_is_not_about_is_left_alone() -> None:
    with pytest.raises(Unselected):
        again(encoded(order(total=1)), {"sku": "A"}, select="lines[?sku=='none']")


def test_a_line_too_long_to_travel_is_not_here() -> None:
    stub = {"_sp": stamp_of(b"x" * 9), "oversize": {"bytes": 9, "sha256": "0" * 64}}
    with pytest.raises(Unsendable, match="refused"):
        again(msgspec.json.encode(stub))


def test_a_foreign_producers_order_gets_the_letters_id() -> None:
    data = msgspec.json.encode(order(event_id=..., total=1))
    made = again(data, {"total": 2025})
    row = verdict(made.data, first=99)
    assert isinstance(row, OrderRow)
    assert row.event_id == refused(data).letter_id == f"record:{SHARD.shard_id}:1:0"
    assert b"_sp" not in made.data
    with pytest.raises(Unsendable, match="no JSON object"):
        again(b"no json")


def test_an_access_line_is_sent_again_as_it_was_or_mended_as_json() -> None:
    data = enveloped(b"[error] File does not exist", kind="access")
    row = verdict(again(data, kind="access").data, "access", first=9)
    assert isinstance(row, LetterRow) and row.letter_id == refused(data, "access").letter_id
    hit = verdict(again(data, {"time": "2026-11-27T08:00:00Z", "path": "/cart"}, kind="access").data, "access")
    assert isinstance(hit, HitRow) and hit.page == "cart" and hit.origin is not None
    twice = verdict(again(data, {"time": "2026-11-27T08:00:00Z", "path": "/"}, kind="access").data, "access", first=5)
    assert isinstance(twice, HitRow) and twice.event_id == hit.event_id == row.letter_id
    with pytest.raises(Unsendable, match="no agent"):
        again(b"[error] File does not exist", kind="access")


def test_an_access_line_with_an_event_id_of_the_clients_keeps_the_letters_identity() -> None:
    data = stamped(b'{"event_id":"mine","time":"nonsense"}', kind="access")
    row = verdict(again(data, kind="access").data, "access", first=9)
    assert isinstance(row, LetterRow)
    assert row.letter_id == refused(data, "access").letter_id != "mine"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(
    line=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
    patch=st.dictionaries(st.text(max_size=8), JSON),
)
def test_whatever_is_refused_keeps_line_and_identity_or_is_not_sent(line: bytes, patch: dict[str, Json]) -> None:
    try:
        event = msgspec.json.decode(line)  # as the agent does: Python's own reader takes Infinity
        is_object = isinstance(event, dict) and event != {} and "_sp" not in event
    except (msgspec.MsgspecError, ValueError, RecursionError):
        is_object = False
    data = stamped(line) if is_object else enveloped(line)
    if not isinstance(verdict(data), LetterRow):
        return
    letter = refused(data)
    for mend in (None, Mend(patch=patch)):
        try:
            made = resent(letter, data, mend, 1)
        except Unsendable:
            continue
        row = verdict(made.data, first=9)
        assert isinstance(row, LetterRow | OrderRow)
        assert (row.letter_id if isinstance(row, LetterRow) else row.event_id) == letter.letter_id
        assert row.origin is not None and letter.stamp is not None
        assert (row.origin.file, row.origin.offset, row.origin.crc) == (letter.stamp.f, letter.stamp.o, letter.stamp.c)
        if isinstance(row, LetterRow):
            assert Reason.RESERVED_FIELD in letter.reasons or Reason.RESERVED_FIELD not in row.reasons
