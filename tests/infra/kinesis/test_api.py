"""The operations over a folder and a clock of the test's own."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.local.kinesis.errors import KinesisError, StartError
from infra.local.kinesis.log import ShardLog
from infra.local.kinesis.operations import TARGET, Api
from infra.local.kinesis.service import Service, Slice
from infra.local.kinesis.streams import Streams
from infra.local.kinesis.testing import ManualClock

pytestmark = pytest.mark.unit

Call = Callable[..., dict[str, Any]]
_FIRST = "shardId-000000000000"


def _calls(folder: Path, clock: ManualClock, *, limits: bool = True) -> Call:
    service = Service(
        streams=Streams(folder, clock, limits=limits),
        clock=clock,
        region="eu-west-2",
        account_id="000000000000",
        limits=limits,
    )
    api = Api(service)

    def call(operation: str, **members: Any) -> dict[str, Any]:
        answer = api.answer(TARGET + operation, msgspec.json.encode(members))
        if isinstance(answer, Slice):
            inside = answer.log.read(answer.start, answer.end - answer.start)
            answer = answer.head + inside + answer.tail
        return msgspec.json.decode(answer, type=dict[str, Any])

    return call


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def call(tmp_path: Path, clock: ManualClock) -> Call:
    made = _calls(tmp_path, clock)
    made("CreateStream", StreamName="s", ShardCount=1)
    return made


def _put(call: Call, *keys: str) -> list[str]:
    records = [{"Data": "AAAA", "PartitionKey": key} for key in keys]
    return [each["SequenceNumber"] for each in call("PutRecords", StreamName="s", Records=records)["Records"]]


def _iterator(call: Call, kind: str = "TRIM_HORIZON", **position: Any) -> str:
    made = call("GetShardIterator", StreamName="s", ShardId=_FIRST, ShardIteratorType=kind, **position)
    return str(made["ShardIterator"])


def _refused(name: str, call: Call, operation: str, **members: Any) -> None:
    with pytest.raises(KinesisError) as refusal:
        call(operation, **members)
    assert refusal.value.name == name


def test_an_iterator_lives_for_five_minutes(call: Call, clock: ManualClock) -> None:
    iterator = _iterator(call)
    clock.advance(300)
    again = call("GetRecords", ShardIterator=iterator)["NextShardIterator"]
    clock.advance(0.001)
    _refused("ExpiredIteratorException", call, "GetRecords", ShardIterator=iterator)
    call("GetRecords", ShardIterator=again)


def test_a_page_token_lives_for_five_minutes(tmp_path: Path, clock: ManualClock) -> None:
    call = _calls(tmp_path, clock)
    call("CreateStream", StreamName="s", ShardCount=3)
    token = call("ListShards", StreamName="s", MaxResults=1)["NextToken"]
    clock.advance(301)
    _refused("ExpiredNextTokenException", call, "ListShards", NextToken=token)


def test_a_shard_takes_a_thousand_records_a_second(call: Call, clock: ManualClock) -> None:
    records = [{"Data": "AAAA", "PartitionKey": "k"}] * 400
    failed = [call("PutRecords", StreamName="s", Records=records)["FailedRecordCount"] for _ in range(3)]
    assert failed == [0, 0, 200]
    clock.advance(1)
    assert call("PutRecords", StreamName="s", Records=records)["FailedRecordCount"] == 0


def test_a_shard_makes_five_iterators_and_answers_five_reads_a_second(call: Call, clock: ManualClock) -> None:
    iterators = [_iterator(call) for _ in range(5)]
    rest = {"StreamName": "s", "ShardId": _FIRST, "ShardIteratorType": "LATEST"}
    _refused("ProvisionedThroughputExceededException", call, "GetShardIterator", **rest)
    for iterator in iterators:
        call("GetRecords", ShardIterator=iterator)
    _refused("ProvisionedThroughputExceededException", call, "GetRecords", ShardIterator=iterators[0])
    clock.advance(1)
    _iterator(call)
    call("GetRecords", ShardIterator=iterators[0])


def test_arrival_times_never_step_back_with_the_clock(call: Call, clock: ManualClock) -> None:
    _put(call, "a")
    clock.advance(-3600)
    _put(call, "b")
    first, second = call("GetRecords", ShardIterator=_iterator(call))["Records"]
    assert first["ApproximateArrivalTimestamp"] == second["ApproximateArrivalTimestamp"]


def test_how_far_behind_is_the_age_of_the_oldest_unread_record(call: Call, clock: ManualClock) -> None:
    _put(call, "a")
    clock.advance(10)
    _put(call, "b")
    clock.advance(2)
    first = call("GetRecords", ShardIterator=_iterator(call), Limit=1)
    assert first["MillisBehindLatest"] == 2000
    assert call("GetRecords", ShardIterator=first["NextShardIterator"])["MillisBehindLatest"] == 0


def test_a_restart_keeps_records_streams_and_iterators(tmp_path: Path, call: Call, clock: ManualClock) -> None:
    numbers = _put(call, "a", "b")
    iterator = _iterator(call, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[0])
    again = _calls(tmp_path, clock)
    numbers += _put(again, "c")
    read = again("GetRecords", ShardIterator=iterator)["Records"]
    assert [record["SequenceNumber"] for record in read] == numbers[1:]
    assert numbers == sorted(set(numbers))


def test_numbers_are_not_used_again_after_a_torn_tail(tmp_path: Path, call: Call, clock: ManualClock) -> None:
    kept, torn = _put(call, "a", "b")
    log = tmp_path / "streams" / "s.stream" / f"{_FIRST}.log"
    log.write_bytes(log.read_bytes()[:-1])
    clock.advance(-60)
    again = _calls(tmp_path, clock)
    (number,) = _put(again, "c")
    assert number > torn
    read = again("GetRecords", ShardIterator=_iterator(again))["Records"]
    assert [record["SequenceNumber"] for record in read] == [kept, number]


def test_a_full_disk_stores_none_of_the_request_in_any_shard(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = _calls(tmp_path, clock)
    call("CreateStream", StreamName="s", ShardCount=2)
    _put(call, *"abcdefgh")
    folder = tmp_path / "streams" / "s.stream"
    before = {log.name: log.read_bytes() for log in folder.glob("*.log")}
    append = ShardLog.append

    def full(log: ShardLog, lines: bytes) -> None:
        if log.path.name.startswith("shardId-000000000001"):
            raise OSError(errno.ENOSPC, "No space left on device")
        append(log, lines)

    with monkeypatch.context() as patch:
        patch.setattr(ShardLog, "append", full)
        records = [{"Data": "AAAA", "PartitionKey": key} for key in "abcdefgh"]
        _refused("InternalFailure", call, "PutRecords", StreamName="s", Records=records)
    assert {log.name: log.read_bytes() for log in folder.glob("*.log")} == before
    _put(call, *"abcdefgh")


def test_a_stream_half_made_or_half_deleted_is_swept_away(tmp_path: Path, call: Call, clock: ManualClock) -> None:
    for name in ("half.new", "half.gone"):
        (tmp_path / "streams" / name).mkdir()
    assert _calls(tmp_path, clock)("ListStreams")["StreamNames"] == ["s"]
    assert [entry.name for entry in (tmp_path / "streams").iterdir()] == ["s.stream"]


def test_a_damaged_description_stops_the_start_by_name(tmp_path: Path, call: Call, clock: ManualClock) -> None:
    (tmp_path / "streams" / "s.stream" / "stream.json").write_text("{")
    with pytest.raises(StartError, match=r"stream\.json: not readable"):
        _calls(tmp_path, clock)


def test_a_stream_made_again_does_not_honour_old_iterators(call: Call) -> None:
    iterator = _iterator(call)
    call("DeleteStream", StreamName="s")
    call("CreateStream", StreamName="s", ShardCount=1)
    _refused("InvalidArgumentException", call, "GetRecords", ShardIterator=iterator)


@pytest.mark.parametrize(
    ("error", "operation", "members"),
    [
        ("UnknownOperationException", "StartStreamEncryption", {}),
        ("SerializationException", "PutRecord", {"StreamName": 1}),
        ("SerializationException", "PutRecord", {"StreamName": "s", "Data": "?", "PartitionKey": "k"}),
        ("ValidationException", "PutRecord", {"StreamName": "s", "Data": "AAAA"}),
        ("ValidationException", "PutRecord", {"StreamName": "s", "Data": "AAAA", "PartitionKey": ""}),
        ("ValidationException", "PutRecords", {"StreamName": "s", "Records": []}),
        ("ValidationException", "CreateStream", {"StreamName": "t", "ShardCount": 0}),
        ("InvalidArgumentException", "CreateStream", {"StreamName": "t"}),
        ("InvalidArgumentException", "CreateStream", {"StreamName": "t", "ShardCount": 1, "Tags": {"a": "b"}}),
        ("LimitExceededException", "CreateStream", {"StreamName": "t", "ShardCount": 5000}),
        ("InvalidArgumentException", "DescribeStreamSummary", {}),
        ("ValidationException", "GetRecords", {"ShardIterator": "x", "Limit": 10_001}),
    ],
)
def test_a_request_that_does_not_fit_is_refused_by_aws_name(
    call: Call, error: str, operation: str, members: dict[str, Any]
) -> None:
    _refused(error, call, operation, **members)


def test_a_split_is_there_after_a_restart(tmp_path: Path, clock: ManualClock, call: Call) -> None:
    _put(call, "a")
    call("SplitShard", StreamName="s", ShardToSplit=_FIRST, NewStartingHashKey=str(1 << 127))
    before = call("PutRecords", StreamName="s", Records=[{"Data": "AAAA", "PartitionKey": "b"}])["Records"]
    again = _calls(tmp_path, clock)
    assert again("ListShards", StreamName="s") == call("ListShards", StreamName="s")
    after = again("PutRecords", StreamName="s", Records=[{"Data": "AAAA", "PartitionKey": "b"}])["Records"]
    assert after[0]["ShardId"] == before[0]["ShardId"] != _FIRST
    assert after[0]["SequenceNumber"] > before[0]["SequenceNumber"]


def test_a_child_is_split_in_the_same_millisecond(call: Call) -> None:
    half, quarter = 1 << 127, 1 << 126
    call("SplitShard", StreamName="s", ShardToSplit=_FIRST, NewStartingHashKey=str(half))
    call("SplitShard", StreamName="s", ShardToSplit="shardId-000000000001", NewStartingHashKey=str(quarter))
    shards = call("ListShards", StreamName="s")["Shards"]
    starts = [shard["SequenceNumberRange"]["StartingSequenceNumber"] for shard in shards]
    assert starts == sorted(set(starts))
