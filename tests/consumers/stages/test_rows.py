import datetime as dt

import msgspec
import pytest

from consumers.stages.facts import InForce
from consumers.stages.testing import ARRIVED_AT, KEY, batch, encoded, judge, order, stamp_of, stamped, verdict
from contract.rows import LetterRow, OrderRow
from contract.tables import LONGEST_TEXT

pytestmark = pytest.mark.unit


def accepted(**changes: object) -> OrderRow:
    row = verdict(encoded(order(**changes)), facts=InForce())
    assert isinstance(row, OrderRow)
    return row


def refused(data: bytes, *, arrived_at: dt.datetime = ARRIVED_AT) -> LetterRow:
    (judged,) = judge().judge(batch([data], arrived_at=arrived_at))
    assert isinstance(judged.row, LetterRow)
    return judged.row


def test_an_accepted_order_has_all_its_columns() -> None:
    row = accepted(returns="O-0", gift=True)
    assert row.event_time == dt.datetime(2026, 11, 27, 8, 0, 0, 123000, tzinfo=dt.UTC)
    assert row.arrived_at == dt.datetime(2026, 11, 27, 8, 0, 1, tzinfo=dt.UTC)
    assert row.customer == KEY.hash_of("customer", "C-1")
    assert row.session == KEY.hash_of("session", "S-1")
    assert row.identity_key_id == "test"
    assert (row.revenue, row.units, row.line_count, row.total, row.shipping) == (2025, 6, 1, 2025, 495)
    assert row.extra == '{"gift":true}'
    stamp = stamp_of(msgspec.json.encode(order(returns="O-0", gift=True)))
    assert row.origin is not None
    assert (row.origin.file, row.origin.offset, row.origin.bytes, row.origin.crc) == (stamp.f, 0, stamp.n, stamp.c)


def test_a_return_counts_negative() -> None:
    row = accepted(kind="return")
    assert (row.revenue, row.units, row.total) == (-2025, -6, 2025)


def test_a_guest_has_no_hashes_and_no_key_id() -> None:
    row = accepted(customer_id=None, session_id=...)
    assert (row.customer, row.session, row.identity_key_id) == (None, None, None)


def test_time_is_stored_as_utc_and_days_are_the_shops() -> None:
    row = accepted(event_time="2026-07-01T00:30:00+02:00")
    assert row.event_time == dt.datetime(2026, 6, 30, 22, 30, tzinfo=dt.UTC)
    assert row.event_date == dt.date(2026, 6, 30)
    assert accepted(event_time="2026-06-30T23:30:00Z").event_date == dt.date(2026, 7, 1)  # British summer time


def test_unknown_fields_that_repeat_the_customer_hold_the_hash() -> None:
    row = accepted(
        gift={"from": "C-1", "S-1": "C-10"},
        lines=[
            {"sku": "85123A", "quantity": 6, "unit_price": 255, "for": "C-1"},
        ],
    )
    assert row.extra is not None
    assert msgspec.json.decode(row.extra) == {
        "gift": {"from": row.customer, row.session: "C-10"},
        "lines": [{"for": row.customer}],
    }


@pytest.mark.parametrize("written", ['"Zo\\u00eb\\/1"', '"Zoë/1"', '"Zoë\\/1"'])
def test_a_customer_in_unknown_fields_is_hidden_however_it_is_escaped(written: str) -> None:
    line = msgspec.json.encode(order(customer_id="Zoë/1"))
    record = stamped(line[:-1] + f',"note":[{written},"\\"","Zo","17850",1.50]}}'.encode())
    row = verdict(record)
    assert isinstance(row, OrderRow)
    assert row.extra == f'{{"note":["{row.customer}","\\"","Zo","17850",1.50]}}'


def test_a_customer_in_unknown_fields_is_hidden_as_a_number_too() -> None:
    row = accepted(customer_id="17850", session_id="-1.5", note=[17850, 178500, -1.5, True, "17850", None])
    assert row.extra is not None
    assert msgspec.json.decode(row.extra) == {"note": [row.customer, 178500, row.session, True, row.customer, None]}


def test_unknown_fields_that_no_column_holds_stay_in_the_raw_records() -> None:
    fits = LONGEST_TEXT - len('{"gift":""}')
    assert accepted(gift="x" * fits).extra == '{"gift":"' + "x" * fits + '"}'
    assert accepted(gift="x" * (fits + 1)).extra == f'{{"_omitted_bytes":{LONGEST_TEXT + 1}}}'
    assert accepted(gift="é" * (fits // 2 + 1)).extra == f'{{"_omitted_bytes":{LONGEST_TEXT + 2}}}'


def test_a_letter_says_why_and_whence_and_nothing_else() -> None:
    bad = order(currency="secret", total=1, customer_id="secret", channel="secret")
    letter = refused(encoded(bad, offset=5))
    assert letter.origin is not None
    assert (letter.letter_id, letter.origin.file, letter.origin.offset) == ("e-1", "i-1-abc", 5)
    assert (letter.reason, letter.reasons) == ("unknown_currency", ["unknown_currency", "wrong_total"])
    assert letter.detail == "unknown_currency: $.currency; wrong_total: $.total"
    assert (letter.event_type, letter.order_id, letter.shard_id) == ("order", "O-1", "shardId-000000000000")
    assert (letter.sequence, letter.sub_sequence) == ("1", 0)
    assert "secret" not in repr(letter)


def test_a_detail_shows_the_first_places_of_each_reason() -> None:
    lines = [{"sku": "no", "quantity": 1, "unit_price": 1}] * 1000
    letter = refused(encoded(order(lines=lines, total=1495)))
    assert letter.detail == "unknown_sku: $.lines[0].sku, $.lines[1].sku, $.lines[2].sku and 997 more"


def test_a_letters_order_id_is_cut() -> None:
    assert refused(encoded(order(order_id="x" * 100_000))).order_id == "x" * 256


def test_letters_are_dated_in_utc_by_the_day_on_which_the_agent_read_the_line() -> None:
    past_midnight = dt.datetime(2026, 11, 28, 0, 30, tzinfo=dt.UTC)
    assert refused(encoded(order(total=1)), arrived_at=past_midnight).read_on == dt.date(2026, 11, 27)


def test_a_foreign_producers_letters_are_dated_by_arrival_in_utc() -> None:
    late = dt.datetime(2026, 7, 1, 23, 30, tzinfo=dt.UTC)  # the second of July in the shop
    assert refused(b"no json", arrived_at=late).read_on == dt.date(2026, 7, 1)


@pytest.mark.parametrize("read_at", ["", "yesterday", "9999-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-19"])
def test_a_stamp_whose_time_is_absurd_makes_no_day_of_its_own(read_at: str) -> None:
    line = msgspec.json.encode(order(total=1))
    stamp = msgspec.structs.replace(stamp_of(line), t=read_at)
    assert refused(line[:-1] + b',"_sp":' + msgspec.json.encode(stamp) + b"}").read_on == ARRIVED_AT.date()
