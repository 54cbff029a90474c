import datetime as dt
import json
import zlib

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.delivery import Position, Record
from consumers.spans.raw import RawWriter, read_raw
from consumers.stages.testing import ARRIVED_AT, batch, encoded, order, stamped, verdict
from contract.rows import LetterRow, OrderRow

pytestmark = pytest.mark.unit


def written(*contents: bytes) -> bytes:
    writer = RawWriter()
    writer.add(batch(contents).records, [True] * len(contents))
    return writer.finish()


def lines_of(content: bytes) -> list[bytes]:
    return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read().splitlines(keepends=True)


contents = st.lists(
    st.binary(max_size=40)
    | st.text(max_size=20).map(lambda text: json.dumps({"note": text}).encode())
    | st.sampled_from([b'{"a":1}\r', b' {"a":1} ', b'{"a":\n1}', b'{"record":1,"reasons":[1]}', b'{"a":"\xff"}', b"["]),
    max_size=6,
)


@given(contents)
@example([b"[" * 100_000 + b"]" * 100_000])
@example([b'{"seq":"9","sub":1,"at":"x","record":{}}'])
def test_every_record_comes_back_byte_for_byte(data: list[bytes]) -> None:
    read = list(read_raw(written(*data)))
    assert [record.data for record in read] == data
    assert [record.position for record in read] == [Position(n) for n in range(1, len(data) + 1)]
    assert {record.arrived_at for record in read} <= {ARRIVED_AT}


@given(contents)
def test_every_line_is_json_and_one_line(data: list[bytes]) -> None:
    lines = lines_of(written(*data))
    assert len(lines) == len(data)
    assert all(json.loads(line)["seq"] for line in lines)


def test_an_order_stands_in_its_line_as_it_came() -> None:
    record = encoded(order())
    (line,) = lines_of(written(record))
    assert line == b'{"seq":"1","sub":0,"at":"2026-11-27T08:00:01Z","record":%b}\n' % record


@given(st.lists(st.binary(max_size=40) | st.sampled_from([encoded(order()), stamped(b'{"type":"order"}\r')])))
def test_what_was_read_already_is_written_the_same(data: list[bytes]) -> None:
    refused = [isinstance(verdict(each), LetterRow) for each in data]
    writer = RawWriter()
    writer.add(batch(data).records, refused)
    assert writer.finish() == written(*data)


def test_an_order_with_bytes_that_are_no_utf8_where_nobody_looked_comes_back() -> None:
    record = encoded(order()).replace(b'"_sp":{', b'"_sp":{"z":"\xff",')
    assert isinstance(verdict(record), OrderRow)
    writer = RawWriter()
    writer.add(batch([record]).records, [False])
    content = writer.finish()
    assert [each.data for each in read_raw(content)] == [record]
    assert json.loads(lines_of(content)[0])["record_b64"]


def test_positions_and_times_are_exact() -> None:
    at = dt.datetime(2026, 11, 27, 8, 0, 0, 123456, tzinfo=dt.UTC)
    record = Record(Position(10**55 + 7, 3), at, b"x")
    writer = RawWriter()
    writer.add([record], [True])
    (read,) = read_raw(writer.finish())
    assert (read.position, read.arrived_at) == (record.position, at)


def test_what_records_of_one_aggregate_share_is_written_of_each() -> None:
    first, second = 10**55, 10**55 + 1
    later = ARRIVED_AT + dt.timedelta(microseconds=1)
    places = [(first, 0, ARRIVED_AT), (first, 1, ARRIVED_AT), (second, 0, ARRIVED_AT), (second, 1, later)]
    records = [Record(Position(sequence, sub), at, encoded(order())) for sequence, sub, at in places]
    writer = RawWriter()
    writer.add(records[:3], [False] * 3)
    writer.add(records[3:], [False])
    assert [(*read.position, read.arrived_at) for read in read_raw(writer.finish())] == places


def test_a_letter_comes_with_its_reasons() -> None:
    letter = LetterRow(
        letter_id="e-1",
        reason="wrong_total",
        reasons=["wrong_total", "no_lines"],
        detail='at ,"record":',
        event_type="order",
        read_on=ARRIVED_AT.date(),
        arrived_at=ARRIVED_AT,
        shard_id="s",
        sequence="1",
        sub_sequence=0,
    )
    (record,) = batch([b'{"a":1}']).records
    writer = RawWriter()
    writer.add_letter(record, letter)
    (read,) = read_raw(writer.finish())
    assert (read.data, read.reasons, read.detail) == (record.data, letter.reasons, letter.detail)


def test_what_is_no_such_object_is_a_value_error() -> None:
    whole = written(*[encoded(order(event_id=f"e-{n}"), offset=n) for n in range(1_000)])
    for content in (b"", b"plain", zlib.compress(b"x"), whole[:-100]):
        if content:
            with pytest.raises(ValueError, match="no raw record"):
                list(read_raw(content))
        else:
            assert not list(read_raw(content))


def test_memory_is_what_the_object_will_hold() -> None:
    writer = RawWriter()
    records = batch([encoded(order(event_id=f"e-{n}"), offset=n) for n in range(10_000)]).records
    writer.add(records, [False] * len(records))
    assert writer.nbytes < sum(len(record.data) for record in records) / 4
    assert writer.records == 10_000
