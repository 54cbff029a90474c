"""A sink in memory, and the suite that it and every real sink pass."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import pytest

from consumers.delivery import Backpressure, Refused, Row, Sink
from consumers.sinks.opensearch.bulk import Stored, StoredOrigin, duplicate_of
from consumers.stages.documents import document_of, letter_document
from consumers.stages.judge import Judged
from contract.reasons import Reason
from contract.rows import LetterRow, LineRow, OrderRow, Origin
from contract.stamp import Stamp


class FakeSink:
    """Keeps rows by place and identity. `trouble` is how many of the next writes raise Backpressure."""

    def __init__(
        self, *, is_poison: Callable[[Row], bool] = lambda row: False, trouble: int = 0, log: list[str] | None = None
    ) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.trouble = trouble
        self._is_poison = is_poison
        self._log = [] if log is None else log

    def write(self, rows: Sequence[Row]) -> Sequence[Refused]:
        if self.trouble:
            self.trouble -= 1
            raise Backpressure(0.25, "the store is away")
        self._log.append("write " + " ".join(row.row_id for row in rows))
        poison = [row for row in rows if self._is_poison(row)]
        for row in rows:
            if row not in poison:
                self._create(row)
                self._mark(row)
        return [Refused(row=row, reason=Reason.REJECTED_BY_STORE, detail="poison") for row in poison]

    def _mark(self, row: Row) -> None:
        """The letter that `row` was, before or after it comes."""
        if row.mended is None:
            return
        place = row.mended.index, row.row_id
        letter = self.rows.get(place)
        if letter is None:
            self.rows[place] = Row(index=place[0], row_id=place[1], document=row.mended.document, origin=row.origin)
            return
        marked = {**msgspec.json.decode(letter.document), **msgspec.json.decode(row.mended.mark)}
        self.rows[place] = msgspec.structs.replace(letter, document=msgspec.json.encode(marked))

    def _create(self, row: Row) -> None:
        first = self.rows.setdefault((row.index, row.row_id), row)
        origin = None if first.origin is None else StoredOrigin(*first.origin)
        duplicate = duplicate_of(row, Stored(origin=origin, content_hash=first.content_hash))
        if first is not row and duplicate is not None:
            self.rows.setdefault((duplicate.index, duplicate.row_id), duplicate)


class Store(Protocol):
    """A sink under test and what it writes to."""

    name: str  # unlike that of any other store in this run: ids are made of it
    sink: Sink
    unreachable: Sink  # the same kind of sink, its store away

    def document(self, index: str, row_id: str) -> Any:
        """What is stored there, parsed; None if nothing is."""
        ...

    def poison(self) -> Row:
        """A row that the store will never take."""
        ...


INDEX = "orders-2026.11.27"
LETTERS = "letters-2026.11.27"


def order_row(store: Store, event: str, *, offset: int | None = 0, content: str = "same", attempt: int = 0) -> Row:
    """The row of an order that stood at `offset`; None: of a foreign producer. `attempt`: of a letter sent again."""
    file = f"{store.name}-file"
    document = OrderRow(
        event_id=f"{store.name}-{event}",
        content_hash=content,
        event_time=dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC),
        event_date=dt.date(2026, 11, 27),
        arrived_at=dt.datetime(2026, 11, 27, 8, 0, 1, tzinfo=dt.UTC),
        order_id="O-1",
        kind="sale",
        channel="web",
        currency="GBP",
        lines=[LineRow(sku="85123A", quantity=6, unit_price=255, discount=0)],
        tax=0,
        shipping=495,
        total=2025,
        revenue=2025,
        units=6,
        line_count=1,
        origin=None if offset is None else Origin(file=file, offset=offset, bytes=366, crc=7, attempt=attempt),
    )
    stamp = Stamp(k="order", f=file, o=offset or 0, n=366, c=7, t="2026-11-27T08:00:00Z", a=attempt)
    made = document_of(Judged(document, None if offset is None else stamp), 14)
    assert made is not None
    return made


def letter_row(store: Store, event: str, *, offset: int) -> Row:
    """The row of the letter of an order that stood at `offset`."""
    return letter_document(
        LetterRow(
            letter_id=f"{store.name}-{event}",
            reason=Reason.UNKNOWN_SKU,
            reasons=[Reason.UNKNOWN_SKU],
            event_type="order",
            read_on=dt.date(2026, 11, 27),
            arrived_at=dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC),
            shard_id="shardId-000000000000",
            sequence="1",
            sub_sequence=0,
            origin=Origin(file=f"{store.name}-file", offset=offset, bytes=366, crc=7),
        )
    )


class SinkConformance:
    """What every sink promises. A test class inherits this and brings a fixture `store`, a `Store`."""

    def test_every_row_is_stored_as_it_is(self, store: Store) -> None:
        rows = [order_row(store, f"all-{n}", offset=n) for n in range(3)]
        assert not store.sink.write(rows)
        for row in rows:
            assert store.document(row.index, row.row_id) == msgspec.json.decode(row.document)

    def test_no_rows_are_no_trouble(self, store: Store) -> None:
        assert not store.sink.write([])

    def test_writing_the_same_rows_again_changes_nothing(self, store: Store) -> None:
        row = order_row(store, "again", offset=100)
        assert not store.sink.write([row])
        assert not store.sink.write([row])
        assert not store.sink.write([row, row])
        assert store.document("duplicates", f"{store.name}-file:100") is None

    def test_the_first_of_two_rows_with_one_identity_stays(self, store: Store) -> None:
        first, second = (order_row(store, "first", offset=n, content=f"content {n}") for n in (200, 201))
        assert not store.sink.write([first, second])
        assert store.document(INDEX, first.row_id)["content_hash"] == "content 200"

    def test_a_second_line_with_a_known_identity_leaves_a_duplicate(self, store: Store) -> None:
        first, second = (order_row(store, "second", offset=n) for n in (300, 301))
        for _ in range(2):
            assert not store.sink.write([first])
            assert not store.sink.write([second])
        duplicate = store.document("duplicates", f"{store.name}-file:301")
        assert duplicate["event_id"] == first.row_id
        assert duplicate["conflict"] is False
        assert duplicate["origin"] == {"file": f"{store.name}-file", "offset": 301, "bytes": 366, "crc": 7}

    def test_a_second_line_with_other_content_is_a_conflict(self, store: Store) -> None:
        first, second = (order_row(store, "conflict", offset=n, content=f"content {n}") for n in (400, 401))
        assert not store.sink.write([first])
        assert not store.sink.write([second])
        assert store.document("duplicates", f"{store.name}-file:401")["conflict"] is True

    def test_a_foreign_producers_repeat_leaves_nothing(self, store: Store) -> None:
        row = order_row(store, "foreign", offset=None)
        assert not store.sink.write([row, row])
        assert not store.sink.write([row])

    def test_a_letter_is_marked_once_its_event_is_accepted_whichever_comes_first(self, store: Store) -> None:
        for number, order_first in enumerate((False, True)):
            mended = order_row(store, f"mended-{number}", offset=700 + number, attempt=1)
            refused = letter_row(store, f"mended-{number}", offset=700 + number)
            for _ in range(2):
                for row in (mended, refused) if order_first else (refused, mended):
                    assert not store.sink.write([row])
            letter = store.document(LETTERS, mended.row_id)
            assert letter["mended_at"] == "2026-11-27T08:00:01Z"
            assert letter["origin"] == {"file": f"{store.name}-file", "offset": 700 + number, "bytes": 366, "crc": 7}
            assert order_first or letter["reason"] == Reason.UNKNOWN_SKU
            assert store.document(INDEX, mended.row_id)["origin"]["attempt"] == 1
            assert store.document("duplicates", f"{store.name}-file:{700 + number}") is None

    def test_poison_comes_back_with_a_reason_and_harms_no_other_row(self, store: Store) -> None:
        poison = store.poison()
        before, after = (order_row(store, f"beside-{n}", offset=n) for n in (500, 501))
        for _ in range(2):
            (refused,) = store.sink.write([before, poison, after])
            assert refused.row is poison
            assert refused.reason is Reason.REJECTED_BY_STORE
            assert refused.detail
        assert store.document(INDEX, before.row_id)
        assert store.document(INDEX, after.row_id)

    def test_trouble_that_passes_asks_to_wait(self, store: Store) -> None:
        row = order_row(store, "trouble", offset=600)
        with pytest.raises(Backpressure) as raised:
            store.unreachable.write([row])
        assert 0.0 <= raised.value.wait_s < 60.0
        assert store.document(INDEX, row.row_id) is None
        assert not store.sink.write([row])
        assert store.document(INDEX, row.row_id)
