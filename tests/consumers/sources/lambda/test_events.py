"""Events of the real shape become batches; anything else is named and refused."""

import datetime as dt
import hashlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Batch, Position, Record, Shard
from consumers.sources.lambda_.events import BadEvent, delivery_of
from consumers.sources.lambda_.testing import ARRIVED_AT, delivered, event_of
from contract.kpl.aggregate import MAGIC, UserRecord, aggregated
from contract.kpl.messages_pb2 import AggregatedRecord

pytestmark = pytest.mark.unit

# The example of Lambda's documentation.
DOCUMENTED = {
    "Records": [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "1",
                "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
                "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
                "approximateArrivalTimestamp": 1545084650.987,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        },
    ]
}


def batch_of(event: object) -> Batch:
    delivery = delivery_of(event)
    assert delivery is not None
    return delivery.batch


def test_the_documented_event_is_a_batch() -> None:
    batch = batch_of(DOCUMENTED)
    assert batch.shard == Shard(stream="lambda-stream", shard_id="shardId-000000000006")
    assert batch.records == [
        Record(
            Position(49590338271490256608559692538361571095921575989136588898),
            dt.datetime(2018, 12, 17, 22, 10, 50, 987_000, tzinfo=dt.UTC),
            b"Hello, this is a test.",
        )
    ]


def test_an_aggregate_comes_apart_and_each_user_record_has_a_place_in_it() -> None:
    packed = aggregated([UserRecord("a", b"one"), UserRecord("b", b"two")])
    batch = batch_of(event_of([b"plain", packed]))
    assert [(record.position, record.data) for record in batch.records] == [
        (Position(1), b"plain"),
        (Position(2, 0), b"one"),
        (Position(2, 1), b"two"),
    ]
    assert {record.arrived_at for record in batch.records} == {ARRIVED_AT}


def test_a_damaged_aggregate_is_one_record() -> None:
    packed = aggregated([UserRecord("a", b"one"), UserRecord("b", b"two")])
    batch = batch_of(event_of([packed[:-1]]))
    assert [record.data for record in batch.records] == [packed[:-1]]


def test_a_reader_with_fan_out_names_the_stream_too() -> None:
    record = delivered(1, b"x")
    record["eventSourceARN"] += "/consumer/lambda:1545084650"
    batch = batch_of({"Records": [record]})
    assert batch.shard.stream == "transactions"


@pytest.mark.parametrize("written", ["7", "0000000000007"])
def test_a_sequence_number_is_answered_as_it_was_written(written: str) -> None:
    record = delivered(7, b"x")
    record["kinesis"]["sequenceNumber"] = written
    delivery = delivery_of({"Records": [{**record, "eventID": f"shardId-000000000000:{written}"}]})
    assert delivery is not None
    assert delivery.identifiers == {7: written}


_KEYS_ALONE = AggregatedRecord(partition_key_table=["a"]).SerializeToString()
EMPTY = MAGIC + _KEYS_ALONE + hashlib.md5(_KEYS_ALONE).digest()


@pytest.mark.parametrize("event", [{"Records": []}, event_of([EMPTY])])
def test_an_event_without_user_records_is_no_batch(event: dict[str, Any]) -> None:
    assert delivery_of(event) is None


def changed(**changes: Any) -> dict[str, Any]:
    record = delivered(1, b"secret")
    kinesis = {**record["kinesis"], **changes.pop("kinesis", {})}
    return {"Records": [{**record, "kinesis": kinesis, **changes}]}


@pytest.mark.parametrize(
    ("event", "where"),
    [
        (None, r"\$: Expected object, got null"),
        ([], r"\$: Expected object, got array"),
        ({}, "missing required field Records"),
        ({"Records": None}, r"\$.Records"),
        ({"Records": [{}]}, r"\$.Records\[0\]"),
        ({"Records": [{"body": "secret", "eventSource": "aws:sqs"}]}, r"\$.Records\[0\]"),
        (changed(eventSource="aws:dynamodb"), r"\$.Records\[0\].eventSource"),
        (changed(kinesis={"data": "secret!"}), r"\$.Records\[0\].kinesis.data"),
        (changed(kinesis={"sequenceNumber": 7}), r"\$.Records\[0\].kinesis.sequenceNumber"),
        (changed(kinesis={"sequenceNumber": "-7"}), r"\$.Records\[0\].kinesis.sequenceNumber"),
        (changed(kinesis={"sequenceNumber": "9" * 5000}), r"\$.Records\[0\].kinesis.sequenceNumber"),
        (changed(kinesis={"approximateArrivalTimestamp": -1}), "approximateArrivalTimestamp"),
        (changed(kinesis={"approximateArrivalTimestamp": 1e300}), "approximateArrivalTimestamp"),
        (changed(eventSourceARN="arn:aws:sqs:eu-west-2:123456789012:secret"), "eventSourceARN"),
        (changed(eventSourceARN="arn:aws:kinesis:eu-west-2:123456789012:stream/"), "eventSourceARN"),
        (changed(eventID="1"), "eventID"),
        (changed(eventID="shardId-000000000000:2"), "eventID"),
        ({"Records": [delivered(1, b"a"), delivered(2, b"b", shard_id="shardId-000000000001")]}, "one shard"),
        ({"Records": [delivered(1, b"a"), delivered(2, b"b", stream="access")]}, "one shard"),
        (event_of([b"a", b"b"])["Records"][::-1], "got array"),
        ({"Records": event_of([b"a", b"b"])["Records"][::-1]}, "order"),
        ({"Records": [delivered(1, b"a"), delivered(1, b"a")]}, "order"),
    ],
)
def test_what_no_stream_sends_is_refused_and_never_quoted(event: Any, where: str) -> None:
    with pytest.raises(BadEvent, match=where) as raised:
        delivery_of(event)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*delivered(1, b""), "x"]), inner),
    max_leaves=10,
)


@given(anything, st.sampled_from(["", *delivered(1, b"")]), st.sampled_from(["", *delivered(1, b"")["kinesis"]]))
def test_any_json_is_a_batch_or_a_bad_event(value: Any, field: str, inner: str) -> None:
    record = delivered(1, b"x")
    (record["kinesis"] if inner else record)[inner or field] = value
    event: Any = {"Records": [record if inner or field else value]}
    with suppress(BadEvent):
        delivery_of(event)
