"""What holds for Kinesis, told to a boto3 client: the tests run it on this server, and it could be run on AWS.

Each case of CASES is a function of a Subject; it raises AssertionError where the service is not Kinesis, and its
docstring names the rule. "API" is the Kinesis Data Streams API reference, "Guide" the Developer Guide, both AWS's.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from itertools import pairwise
from typing import Any

from infra.local.kinesis import fan_out_cases, scaling_cases
from infra.local.kinesis.subject import FIRST, Subject, patiently

_HASH_KEYS = 1 << 128
_WAIT = {"Delay": 1, "MaxAttempts": 60}


class ManualClock:
    """The server's clock, standing still until `advance` is called."""

    def __init__(self, now_ms: int = 1_795_766_400_000) -> None:
        self._now_ms = now_ms
        self._elapsed_s = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)
        self._elapsed_s += seconds


def a_provisioned_stream_has_the_shards_it_asked_for(subject: Subject) -> None:
    """API, CreateStream and ListShards: the shards share the hash keys 0 to 2^128-1 without a hole."""
    name = subject.stream(ShardCount=3)
    shards = subject.client.list_shards(StreamName=name)["Shards"]
    ranges = [shard["HashKeyRange"] for shard in shards]
    assert [shard["ShardId"] for shard in shards] == [f"shardId-{number:012d}" for number in range(3)]
    assert int(ranges[0]["StartingHashKey"]) == 0
    assert int(ranges[-1]["EndingHashKey"]) == _HASH_KEYS - 1
    for before, after in pairwise(ranges):
        assert int(before["EndingHashKey"]) + 1 == int(after["StartingHashKey"])


def an_on_demand_stream_starts_with_four_shards(subject: Subject) -> None:
    """Guide, "On-demand mode": 4 MB/s in to begin with, which is four shards."""
    name = subject.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = subject.summary(name)
    assert summary["OpenShardCount"] == 4
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}


def a_name_is_taken_once(subject: Subject) -> None:
    """API, CreateStream, Errors: ResourceInUseException."""
    subject.refused("ResourceInUseException", subject.client.create_stream, StreamName=subject.stream(), ShardCount=1)


def a_name_keeps_to_its_alphabet(subject: Subject) -> None:
    """API, CreateStream: StreamName matches [a-zA-Z0-9_.-]+."""
    subject.refused("ValidationException", subject.client.create_stream, StreamName="a/b", ShardCount=1)


def a_stream_is_found_by_its_arn(subject: Subject) -> None:
    """API, PutRecord: StreamName, StreamARN, or both."""
    name = subject.stream()
    arn = subject.summary(name)["StreamARN"]
    subject.client.put_record(StreamARN=arn, Data=b"1", PartitionKey="k")
    assert subject.read(name) == [b"1"]


def an_unknown_stream_or_shard_is_not_found(subject: Subject) -> None:
    """API, Errors: ResourceNotFoundException."""
    name, kind = subject.stream(), "LATEST"
    ask = subject.client.get_shard_iterator
    absent = "shardId-000000000009"
    subject.refused("ResourceNotFoundException", ask, StreamName=name, ShardId=absent, ShardIteratorType=kind)
    put = subject.client.put_record
    subject.refused("ResourceNotFoundException", put, StreamName=f"{name}x", Data=b"1", PartitionKey="k")


def a_deleted_stream_is_gone(subject: Subject) -> None:
    """API, DeleteStream: all shards and data go with it; a new stream of the name is empty."""
    name = subject.stream()
    subject.put(name, b"1")
    iterator = subject.iterator(name)
    patiently(subject.client.delete_stream, StreamName=name)
    subject.client.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=_WAIT)
    subject.refused("ResourceNotFoundException", subject.client.get_records, ShardIterator=iterator)
    patiently(subject.client.create_stream, StreamName=name, ShardCount=1)
    subject.client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=_WAIT)
    assert subject.read(name) == []


