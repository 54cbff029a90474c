"""SplitShard, MergeShards, UpdateShardCount, UpdateStreamMode, UpdateStreamWarmThroughput.

Parents are closed and stay readable, children take their hash keys. AWS does all this in the background; here it is
done, and the stream ACTIVE, when the call answers.
"""

import msgspec

from infra.local.kinesis import on_demand, scaling
from infra.local.kinesis import requests as asked
from infra.local.kinesis.errors import constraint, invalid, limit_exceeded, not_found
from infra.local.kinesis.scaling import Step
from infra.local.kinesis.service import Service
from infra.local.kinesis.shards import Shard
from infra.local.kinesis.streams import Stream

MOST_TARGET = 10_000  # shards (API reference, UpdateShardCount)
_UPDATES_A_DAY = 10  # of the shard count of a stream (same page)
_SWITCHES_A_DAY = 2  # of the mode of a stream (Developer Guide, "Switching between capacity modes")
_MOST_WARM_MIBPS = 10_240  # API reference, UpdateStreamWarmThroughput
_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode


def split_shard(service: Service, request: asked.SplitShard) -> bytes:
    """Two children: hash keys below `NewStartingHashKey`, and from it on."""
    stream = _provisioned(service, request)
    parent = _open(service, stream, request.ShardToSplit)
    start, end = parent.info.hash_range
    key = int(request.NewStartingHashKey)
    if not start + 1 < key < end:
        raise invalid(
            f"NewStartingHashKey {key} used in SplitShard() on shard {parent.shard_id} in stream {stream.info.name}"
            f" under account {service.account_id} is not both greater than one plus the shard's StartingHashKey"
            f" {start} and less than the shard's EndingHashKey {end}."
        )
    service.streams.reshard(stream, [Step(((start, end),), ((start, key - 1), (key, end)))])
    return b"{}"


def merge_shards(service: Service, request: asked.MergeShards) -> bytes:
    """One child with the hash keys of both."""
    stream = _provisioned(service, request)
    parents = [_open(service, stream, name) for name in (request.ShardToMerge, request.AdjacentShardToMerge)]
    (low, middle), (next_low, high) = sorted(parent.info.hash_range for parent in parents)
    if middle + 1 != next_low:
        raise invalid(
            f"Shards {request.ShardToMerge} and {request.AdjacentShardToMerge} in stream {stream.info.name} under"
            f" account {service.account_id} are not an adjacent pair of shards eligible for merging"
        )
    service.streams.reshard(stream, [Step(tuple(parent.info.hash_range for parent in parents), ((low, high),))])
    return b"{}"


def update_shard_count(service: Service, request: asked.UpdateShardCount) -> bytes:
    """Shards of equal size. Raises LimitExceededException: at most twice, at least half, ten times in 24 hours."""
    stream, target = _provisioned(service, request), request.TargetShardCount
    shards, now_ms = stream.open_shards, service.clock.now_ms()
    counts = f"Current open shard count: {shards}, Target shard count: {target}"
    if target > MOST_TARGET:
        raise limit_exceeded(f"Target shard count cannot be greater than {MOST_TARGET}. {counts}")
    if target > 2 * shards:
        raise limit_exceeded(f"UpdateShardCount cannot scale up over double your current open shard count. {counts}")
    if 2 * target < shards:
        raise limit_exceeded(f"UpdateShardCount cannot scale down below half your current open shard count. {counts}")
    recent = tuple(at for at in stream.info.scaled_ms if now_ms - at < _DAY_MS)
    if service.limits and len(recent) >= _UPDATES_A_DAY:
        raise limit_exceeded(f"The shard count of a stream is updated at most {_UPDATES_A_DAY} times in 24 hours.")
    steps = list(scaling.uniform(stream.open_ranges, target))
    service.streams.reshard(stream, steps, scaled_ms=(*recent, now_ms))
    answer = {
        "StreamName": stream.info.name,
        "StreamARN": service.arn(stream.info.name),
        "CurrentShardCount": shards,
        "TargetShardCount": target,
    }
    return _encode(answer)


def update_stream_mode(service: Service, request: asked.UpdateStreamMode) -> bytes:
    """The shards stay as they are; an on-demand stream goes on from there. Raises LimitExceededException: 2 a day."""
    stream, mode, now_ms = service.find(request), request.StreamModeDetails.StreamMode, service.clock.now_ms()
    if mode == stream.info.mode:
        return b"{}"
    recent = tuple(at for at in stream.info.switched_ms if now_ms - at < _DAY_MS)
    if service.limits and len(recent) >= _SWITCHES_A_DAY:
        raise limit_exceeded(f"The mode of a stream is switched at most {_SWITCHES_A_DAY} times in 24 hours.")
    follows = on_demand.begun(stream.open_shards, now_ms) if mode == "ON_DEMAND" else None
    service.streams.amend(stream, mode=mode, on_demand=follows, switched_ms=(*recent, now_ms))
    return b"{}"


def update_stream_warm_throughput(service: Service, request: asked.UpdateStreamWarmThroughput) -> bytes:
    """An on-demand stream has at least these MiB/s at once: its shards are split in two until they are enough."""
    stream, warm = service.find(request), request.WarmThroughputMiBps
    follows = stream.info.on_demand
    if follows is None:
        raise constraint("streamName", "Member must name a stream in ON_DEMAND mode")
    if warm > _MOST_WARM_MIBPS:
        raise invalid(f"WarmThroughputMiBps {warm} is over {_MOST_WARM_MIBPS}.")
    steps, ranges = [], stream.open_ranges
    while len(ranges) < warm:
        doubling = list(scaling.doubled(ranges))
        ranges = [child for step in doubling for child in step.children]
        steps += doubling
    service.streams.reshard(stream, steps, on_demand=msgspec.structs.replace(follows, warm_shards=warm))
    answer = {
        "StreamName": stream.info.name,
        "StreamARN": service.arn(stream.info.name),
        "WarmThroughput": {"TargetMiBps": warm, "CurrentMiBps": stream.open_shards},
    }
    return _encode(answer)


def _provisioned(service: Service, request: asked.Named) -> Stream:
    """API, SplitShard and the like: only for provisioned streams; an on-demand one reshards by itself."""
    stream = service.find(request)
    if stream.info.mode != "PROVISIONED":
        raise constraint("streamName", "Member must name a stream in PROVISIONED mode")
    return stream


def _open(service: Service, stream: Stream, shard_id: str) -> Shard:
    shard = stream.shards.get(shard_id)
    if shard is None:
        raise not_found(
            f"Could not find shard {shard_id} in stream {stream.info.name} under account {service.account_id}."
        )
    if shard.info.closed_ms is not None:
        raise invalid(f"Shard {shard_id} in stream {stream.info.name} is closed.")
    return shard
