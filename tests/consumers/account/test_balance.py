"""The law: emitted = stored + dead + duplicates + in flight, and no loss of any line goes unseen."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.account.balance import differences, disagreements, in_flight, open_files, revenue_of, too_old
from consumers.account.emitted import Stretch
from consumers.account.found import FoundFile, Unnamed, look
from consumers.account.testing.memory import (
    NOON,
    MemoryStore,
    Stored,
    beat_of,
    lines_of,
    named,
    refused,
    repeated,
    tally_of,
)
from consumers.account.testing.suite import LONG_AGO

pytestmark = pytest.mark.unit

Fates = dict[str, list[str]]  # by file: what becomes of each line

Day = tuple[Fates, dict[str, Stretch], list[Stored]]

FATES = ("order", "refused", "duplicate", "lost", "twice", "altered", "late")


@st.composite
def days(draw: st.DrawFn) -> Day:
    """What a shop emits, what becomes of each line, the stretches up to the last heartbeats, and a store's rows.

    `late` lines come after the file's last heartbeat.
    """
    fates: Fates = {}
    stretches: dict[str, Stretch] = {}
    rows: list[Stored] = []
    for name in draw(st.sets(st.sampled_from("abc"), min_size=1)):
        contents = [b"%s line %d" % (name.encode(), n) for n in range(draw(st.integers(1, 6)))]
        lines = lines_of(name, *contents)
        late = draw(st.integers(0, len(lines) - 1))
        heard = lines[: len(lines) - late]
        of_file = [draw(st.sampled_from(FATES[:6])) for _ in heard]
        for row, fate in zip(heard, of_file, strict=True):
            if fate != "lost":
                rows.append(refused(row) if fate == "refused" else repeated(row) if fate == "duplicate" else row)
            if fate == "twice":
                rows.append(row)
            if fate == "altered":
                rows[-1] = Stored(row_id=row.row_id, file_id=name, offset=row.offset, bytes=row.bytes, crc=row.crc + 1)
        rows += lines[len(heard) :]
        fates[name] = of_file
        end = heard[-1].offset + heard[-1].bytes + 1
        stretches[name] = Stretch(file_id=name, start=0, end=end, emitted=tally_of(heard))
    return fates, stretches, rows


@given(days())
def test_exactly_the_files_with_a_wrong_line_differ(day: Day) -> None:
    fates, stretches, rows = day
    found = look(MemoryStore(rows=rows), stretches, LONG_AGO, known=named(*stretches))
    wrong = differences("store", stretches, found.files)
    assert [difference.stretch.file_id for difference in wrong] == sorted(
        name for name, of_file in fates.items() if {"lost", "twice", "altered"} & set(of_file)
    )
    for difference in wrong:
        of_file = fates[difference.stretch.file_id]
        assert difference.missing == of_file.count("lost") - of_file.count("twice")


@given(days(), st.data())
def test_the_sum_holds_for_every_store(
    day: tuple[Fates, dict[str, Stretch], list[Stored]], data: st.DataObject
) -> None:
    """Whatever is closed: emitted = orders + refused + duplicates + missing + in flight."""
    _, emitted, rows = day
    closed = {name: s for name, s in emitted.items() if data.draw(st.booleans())}
    found = look(MemoryStore(rows=rows), closed, LONG_AGO, known=named(*emitted))
    missing = sum(difference.missing for difference in differences("store", closed, found.files))
    assert sum(s.emitted.lines for s in emitted.values()) == (
        found.lines.total() + missing + in_flight(emitted, closed)
    )


def test_as_many_lines_that_are_other_ones_do_not_balance() -> None:
    rows = lines_of("f", b"one", b"two")
    stretch = Stretch(file_id="f", start=0, end=8, emitted=tally_of(rows))
    file = FoundFile(tally=tally_of([rows[0], rows[0]]))
    (difference,) = differences("lake", {"f": stretch}, {"f": file})
    assert str(difference) == "2 lines emitted, 2 found (not the same ones)"
    assert difference.missing == 0


def test_what_one_file_lacks_another_one_cannot_make_up_for() -> None:
    rows = {name: lines_of(name, b"one", b"two") for name in "ab"}
    stretches = {name: Stretch(file_id=name, start=0, end=8, emitted=tally_of(rows[name])) for name in "ab"}
    found = {"a": FoundFile(tally=tally_of(rows["a"][:1])), "b": FoundFile(tally=tally_of([*rows["b"], rows["b"][0]]))}
    assert [difference.missing for difference in differences("lake", stretches, found)] == [1, -1]


def test_a_file_is_open_until_its_agent_says_otherwise_and_a_gap_once_it_is_silent() -> None:
    rows = lines_of("f", b"one")
    beats = [
        beat_of(rows, arrived_at=NOON),
        beat_of(lines_of("g", b"x"), final=False, arrived_at=NOON - dt.timedelta(seconds=100)),
        beat_of(lines_of("h", b"x"), final=False, arrived_at=NOON - dt.timedelta(seconds=200)),
        beat_of(lines_of("i", b"x"), final=False, arrived_at=NOON + dt.timedelta(seconds=1)),
    ]
    found = open_files(beats, NOON, quiet_s=180)
    assert [(file.beat.file_id, file.silent_s, file.is_gap) for file in found] == [
        ("h", 200, True),
        ("g", 100, False),
        ("i", 0, False),
    ]


def test_rows_without_a_heartbeat_are_given_time() -> None:
    young = Unnamed(file_id="young", lines=1, arrived_at=NOON - dt.timedelta(seconds=100))
    old = Unnamed(file_id="old", lines=1, arrived_at=NOON - dt.timedelta(seconds=181))
    assert too_old([young, old], NOON, quiet_s=180) == [old]


def test_revenue_is_compared_by_currency_and_never_summed_across() -> None:
    first, second = FoundFile(), FoundFile()
    first.revenue.update({"GBP": 100, "EUR": -5})
    second.revenue.update({"GBP": 11})
    assert revenue_of([first, second]) == {"EUR": -5, "GBP": 111}
    assert disagreements({"lake": {"GBP": 1}, "warehouse": {"GBP": 1}}) == {}
    assert disagreements({"lake": {"GBP": 1, "EUR": 2}, "warehouse": {"GBP": 1}}) == {
        "EUR": {"lake": 2, "warehouse": 0}
    }
    assert disagreements({}) == {}