def records_come_back_in_order_with_what_was_put(subject: Subject) -> None:
    """API, GetRecords: data, key, increasing sequence numbers and an arrival time to the millisecond."""
    name = subject.stream()
    data = [bytes([number]) * number for number in range(20)]
    stored = subject.put(name, *data, key='käse/"\\\n€')
    records = subject.client.get_records(ShardIterator=subject.iterator(name))["Records"]
    assert [record["Data"] for record in records] == data
    assert {record["PartitionKey"] for record in records} == {'käse/"\\\n€'}
    assert [record["SequenceNumber"] for record in records] == [answer["SequenceNumber"] for answer in stored]
    numbers = [int(record["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    times = [record["ApproximateArrivalTimestamp"] for record in records]
    assert times == sorted(times)
    assert abs(times[-1] - datetime.now(times[-1].tzinfo)) < timedelta(minutes=5)


def a_key_goes_to_the_shard_of_its_md5(subject: Subject) -> None:
    """API, PutRecord, PartitionKey: MD5 of the key as a 128-bit number; ExplicitHashKey overrides it."""
    name = subject.stream(ShardCount=2)
    half = _HASH_KEYS // 2
    for key in ("a", "b", "c", "käse"):
        answer = subject.client.put_record(StreamName=name, Data=b"", PartitionKey=key)
        number = int.from_bytes(md5(key.encode(), usedforsecurity=False).digest(), "big") // half
        assert answer["ShardId"] == f"shardId-{number:012d}"
    for hash_key, number in ((0, 0), (half - 1, 0), (half, 1), (_HASH_KEYS - 1, 1)):
        answer = subject.client.put_record(StreamName=name, Data=b"", PartitionKey="a", ExplicitHashKey=str(hash_key))
        assert answer["ShardId"] == f"shardId-{number:012d}"


def a_hash_key_past_the_range_is_refused(subject: Subject) -> None:
    """API, PutRecord, Errors: InvalidArgumentException outside the range, ValidationException outside the pattern."""
    put, name = subject.client.put_record, subject.stream()
    rest = {"StreamName": name, "Data": b"", "PartitionKey": "a"}
    subject.refused("InvalidArgumentException", put, **rest, ExplicitHashKey=str(_HASH_KEYS))
    subject.refused("ValidationException", put, **rest, ExplicitHashKey="01")


def a_partition_key_has_1_to_256_characters(subject: Subject) -> None:
    """API, PutRecord, PartitionKey: Unicode, at most 256 characters, whatever their bytes."""
    put, name = subject.client.put_record, subject.stream()
    put(StreamName=name, Data=b"", PartitionKey="€" * 256)
    subject.refused("ValidationException", put, StreamName=name, Data=b"", PartitionKey="x" * 257)


def a_request_holds_at_most_500_records(subject: Subject) -> None:
    """API, PutRecords: up to 500 records a request."""
    name = subject.stream()
    records = [{"Data": b"x", "PartitionKey": "k"}] * 501
    subject.refused("ValidationException", subject.client.put_records, StreamName=name, Records=records)
    assert subject.client.put_records(StreamName=name, Records=records[:500])["FailedRecordCount"] == 0


def a_record_holds_at_most_one_mib(subject: Subject) -> None:
    """API, PutRecord: data and key together, up to the stream's MaxRecordSizeInKiB, by default 1,024."""
    name = subject.stream()
    subject.put(name, b"x" * ((1 << 20) - 1))
    put = subject.client.put_record
    subject.refused("ValidationException", put, StreamName=name, Data=b"x" * (1 << 20), PartitionKey="k")


def a_request_holds_at_most_ten_mib(subject: Subject) -> None:
    """API, PutRecords: up to 10 MiB a request, partition keys counted."""
    name = subject.stream()
    records = [{"Data": b"x" * ((1 << 20) - 1), "PartitionKey": "k"}] * 10
    put = subject.client.put_records
    answer = put(StreamName=name, Records=records)
    assert len(answer["Records"]) == 10
    more = [*records, {"Data": b"", "PartitionKey": "k"}]
    subject.refused("InvalidArgumentException", put, StreamName=name, Records=more)


def a_full_shard_refuses_entries_not_the_request(subject: Subject) -> None:
    """API, PutRecords: HTTP 200 with FailedRecordCount, ErrorCode and ErrorMessage an entry; a shard takes 1,000/s."""
    name = subject.stream(ShardCount=2)
    records = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}] * 499
    other = {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(_HASH_KEYS - 1)}
    stored = 0
    for _ in range(40):
        answer = subject.client.put_records(StreamName=name, Records=[*records, other])
        refused = [entry for entry in answer["Records"] if "ErrorCode" in entry]
        assert answer["FailedRecordCount"] == len(refused)
        stored += 499 - len(refused)
        if refused:
            break
    assert refused, "never throttled"
    assert {entry["ErrorCode"] for entry in refused} == {"ProvisionedThroughputExceededException"}
    assert name in refused[0]["ErrorMessage"]
    assert not any("SequenceNumber" in entry for entry in refused)
    assert answer["Records"][-1]["ShardId"] == "shardId-000000000001"
    assert len(subject.read(name)) == stored


def a_shard_takes_one_mb_a_second(subject: Subject) -> None:
    """Guide, "Quotas and limits": 1 MB/s in a shard; PutRecord fails with ProvisionedThroughputExceededException."""
    name = subject.stream()

    def flood(**arguments: Any) -> None:
        for _ in range(40):
            subject.client.put_record(**arguments)

    arguments = {"StreamName": name, "Data": b"x" * 500_000, "PartitionKey": "k"}
    subject.refused("ProvisionedThroughputExceededException", flood, **arguments)


def a_shard_answers_five_reads_a_second(subject: Subject) -> None:
    """API, GetRecords: five transactions a second a shard."""
    name = subject.stream()
    iterator = subject.iterator(name)

    def poll(**arguments: Any) -> None:
        for _ in range(40):
            subject.client.get_records(**arguments)

    subject.refused("ProvisionedThroughputExceededException", poll, ShardIterator=iterator)


def the_five_iterator_types_start_where_they_say(subject: Subject) -> None:
    """API, GetShardIterator, ShardIteratorType."""
    name = subject.stream()
    second = subject.put(name, b"1", b"2", b"3")[1]["SequenceNumber"]
    assert subject.read(name) == [b"1", b"2", b"3"]
    assert subject.read(name, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"2", b"3"]
    assert subject.read(name, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"3"]
    latest = subject.iterator(name, "LATEST")
    subject.put(name, b"4")
    assert [record["Data"] for record in subject.client.get_records(ShardIterator=latest)["Records"]] == [b"4"]


def a_timestamp_starts_at_the_first_record_then_or_later(subject: Subject) -> None:
    """API, GetShardIterator, Timestamp: exact, else the next later record; before all: the oldest."""
    name = subject.stream()
    for data in (b"1", b"2", b"3"):
        subject.put(name, data)
        time.sleep(0.05)
    records = subject.client.get_records(ShardIterator=subject.iterator(name))["Records"]
    second = records[1]["ApproximateArrivalTimestamp"]
    assert subject.read(name, "AT_TIMESTAMP", Timestamp=second) == [b"2", b"3"]
    assert subject.read(name, "AT_TIMESTAMP", Timestamp=second - timedelta(days=1)) == [b"1", b"2", b"3"]
    ask, later = subject.client.get_shard_iterator, second + timedelta(days=1)
    rest = {"StreamName": name, "ShardId": FIRST, "ShardIteratorType": "AT_TIMESTAMP"}
    subject.refused("InvalidArgumentException", ask, **rest, Timestamp=later)


def a_position_of_elsewhere_is_an_invalid_argument(subject: Subject) -> None:
    """API, GetShardIterator and GetRecords, Errors: a number of another shard, or none of the type, no iterator."""
    subject.refused("InvalidArgumentException", subject.client.get_records, ShardIterator="AAAA")
    ask, name = subject.client.get_shard_iterator, subject.stream()
    rest = {"StreamName": name, "ShardId": FIRST, "StartingSequenceNumber": "5"}
    subject.refused("InvalidArgumentException", ask, **rest, ShardIteratorType="AT_SEQUENCE_NUMBER")
    subject.refused("InvalidArgumentException", ask, **rest, ShardIteratorType="LATEST")


def an_answer_stops_at_its_limit_and_says_how_far_behind(subject: Subject) -> None:
    """API, GetRecords: Limit; MillisBehindLatest is 0 only when all records are read."""
    name = subject.stream()
    subject.put(name, b"1", b"2", b"3")
    time.sleep(0.05)
    get = subject.client.get_records
    first = get(ShardIterator=subject.iterator(name), Limit=2)
    assert [record["Data"] for record in first["Records"]] == [b"1", b"2"]
    assert first["MillisBehindLatest"] >= 50
    second = get(ShardIterator=first["NextShardIterator"])
    assert [record["Data"] for record in second["Records"]] == [b"3"]
    assert second["MillisBehindLatest"] == 0


def an_answer_holds_at_most_ten_mib(subject: Subject) -> None:
    """API, GetRecords: up to 10 MiB an answer; after that the shard is throttled for up to 5 s."""
    name, data = subject.stream(), b"x" * 1_000_000
    for _ in range(12):
        patiently(subject.client.put_record, StreamName=name, Data=data, PartitionKey="k")
    get = subject.client.get_records
    first = get(ShardIterator=subject.iterator(name))
    assert 8 <= len(first["Records"]) <= 10
    subject.refused("ProvisionedThroughputExceededException", get, ShardIterator=first["NextShardIterator"])
    rest = patiently(get, ShardIterator=first["NextShardIterator"])
    assert len(first["Records"]) + len(rest["Records"]) == 12


def shards_are_listed_in_pages_and_by_filter(subject: Subject) -> None:
    """API, ListShards: MaxResults, NextToken (alone), ExclusiveStartShardId, ShardFilter."""
    name = subject.stream(ShardCount=5)
    ask = subject.client.list_shards

    def ids(answer: dict[str, Any]) -> list[int]:
        return [int(shard["ShardId"][-12:]) for shard in answer["Shards"]]

    first = ask(StreamName=name, MaxResults=2)
    second = ask(NextToken=first["NextToken"], MaxResults=2)
    third = ask(NextToken=second["NextToken"], MaxResults=2)
    assert [ids(first), ids(second), ids(third)] == [[0, 1], [2, 3], [4]]
    assert "NextToken" not in third
    subject.refused("InvalidArgumentException", ask, StreamName=name, NextToken=first["NextToken"])
    assert ids(ask(StreamName=name, ExclusiveStartShardId="shardId-000000000002")) == [3, 4]
    after = {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000003"}
    assert ids(ask(StreamName=name, ShardFilter=after)) == [4]
    for kind in ("AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST"):
        assert ids(ask(StreamName=name, ShardFilter={"Type": kind})) == [0, 1, 2, 3, 4]
    now = {"Type": "AT_TIMESTAMP", "Timestamp": datetime.now().astimezone()}
    assert ids(ask(StreamName=name, ShardFilter=now)) == [0, 1, 2, 3, 4]


def _split(subject: Subject) -> tuple[str, int]:
    """A stream whose only shard has been split in the middle, with a record before and one after."""
    name, half = subject.stream(), _HASH_KEYS // 2
    subject.put(name, b"before")
    patiently(subject.client.split_shard, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(half))
    subject.settle(name)
    return name, half


def a_split_shard_is_closed_and_its_children_take_over(subject: Subject) -> None:
    """API, SplitShard; Guide, "Resharding": the parent is closed, its children have its hash keys and its name."""
    name, half = _split(subject)
    parent, low, high = subject.client.list_shards(StreamName=name)["Shards"]
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert [int(low["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending")] == [0, half - 1]
    assert [int(high["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending")] == [half, _HASH_KEYS - 1]
    assert low["ParentShardId"] == high["ParentShardId"] == FIRST
    assert "AdjacentParentShardId" not in low
    assert subject.summary(name)["OpenShardCount"] == 2
    answer = subject.client.put_record(StreamName=name, Data=b"", PartitionKey="k", ExplicitHashKey=str(half))
    assert answer["ShardId"] == high["ShardId"]
    assert int(answer["SequenceNumber"]) > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])


def a_closed_shard_is_read_to_its_end_and_names_its_children(subject: Subject) -> None:
    """API, GetRecords: NextShardIterator is null when a closed shard is read out, and ChildShards is given."""
    name, _ = _split(subject)
    answer = subject.client.get_records(ShardIterator=subject.iterator(name))
    data = [record["Data"] for record in answer["Records"]]
    if "NextShardIterator" in answer:  # the end may come with the answer after the last record
        answer = patiently(subject.client.get_records, ShardIterator=answer["NextShardIterator"])
    assert data == [b"before"]
    assert "NextShardIterator" not in answer
    children = answer["ChildShards"]
    assert [child["ShardId"][-2:] for child in children] == ["01", "02"]
    assert all(child["ParentShards"] == [FIRST] for child in children)


def merged_shards_have_one_child(subject: Subject) -> None:
    """API, MergeShards: adjacent shards; the child names both."""
    name = subject.stream(ShardCount=3)
    first, second, third = (f"shardId-{number:012d}" for number in range(3))
    merge = subject.client.merge_shards
    subject.refused("InvalidArgumentException", merge, StreamName=name, ShardToMerge=first, AdjacentShardToMerge=third)
    patiently(merge, StreamName=name, ShardToMerge=first, AdjacentShardToMerge=second)
    subject.settle(name)
    child = subject.client.list_shards(StreamName=name)["Shards"][-1]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (first, second)
    assert int(child["HashKeyRange"]["StartingHashKey"]) == 0
    assert subject.summary(name)["OpenShardCount"] == 2


def only_an_open_shard_is_split_inside_its_range(subject: Subject) -> None:
    """API, SplitShard, Errors: InvalidArgumentException, ResourceNotFoundException."""
    name, half = _split(subject)
    split, absent = subject.client.split_shard, "shardId-000000000009"
    subject.refused(
        "InvalidArgumentException", split, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(half)
    )
    child = "shardId-000000000001"
    subject.refused("InvalidArgumentException", split, StreamName=name, ShardToSplit=child, NewStartingHashKey="1")
    time.sleep(1)  # five calls a second
    subject.refused("ResourceNotFoundException", split, StreamName=name, ShardToSplit=absent, NewStartingHashKey="9")


def an_on_demand_stream_is_not_split_by_hand(subject: Subject) -> None:
    """API, SplitShard: only supported for streams in provisioned mode."""
    name = subject.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    subject.refused(
        "ValidationException",
        subject.client.split_shard,
        StreamName=name,
        ShardToSplit=FIRST,
        NewStartingHashKey="99",
    )


def streams_are_listed_in_pages(subject: Subject) -> None:
    """API, ListStreams: Limit, HasMoreStreams, ExclusiveStartStreamName; in order of name."""
    made = sorted(subject.stream() for _ in range(3))
    names: list[str] = []
    more = True
    after: dict[str, str] = {}
    while more:
        answer = patiently(subject.client.list_streams, Limit=2, **after)
        names += answer["StreamNames"]
        more, after = answer["HasMoreStreams"], {"ExclusiveStartStreamName": names[-1] if names else "-"}
    assert names == sorted(set(names))
    assert set(made) <= set(names)


def control_calls_have_rates(subject: Subject) -> None:
    """API, ListStreams: five transactions a second an account; LimitExceededException."""

    def flood() -> None:
        for _ in range(40):
            subject.client.list_streams()

    subject.refused("LimitExceededException", flood)


CASES: Sequence[Callable[[Subject], None]] = (
    *fan_out_cases.CASES,
    *scaling_cases.CASES,
    a_provisioned_stream_has_the_shards_it_asked_for,
    an_on_demand_stream_starts_with_four_shards,
    a_name_is_taken_once,
    a_name_keeps_to_its_alphabet,
    a_stream_is_found_by_its_arn,
    an_unknown_stream_or_shard_is_not_found,
    a_deleted_stream_is_gone,
    records_come_back_in_order_with_what_was_put,
    a_key_goes_to_the_shard_of_its_md5,
    a_hash_key_past_the_range_is_refused,
    a_partition_key_has_1_to_256_characters,
    a_request_holds_at_most_500_records,
    a_record_holds_at_most_one_mib,
    a_request_holds_at_most_ten_mib,
    a_full_shard_refuses_entries_not_the_request,
    a_shard_takes_one_mb_a_second,
    a_shard_answers_five_reads_a_second,
    the_five_iterator_types_start_where_they_say,
    a_timestamp_starts_at_the_first_record_then_or_later,
    a_position_of_elsewhere_is_an_invalid_argument,
    an_answer_stops_at_its_limit_and_says_how_far_behind,
    an_answer_holds_at_most_ten_mib,
    shards_are_listed_in_pages_and_by_filter,
    a_split_shard_is_closed_and_its_children_take_over,
    a_closed_shard_is_read_to_its_end_and_names_its_children,
    merged_shards_have_one_child,
    only_an_open_shard_is_split_inside_its_range,
    an_on_demand_stream_is_not_split_by_hand,
    streams_are_listed_in_pages,
    control_calls_have_rates,
)
