"""Counting stretches in a store: against a count of the rows themselves, and in few questions."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.account.emitted import Stretch, Tally
from consumers.account.found import look
from consumers.account.stores.store import Kind
from consumers.account.testing.memory import NOON, MemoryStore, Stored, lines_of, named, refused, repeated, tally_of
from consumers.account.testing.suite import LONG_AGO

pytestmark = pytest.mark.unit


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Stored], dict[str, Stretch]]:
    """Rows of a few files, each lost, doubled or turned into another kind at random; and stretches of the files."""
    rows: list[Stored] = []
    stretches: dict[str, Stretch] = {}
    for name in draw(st.sets(st.sampled_from("abcd"))):
        lines = lines_of(name, *draw(st.lists(st.binary(max_size=5), min_size=1, max_size=8)))
        for row in lines:
            fate = draw(
                st.sampled_from([[], [row], [row, row], [refused(row)], [repeated(row)], [replace(row, crc=1)]])
            )
            rows += fate
        end = lines[-1].offset + lines[-1].bytes + 1
        cut = draw(st.none() | st.tuples(st.integers(0, end), st.integers(0, end)))
        if cut is not None:
            inside = [row for row in lines if min(cut) <= row.offset < max(cut)]
            stretches[name] = Stretch(file_id=name, start=min(cut), end=max(cut), emitted=tally_of(inside))
    return rows, stretches


@given(histories())
def test_what_is_found_is_what_lies_in_the_stretches(history: tuple[list[Stored], dict[str, Stretch]]) -> None:
    rows, stretches = history
    found = look(MemoryStore(rows=rows), stretches, LONG_AGO, known=named(*stretches))
    inside = [row for row in rows if (s := stretches.get(str(row.file_id))) and s.start <= row.offset < s.end]
    for file_id in stretches:
        expected = [row for row in inside if row.file_id == file_id]
        tally = found.files[file_id].tally if file_id in found.files else Tally()
        assert tally == tally_of(expected)
    assert found.lines.total() == len(inside)
    assert found.count(Kind.ORDER) == sum(row.kind is Kind.ORDER for row in inside)
    assert sum(found.refused().values()) == sum(row.kind is Kind.LETTER for row in inside)
    assert found.count(Kind.DUPLICATE) == sum(row.kind is Kind.DUPLICATE for row in inside)
    named_by_none = {row.file_id for row in rows} - stretches.keys()
    assert {file.file_id for file in found.unnamed} == named_by_none


def test_files_that_lie_whole_in_their_stretches_cost_one_question() -> None:
    rows = [row for n in range(1000) for row in lines_of(f"f{n:04d}", b"one", b"two")]
    store = MemoryStore(rows=rows)
    stretches = {f"f{n:04d}": Stretch(file_id=f"f{n:04d}", start=0, end=8, emitted=Tally()) for n in range(1000)}
    assert look(store, stretches, LONG_AGO, known=named(*stretches)).lines.total() == 2000
    assert store.asked == ["groups"]


def test_files_that_are_cut_are_asked_for_in_chunks() -> None:
    count = 2 * MemoryStore.at_once + 1
    rows = [row for n in range(count) for row in lines_of(f"f{n:04d}", b"one", b"two")]
    store = MemoryStore(rows=rows)
    stretches = {f"f{n:04d}": Stretch(file_id=f"f{n:04d}", start=0, end=4, emitted=Tally()) for n in range(count)}
    assert look(store, stretches, LONG_AGO, known=named(*stretches)).lines.total() == count
    assert store.asked == ["groups", *[f"groups_within {MemoryStore.at_once}"] * 2, "groups_within 1"]


def test_files_that_no_heartbeat_names_come_apart_with_their_first_arrival() -> None:
    early, late = NOON - dt.timedelta(hours=1), NOON
    (letter,) = map(refused, lines_of("a", b"two", start=4, arrived_at=early))
    rows = [*lines_of("a", b"one", arrived_at=late), letter, *lines_of("b", b"x")]
    found = look(MemoryStore(rows=rows), {}, LONG_AGO, known=named("b"))
    (file,) = found.unnamed
    assert (file.file_id, file.lines, file.arrived_at) == ("a", 2, early)
    assert found.lines.total() == 0
