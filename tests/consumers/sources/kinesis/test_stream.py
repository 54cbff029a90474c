"""A GetRecords answer, from its bytes; shards, as they are listed."""

import base64
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Position
from consumers.sources.kinesis.checkpoints import Checkpoint, Rank
from consumers.sources.kinesis.stream import KinesisStream, ShardInfo, decode_answer
from consumers.sources.kinesis.testing import ARRIVED_AT
from runtime.outage import Outage

pytestmark = pytest.mark.unit


@given(st.lists(st.tuples(st.integers(0, 2**186), st.integers(0, 4 * 10**12), st.binary(max_size=50))))
def test_records_keep_number_time_and_bytes(records: list[tuple[int, int, bytes]]) -> None:
    body = {
        "Records": [
            {
                "SequenceNumber": str(number),
                "ApproximateArrivalTimestamp": millis / 1000,
                "Data": base64.b64encode(data).decode(),
                "PartitionKey": "k",
                "EncryptionType": "KMS",
            }
            for number, millis, data in records
        ],
        "NextShardIterator": "next",
        "MillisBehindLatest": 1500,
    }
    answer = decode_answer(json.dumps(body).encode(), None)
    assert [(record.position, record.data) for record in answer.records] == [
        (Position(number), data) for number, _, data in records
    ]
    times = [round(record.arrived_at.timestamp() * 1000) for record in answer.records]
    assert times == [millis for _, millis, _ in records]
    assert (answer.next_iterator, answer.millis_behind, answer.children) == ("next", 1500, ())


def test_times_are_aware_utc() -> None:
    record = {"SequenceNumber": "1", "ApproximateArrivalTimestamp": 1795766400.123, "Data": ""}
    (read,) = decode_answer(json.dumps({"Records": [record]}).encode(), None).records
    assert read.arrived_at == datetime(2026, 11, 27, 8, 0, 0, 123000, tzinfo=UTC)


def test_the_end_of_a_shard_names_its_children() -> None:
    child = {
        "ShardId": "shardId-000000000001",
        "ParentShards": ["shardId-000000000000"],
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "7"},
    }
    answer = decode_answer(json.dumps({"Records": [], "MillisBehindLatest": 0, "ChildShards": [child]}).encode(), None)
    assert answer.next_iterator is None
    assert answer.children == (
        ShardInfo(shard_id="shardId-000000000001", parents=frozenset({"shardId-000000000000"}), hash_range=(0, 7)),
    )


class Gateway:
    """A client whose answers come from something that is not Kinesis."""

    class meta:
        events = HierarchicalEmitter()

    def get_records(self, **request: object) -> dict[str, bytes]:
        return {"Body": b"<html>C-1 bought</html>"}


def test_an_answer_that_is_not_kinesiss_is_an_outage_and_is_not_quoted() -> None:
    with pytest.raises(Outage, match="none of Kinesis") as raised:
        KinesisStream(Gateway(), "orders").read("iterator", None)
    assert "C-1" not in str(raised.value)


class Behind:
    """A client of a Kinesis whose clock is behind ours."""

    class meta:
        events = HierarchicalEmitter()

    def get_shard_iterator(self, **request: object) -> dict[str, str]:
        error = {"Code": "InvalidArgumentException", "Message": "Timestamp is in the future."}
        raise ClientError({"Error": error}, "GetShardIterator")  # type: ignore[typeddict-item]


@pytest.mark.parametrize("rank", [Rank.LATEST, Rank.AT_TIMESTAMP])
def test_a_time_that_kinesis_has_not_reached_yet_is_waited_for(rank: Rank) -> None:
    start = Checkpoint.entered(rank, ARRIVED_AT)
    with pytest.raises(Outage, match=r"from 2026-11-27T08:00:00\+00:00, this machine's clock may be ahead.*future"):
        KinesisStream(Behind(), "orders").iterator("shardId-0", start)
