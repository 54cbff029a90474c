"""What holds for consumers with throughput of their own: cases of the conformance suite (see `testing.py`)."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from infra.local.kinesis.subject import FIRST, Subject, patiently


def a_consumer_is_registered_once_and_becomes_active(subject: Subject) -> None:
    """API, RegisterStreamConsumer: ResourceInUseException for a name twice; CREATING, then ACTIVE."""
    name = subject.stream()
    stream_arn, arn = subject.arn(name), subject.consumer(name, "one")
    register = subject.client.register_stream_consumer
    subject.refused("ResourceInUseException", register, StreamARN=stream_arn, ConsumerName="one")
    ask = subject.client.describe_stream_consumer
    by_arn = ask(ConsumerARN=arn)["ConsumerDescription"]
    assert by_arn["StreamARN"] == stream_arn
    assert ask(StreamARN=stream_arn, ConsumerName="one")["ConsumerDescription"] == by_arn
    assert subject.summary(name)["ConsumerCount"] == 1


def a_deregistered_consumer_is_gone(subject: Subject) -> None:
    """API, DeregisterStreamConsumer; registered again it has another ARN. DeleteStream: not with consumers."""
    name = subject.stream()
    first = subject.consumer(name, "one")
    subject.refused("ResourceInUseException", subject.client.delete_stream, StreamName=name)
    patiently(subject.client.deregister_stream_consumer, ConsumerARN=first)
    second = subject.consumer(name, "one")
    assert second != first
    subject.refused("ResourceNotFoundException", subject.client.describe_stream_consumer, ConsumerARN=first)
    subject.refused("InvalidArgumentException", subject.client.describe_stream_consumer, ConsumerName="one")


def consumers_are_listed_in_pages(subject: Subject) -> None:
    """API, ListStreamConsumers: MaxResults and NextToken."""
    name = subject.stream()
    made = {subject.consumer(name, each) for each in ("one", "two", "three")}
    ask, arn = subject.client.list_stream_consumers, subject.arn(name)
    first = patiently(ask, StreamARN=arn, MaxResults=2)
    rest = patiently(ask, StreamARN=arn, MaxResults=2, NextToken=first["NextToken"])
    assert [len(first["Consumers"]), len(rest["Consumers"])] == [2, 1]
    assert {each["ConsumerARN"] for each in first["Consumers"] + rest["Consumers"]} == made
    assert "NextToken" not in rest


def a_subscription_tells_records_as_they_come_and_where_to_go_on(subject: Subject) -> None:
    """API, SubscribeToShard and SubscribeToShardEvent: resume AFTER the ContinuationSequenceNumber."""
    name = subject.stream()
    arn = subject.consumer(name, "one")
    subject.put(name, b"1", b"2")
    with subject.subscribed(arn, Type="TRIM_HORIZON") as events:
        seen = _records(events, 2)
        stored = subject.put(name, b"3")
        seen += _records(events, 1)
    assert [record["Data"] for record in seen] == [b"1", b"2", b"3"]
    assert seen[-1]["SequenceNumber"] == stored[0]["SequenceNumber"]
    subject.put(name, b"4")
    place = events.continuation
    assert place
    with subject.subscribed(arn, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=place) as events:
        assert [record["Data"] for record in _records(events, 1)] == [b"4"]


def a_quiet_shard_says_that_nothing_is_behind_and_where_to_go_on(subject: Subject) -> None:
    """API, SubscribeToShardEvent: a continuation also when no data is written; MillisBehindLatest 0: caught up."""
    name = subject.stream()
    arn = subject.consumer(name, "one")
    subject.put(name, b"1")
    with subject.subscribed(arn, Type="LATEST") as events:
        event = next(events)
    assert (event["Records"], event["MillisBehindLatest"]) == ([], 0)
    subject.put(name, b"2")
    place = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]}
    with subject.subscribed(arn, **place) as events:
        assert [record["Data"] for record in _records(events, 1)] == [b"2"]


def a_closed_shard_ends_its_subscription_with_its_children(subject: Subject) -> None:
    """API, SubscribeToShardEvent: ChildShards, and no ContinuationSequenceNumber, when the shard is read to its end."""
    name = subject.stream()
    arn = subject.consumer(name, "one")
    subject.put(name, b"1")
    with subject.subscribed(arn, Type="TRIM_HORIZON") as events:
        assert len(_records(events, 1)) == 1
        patiently(subject.client.split_shard, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(1 << 127))
        *_, last = events
    assert last.get("ContinuationSequenceNumber") is None
    assert [child["ShardId"][-2:] for child in last["ChildShards"]] == ["01", "02"]
    assert all(child["ParentShards"] == [FIRST] for child in last["ChildShards"])
    subject.settle(name)


def a_shard_is_subscribed_once_at_a_time(subject: Subject) -> None:
    """API, SubscribeToShard: one call a second; within 5 s of a successful call ResourceInUseException."""
    name = subject.stream()
    arn = subject.consumer(name, "one")
    again = {"ConsumerARN": arn, "ShardId": FIRST, "StartingPosition": {"Type": "LATEST"}}
    with subject.subscribed(arn, Type="LATEST") as events:
        next(events)
        subject.refused("LimitExceededException", subject.client.subscribe_to_shard, **again)
        time.sleep(1.1)  # past the call a second
        subject.refused("ResourceInUseException", subject.client.subscribe_to_shard, **again)


def a_subscription_starts_at_what_there_is(subject: Subject) -> None:
    """API, SubscribeToShard, Errors: ResourceNotFoundException, InvalidArgumentException."""
    name = subject.stream()
    arn = subject.consumer(name, "one")
    ask, latest = subject.client.subscribe_to_shard, {"Type": "LATEST"}
    absent = "shardId-000000000009"
    subject.refused("ResourceNotFoundException", ask, ConsumerARN=arn, ShardId=absent, StartingPosition=latest)
    other = f"{arn[:-1]}{9 - int(arn[-1])}"
    subject.refused("ResourceNotFoundException", ask, ConsumerARN=other, ShardId=FIRST, StartingPosition=latest)
    nowhere = {"Type": "AT_SEQUENCE_NUMBER"}
    subject.refused("InvalidArgumentException", ask, ConsumerARN=arn, ShardId=FIRST, StartingPosition=nowhere)


def _records(events: Any, count: int) -> list[dict[str, Any]]:
    """The next records; events without any are passed over."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += next(events)["Records"]
    assert len(found) == count
    return found


CASES: Sequence[Callable[[Subject], None]] = (
    a_consumer_is_registered_once_and_becomes_active,
    a_deregistered_consumer_is_gone,
    consumers_are_listed_in_pages,
    a_subscription_tells_records_as_they_come_and_where_to_go_on,
    a_quiet_shard_says_that_nothing_is_behind_and_where_to_go_on,
    a_closed_shard_ends_its_subscription_with_its_children,
    a_shard_is_subscribed_once_at_a_time,
    a_subscription_starts_at_what_there_is,
)
