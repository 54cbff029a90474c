"""Heartbeats, and the stretches between them."""

import datetime as dt

import pytest

from consumers.account.emitted import Stretch, Tally, common, furthest, stretches_between, total
from consumers.account.testing.memory import NOON, beat_of, lines_of, tally_of

pytestmark = pytest.mark.unit

ROWS = lines_of("f", b"one", b"two", b"three", b"four")
BEATS = [beat_of(ROWS[: n + 1], arrived_at=NOON + dt.timedelta(minutes=n)) for n in range(4)]


def test_the_furthest_heartbeat_counts_whichever_table_holds_it() -> None:
    assert furthest(BEATS[:2], BEATS[1:3]) == {"f": BEATS[2]}
    assert furthest(reversed(BEATS)) == {"f": BEATS[3]}
    assert furthest([], []) == {}


def test_of_two_that_are_as_far_the_later_one_knows_more() -> None:
    still_open = BEATS[3]._replace(final=False)
    later = BEATS[3]._replace(arrived_at=NOON + dt.timedelta(hours=1))
    assert furthest([later], [still_open])["f"].final


def test_a_stretch_is_what_was_emitted_between_two_heartbeats() -> None:
    between = stretches_between({"f": BEATS[0]}, {"f": BEATS[2]})["f"]
    assert (between.start, between.end) == (BEATS[0].end, BEATS[2].end)
    assert between.emitted == tally_of(ROWS[1:3])


def test_without_an_earlier_heartbeat_a_stretch_begins_with_its_file() -> None:
    assert stretches_between({}, {"f": BEATS[1]})["f"] == Stretch(
        file_id="f", start=0, end=BEATS[1].end, emitted=tally_of(ROWS[:2])
    )


@pytest.mark.parametrize("last", [BEATS[0], BEATS[1]])
def test_a_file_that_has_not_grown_has_no_stretch(last: object) -> None:
    assert stretches_between({"f": BEATS[1]}, {"f": last}) == {}  # type: ignore[dict-item]


def test_an_empty_file_has_no_stretch() -> None:
    assert stretches_between({}, {"f": BEATS[0]._replace(end=0, tally=Tally())}) == {}


def test_bytes_that_belong_to_no_line_were_skipped() -> None:
    skipped = BEATS[2]._replace(tally=tally_of([ROWS[0], ROWS[2]]))
    assert [beat.skipped for beat in (*BEATS, skipped)] == [0, 0, 0, 0, len(b"two\n")]
    assert stretches_between({"f": BEATS[0]}, {"f": skipped})["f"].skipped == len(b"two\n")


def test_what_all_stores_have_closed_is_the_shortest_of_each_file() -> None:
    stretches = [stretches_between({}, {"f": beat, "g": beat._replace(file_id="g")}) for beat in BEATS[:2]]
    assert {file_id: s.end for file_id, s in common(stretches).items()} == {"f": BEATS[0].end, "g": BEATS[0].end}
    assert common([stretches[0], {}]) == {}
    assert common([]) == {}


def test_stretches_add_up() -> None:
    parts = [
        *stretches_between({}, {"f": BEATS[1]}).values(),
        *stretches_between({"f": BEATS[1]}, {"f": BEATS[3]}).values(),
    ]
    assert total(parts) == tally_of(ROWS)
