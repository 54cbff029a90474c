"""What holds when Kinesis scales a stream by itself: cases of the conformance suite (see `testing.py`)."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from infra.local.kinesis.subject import FIRST, Subject, patiently

_HASH_KEYS = 1 << 128
_UNIFORM = {"ScalingType": "UNIFORM_SCALING"}


def a_doubled_shard_count_splits_every_shard(subject: Subject) -> None:
    """API, UpdateShardCount: equal shards; parents are closed, named by their children, and read to their end."""
    name = subject.stream(ShardCount=2)
    stored = subject.put(name, b"before")[0]["ShardId"]
    answer = patiently(subject.client.update_shard_count, StreamName=name, TargetShardCount=4, **_UNIFORM)
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (2, 4)
    subject.settle(name)
    shards = subject.shards(name)
    opened = _open(shards)
    assert len(opened) == subject.summary(name)["OpenShardCount"] == 4
    assert sorted(shard["ParentShardId"] for shard in opened) == [FIRST, FIRST, _shard(1), _shard(1)]
    _are_even(opened)
    place = {"StreamName": name, "ShardId": stored, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = subject.client.get_shard_iterator(**place)["ShardIterator"]
    read = subject.client.get_records(ShardIterator=iterator)
    assert [record["Data"] for record in read["Records"]] == [b"before"]
    if "NextShardIterator" in read:  # the end may come with the answer after the last record
        read = patiently(subject.client.get_records, ShardIterator=read["NextShardIterator"])
    assert len(read["ChildShards"]) == 2


def a_halved_shard_count_merges_neighbours(subject: Subject) -> None:
    """API, UpdateShardCount: merges; each child names both parents."""
    name = subject.stream(ShardCount=4)
    patiently(subject.client.update_shard_count, StreamName=name, TargetShardCount=2, **_UNIFORM)
    subject.settle(name)
    opened = _open(subject.shards(name))
    _are_even(opened)
    parents = [(shard["ParentShardId"], shard["AdjacentParentShardId"]) for shard in opened]
    assert [set(pair) for pair in parents] == [{_shard(0), _shard(1)}, {_shard(2), _shard(3)}]


def any_shard_count_in_between_makes_equal_shards(subject: Subject) -> None:
    """API, UpdateShardCount: any target; short-lived shards may be made on the way."""
    name = subject.stream(ShardCount=3)
    patiently(subject.client.update_shard_count, StreamName=name, TargetShardCount=5, **_UNIFORM)
    subject.settle(name)
    opened = _open(subject.shards(name))
    assert len(opened) == 5
    _are_even(opened)


def a_shard_count_is_at_most_doubled_or_halved(subject: Subject) -> None:
    """API, UpdateShardCount: not more than double, not below half; not for on-demand streams."""
    update = subject.client.update_shard_count
    name = subject.stream(ShardCount=2)
    subject.refused("LimitExceededException", update, StreamName=name, TargetShardCount=5, **_UNIFORM)
    name = subject.stream(ShardCount=3)
    subject.refused("LimitExceededException", update, StreamName=name, TargetShardCount=1, **_UNIFORM)
    name = subject.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    subject.refused("ValidationException", update, StreamName=name, TargetShardCount=8, **_UNIFORM)


def a_stream_keeps_its_shards_when_its_mode_is_switched(subject: Subject) -> None:
    """Guide, "Switching between capacity modes": the shard count stays, either way; at most twice in 24 hours."""
    name = subject.stream(ShardCount=2)
    arn, switch = subject.arn(name), subject.client.update_stream_mode
    for mode in ("ON_DEMAND", "PROVISIONED"):
        patiently(switch, StreamARN=arn, StreamModeDetails={"StreamMode": mode})
        subject.settle(name)
        summary = subject.summary(name)
        assert summary["StreamModeDetails"] == {"StreamMode": mode}
        assert summary["OpenShardCount"] == 2
    again = {"StreamMode": "ON_DEMAND"}
    subject.refused("LimitExceededException", switch, StreamARN=arn, StreamModeDetails=again)


def _open(shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In order of their hash keys."""
    opened = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    return sorted(opened, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def _are_even(shards: list[dict[str, Any]]) -> None:
    ranges = [tuple(int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending")) for shard in shards]
    assert (ranges[0][0], ranges[-1][1]) == (0, _HASH_KEYS - 1)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(ranges))
    sizes = [end - start for start, end in ranges]
    assert max(sizes) - min(sizes) < max(sizes) / 1000


def _shard(number: int) -> str:
    return f"shardId-{number:012d}"


CASES: Sequence[Callable[[Subject], None]] = (
    a_doubled_shard_count_splits_every_shard,
    a_halved_shard_count_merges_neighbours,
    any_shard_count_in_between_makes_equal_shards,
    a_shard_count_is_at_most_doubled_or_halved,
    a_stream_keeps_its_shards_when_its_mode_is_switched,
)
