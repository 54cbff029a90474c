"""What every store of the account promises, as a suite."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from consumers.account.emitted import Stretch, Tally
from consumers.account.stores.store import Foreign, Group, Kind, Store
from consumers.account.testing.memory import NOON, Stored, grouped, hit, lines_of, refused, repeated, tally_of

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Filled(Protocol):
    """A store under test, and how a test fills it."""

    store: Store

    def put(self, rows: Sequence[Stored]) -> None:
        """Add rows; file ids and row ids are the test's own."""
        ...


class StoreConformance:
    """What every store promises. A test class inherits this and brings a fixture `filled`, and `prefix`, of its ids."""

    def test_rows_are_grouped_by_kind_file_and_label(self, filled: Filled, prefix: str) -> None:
        rows = lines_of(f"{prefix}-a", *(b"%d" % 10**n for n in range(9)))
        rows[1] = replace(rows[1], label="EUR", revenue=-5)
        rows[3:5] = [refused(rows[3]), refused(rows[4], "unknown_sku")]
        rows[5:7] = [repeated(rows[5]), repeated(rows[6], conflict=True)]
        rows[7:9] = [hit(rows[7]), hit(rows[8])]
        filled.put(rows + lines_of(f"{prefix}-b", b"another"))
        assert _of(prefix, filled.store.groups(LONG_AGO)) == _sorted(
            grouped(rows + lines_of(f"{prefix}-b", b"another"))
        )

    def test_a_letter_that_was_sent_again_and_accepted_counts_as_what_it_became(
        self, filled: Filled, prefix: str
    ) -> None:
        rows = lines_of(f"{prefix}-a", b"one", b"two", b"three", b"four", b"five")
        letters = [refused(row) for row in rows[1:]]
        accepted = [rows[0], replace(rows[1], attempt=1), replace(hit(rows[2]), attempt=2)]
        accepted.append(replace(repeated(rows[4]), attempt=1))  # its event came from elsewhere meanwhile
        filled.put(letters)
        filled.put(accepted)
        found = _of(prefix, filled.store.groups(LONG_AGO))
        assert found == _sorted(grouped([*accepted, letters[2]]))
        assert sorted((group.kind.value, group.mended) for group in found) == [
            ("duplicate", 0), ("hit", 1), ("letter", 0), ("order", 1),
        ]  # fmt: skip
        whole = Stretch(file_id=f"{prefix}-a", start=0, end=100, emitted=Tally())
        assert [line.kind for line in filled.store.lines(whole, LONG_AGO)] == [
            Kind.ORDER, Kind.ORDER, Kind.HIT, Kind.LETTER, Kind.DUPLICATE,
        ]  # fmt: skip

    def test_only_the_lines_of_a_stretch_are_counted(self, filled: Filled, prefix: str) -> None:
        rows = lines_of(f"{prefix}-a", *(b"line %d" % n for n in range(10)))
        rows[5] = refused(rows[5])
        rows[6:8] = [repeated(rows[6]), hit(rows[7])]
        filled.put(rows + lines_of(f"{prefix}-b", b"another"))
        part = Stretch(file_id=f"{prefix}-a", start=rows[3].offset, end=rows[8].offset, emitted=Tally())
        nothing = Stretch(file_id=f"{prefix}-b", start=100, end=200, emitted=Tally())
        found = filled.store.groups_within([part, nothing], LONG_AGO)
        assert _of(prefix, found) == _sorted(grouped(rows[3:8]))
        assert not list(filled.store.groups_within([], LONG_AGO))

    def test_as_many_stretches_as_are_allowed_are_answered_at_once(self, filled: Filled, prefix: str) -> None:
        count = filled.store.at_once
        rows = [row for n in range(count) for row in lines_of(f"{prefix}-{n:04d}", b"one", b"two")]
        filled.put(rows)
        stretches = [Stretch(file_id=f"{prefix}-{n:04d}", start=0, end=4, emitted=Tally()) for n in range(count)]
        found = _of(prefix, filled.store.groups_within(stretches, LONG_AGO))
        assert found == _sorted(grouped(row for row in rows if row.offset == 0))

    def test_what_arrived_earlier_is_not_looked_at(self, filled: Filled, prefix: str) -> None:
        early, late = NOON - dt.timedelta(microseconds=1000), NOON
        rows = lines_of(f"{prefix}-a", b"early", arrived_at=early) + lines_of(f"{prefix}-a", b"late", start=6)
        filled.put(rows)
        whole = Stretch(file_id=f"{prefix}-a", start=0, end=100, emitted=Tally())
        assert _of(prefix, filled.store.groups(late)) == _sorted(grouped(rows[1:]))
        assert _of(prefix, filled.store.groups_within([whole], late)) == _sorted(grouped(rows[1:]))
        assert [line.offset for line in filled.store.lines(whole, late)] == [6]
        assert [line.offset for line in filled.store.lines(whole, early)] == [0, 6]

    def test_sums_of_checksums_are_exact(self, filled: Filled, prefix: str) -> None:
        rows = [replace(row, crc=2**32 - 1 - row.offset) for row in lines_of(f"{prefix}-a", *([b"line"] * 500))]
        filled.put(rows)
        (group,) = _of(prefix, filled.store.groups(LONG_AGO))
        assert group.tally == tally_of(rows)

    def test_the_letter_of_a_heartbeat_is_no_line(self, filled: Filled, prefix: str) -> None:
        (row,) = lines_of(f"{prefix}-a", b"line")
        beat = replace(refused(row, "bad_shape"), offset=5, bytes=0, crc=0, row_id=f"{prefix}-beat", of_heartbeat=True)
        filled.put([row, beat])
        whole = Stretch(file_id=f"{prefix}-a", start=0, end=100, emitted=Tally())
        assert _of(prefix, filled.store.groups(LONG_AGO)) == _sorted(grouped([row]))
        assert [line.offset for line in filled.store.lines(whole, LONG_AGO)] == [0]

    def test_every_line_comes_in_order_with_its_identity(self, filled: Filled, prefix: str) -> None:
        rows = lines_of(f"{prefix}-a", *(b"line %d" % n for n in range(20)))
        rows[4], rows[7], rows[9] = refused(rows[4]), hit(rows[7]), repeated(rows[9])
        filled.put(rows)
        part = Stretch(file_id=f"{prefix}-a", start=rows[2].offset, end=rows[15].offset, emitted=Tally())
        found = list(filled.store.lines(part, LONG_AGO))
        assert [(f.offset, f.bytes, f.crc, f.kind) for f in found] == [
            (row.offset, row.bytes, row.crc, row.kind) for row in rows[2:15]
        ]
        assert [f.row_id for f in found if f.kind is not Kind.DUPLICATE] == [
            row.row_id for row in rows[2:15] if row.kind is not Kind.DUPLICATE
        ]

    def test_rows_without_an_origin_are_counted_apart(self, filled: Filled, prefix: str) -> None:
        # A time of its own tells them from those of other tests.
        at = NOON - dt.timedelta(days=1000 + sum(prefix.encode()) % 1000)
        foreign = [
            Stored(row_id=f"{prefix}-{n}", file_id=None, label=label, revenue=revenue, arrived_at=at)
            for n, (label, revenue) in enumerate([("GBP", 100), ("EUR", -7), ("GBP", 11)])
        ]
        letter = Stored(kind=Kind.LETTER, row_id=f"{prefix}-l", file_id=None, label="not_json", arrived_at=at)
        later = Stored(row_id=f"{prefix}-later", file_id=None, arrived_at=at + dt.timedelta(minutes=1))
        request = Stored(kind=Kind.HIT, row_id=f"{prefix}-h", file_id=None, label="", arrived_at=at)
        filled.put([*foreign, letter, later, request])
        found = filled.store.foreign(at, at + dt.timedelta(minutes=1))
        assert found == Foreign(orders=3, hits=1, letters=1, revenue={"EUR": -7, "GBP": 111})
        assert not [group for group in filled.store.groups(LONG_AGO) if group.file_id == "None"]


def _of(prefix: str, groups: Iterable[Group]) -> list[Group]:
    return _sorted(group for group in groups if group.file_id.startswith(prefix))


def _sorted(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (group.kind.value, group.file_id, group.label))
