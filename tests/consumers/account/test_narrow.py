"""From a stretch to the pieces of it that are to blame, with few questions."""

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.account import locate
from consumers.account.emitted import Stretch, Tally
from consumers.account.locate import joined, narrowed, pieces
from consumers.account.testing.memory import NOON, beat_of, lines_of, tally_of

pytestmark = pytest.mark.unit

ROWS = lines_of("f", *(b"line %d" % n for n in range(64)))
BEATS = [beat_of(ROWS[: n + 1], arrived_at=NOON + dt.timedelta(seconds=n)) for n in range(64)]


def whole(start: int = 0) -> Stretch:
    before = BEATS[start - 1].tally if start else Tally()
    end = BEATS[-1].end
    return Stretch(file_id="f", start=ROWS[start].offset, end=end, emitted=tally_of(ROWS).minus(before))


@given(st.integers(0, 60), st.sets(st.integers(0, 63)))
def test_pieces_add_up_to_the_stretch_whichever_heartbeats_are_known(start: int, known: set[int]) -> None:
    stretch = whole(start)
    found = pieces(stretch, [BEATS[n] for n in sorted(known)])
    assert joined(found) == stretch
    assert all(a.end == b.start for a, b in pairwise(found))
    for piece in found:
        assert piece.emitted == tally_of(row for row in ROWS if piece.start <= row.offset < piece.end)


@given(st.sets(st.integers(0, 63), min_size=1, max_size=4))
def test_every_wrong_piece_is_found(wrong: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locate, "FEW_LINES", 1)
        offsets = {ROWS[n].offset for n in wrong}
        found = narrowed(pieces(whole(), BEATS), lambda s: not any(s.start <= o < s.end for o in offsets), most=100)
        assert [(part.start, part.emitted.lines) for part in found] == [(offset, 1) for offset in sorted(offsets)]


def test_one_wrong_line_among_many_takes_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "FEW_LINES", 1)
    asked: list[Stretch] = []

    def is_exact(stretch: Stretch) -> bool:
        asked.append(stretch)
        return not stretch.start <= ROWS[40].offset < stretch.end

    narrowed(pieces(whole(), BEATS), is_exact, most=10)
    assert len(asked) <= 12  # two for each halving of 64


def test_no_more_than_are_asked_for() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locate, "FEW_LINES", 1)
        assert len(narrowed(pieces(whole(), BEATS), lambda stretch: False, most=3)) == 3


def test_a_difference_that_heals_meanwhile_leaves_the_whole() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locate, "FEW_LINES", 1)
        assert narrowed(pieces(whole(), BEATS), lambda stretch: True, most=3) == [whole()]


def test_few_lines_are_looked_at_at_once() -> None:
    assert narrowed(pieces(whole(), BEATS), lambda stretch: False, most=3) == [whole()]
