"""The lines of a piece side by side: what is wrong is named, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.account.emitted import Stretch, Tally
from consumers.account.locate import located
from consumers.account.originals import Original
from consumers.account.report import Line
from consumers.account.stores.store import FoundLine
from consumers.account.testing.memory import Stored, lines_of

pytestmark = pytest.mark.unit

ROWS = lines_of("f", *(b"line %d" % n for n in range(6)))
END = ROWS[-1].offset + ROWS[-1].bytes + 1
PIECE = Stretch(file_id="f", start=0, end=END, emitted=Tally())


def original(row: Stored) -> Original:
    return Original(row.offset, row.bytes, row.crc, row.row_id, "raw/object", "manifests/one")


def found(row: Stored) -> FoundLine:
    return FoundLine(offset=row.offset, bytes=row.bytes, crc=row.crc, kind=row.kind, row_id=row.row_id)


ORIGINALS = [original(row) for row in ROWS]
FOUND = [found(row) for row in ROWS]


def wrong(*, originals: list[Original] | None = ORIGINALS, **stores: list[FoundLine]) -> list[tuple[str | None, Line]]:
    return list(located(PIECE, originals, {name: (END, rows) for name, rows in stores.items()}))


def test_lines_that_are_everywhere_once_are_no_trouble() -> None:
    assert wrong(lake=FOUND, warehouse=FOUND) == []


def test_a_line_that_was_delivered_twice_is_no_trouble() -> None:
    assert wrong(originals=sorted([*ORIGINALS, ORIGINALS[2]]), lake=FOUND) == []


def test_a_missing_line_is_named_with_who_holds_it() -> None:
    ((store, line),) = wrong(lake=FOUND[:2] + FOUND[3:], warehouse=FOUND)
    assert store == "lake"
    assert line == Line(
        trouble="missing",
        offset=ROWS[2].offset,
        end=ROWS[3].offset,
        id=ROWS[2].row_id,
        held_by=["raw", "warehouse"],
        raw="raw/object",
        manifest="manifests/one",
    )


def test_beyond_what_a_store_has_closed_nothing_is_missing() -> None:
    rows = {"lake": (ROWS[2].offset, FOUND[:2]), "warehouse": (END, FOUND)}
    assert list(located(PIECE, ORIGINALS, rows)) == []


def test_a_line_that_nobody_has_is_a_hole_between_its_neighbours() -> None:
    some, kept = ORIGINALS[:2] + ORIGINALS[4:], FOUND[:2] + FOUND[4:]
    ((store, line),) = wrong(originals=some, lake=kept, warehouse=kept)
    assert store is None
    assert (line.trouble, line.offset, line.end) == ("never_reached", ROWS[2].offset, ROWS[4].offset)


@pytest.mark.parametrize(
    ("kept", "start", "end"), [(slice(2, 6), 0, ROWS[2].offset), (slice(0, 4), ROWS[4].offset, END)]
)
def test_a_hole_may_lie_at_either_end(kept: slice, start: int, end: int) -> None:
    ((_, line),) = wrong(originals=ORIGINALS[kept], lake=FOUND[kept])
    assert (line.offset, line.end) == (start, end)


def test_where_the_originals_cannot_be_read_the_stores_bear_witness() -> None:
    some = FOUND[:2] + FOUND[3:]
    assert [
        (store, line.trouble, line.held_by) for store, line in wrong(originals=None, lake=some, warehouse=FOUND)
    ] == [("lake", "missing", ["warehouse"])]
    assert [(store, line.trouble) for store, line in wrong(originals=None, lake=some, warehouse=some)] == [
        (None, "nowhere")
    ]


def test_a_line_found_twice_and_one_with_another_checksum_are_told_apart() -> None:
    rows = [*FOUND[:3], FOUND[2], FOUND[3]._replace(crc=7), *FOUND[4:]]
    assert [(store, line.trouble, line.offset) for store, line in wrong(lake=rows)] == [
        ("lake", "twice", ROWS[2].offset),
        ("lake", "other_content", ROWS[3].offset),
    ]


def test_a_line_without_an_original_bears_witness_by_its_rows() -> None:
    assert wrong(originals=ORIGINALS[:5], lake=FOUND, warehouse=FOUND) == []
    ((store, line),) = wrong(originals=ORIGINALS[:5], lake=FOUND, warehouse=FOUND[:5])
    assert (store, line.trouble, line.id, line.held_by) == ("warehouse", "missing", ROWS[5].row_id, ["lake"])


@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_each_store_is_told_exactly_what_it_lacks(raw: set[int], lake: set[int], warehouse: set[int]) -> None:
    troubles = wrong(
        originals=[ORIGINALS[n] for n in sorted(raw)],
        lake=[FOUND[n] for n in sorted(lake)],
        warehouse=[FOUND[n] for n in sorted(warehouse)],
    )
    known = raw | lake | warehouse
    for name, kept in (("lake", lake), ("warehouse", warehouse)):
        missing = [line.offset for store, line in troubles if store == name and line.trouble == "missing"]
        assert missing == [ROWS[n].offset for n in sorted(known - kept)]
    holes = [(line.offset, line.end) for store, line in troubles if store is None and line.trouble == "never_reached"]
    in_holes = {n for n in range(6) if any(start <= ROWS[n].offset < end for start, end in holes)}
    assert in_holes == set(range(6)) - known
