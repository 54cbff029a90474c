"""SplitShard and MergeShards: parents are closed and stay readable, children take their hash keys.

AWS does this in the background; here it is done, and the stream ACTIVE, when the call answers.
"""

from infra.local.kinesis import requests as asked
from infra.local.kinesis.errors import constraint, invalid, not_found
from infra.local.kinesis.service import Service
from infra.local.kinesis.shards import Shard
from infra.local.kinesis.streams import Stream


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
    service.streams.reshard(stream, [parent], [(start, key - 1), (key, end)])
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
    service.streams.reshard(stream, parents, [(low, high)])
    return b"{}"


def _provisioned(service: Service, request: asked.Named) -> Stream:
    """API, SplitShard and MergeShards: only for provisioned streams; an on-demand one reshards by itself."""
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
