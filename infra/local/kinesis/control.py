"""CreateStream, DeleteStream, DescribeStream, DescribeStreamSummary, ListStreams, ListShards, and their retention."""

from collections.abc import Callable

import msgspec

from infra.local.kinesis import requests as asked
from infra.local.kinesis import tokens
from infra.local.kinesis.errors import in_use, invalid
from infra.local.kinesis.on_demand import FIRST_SHARDS
from infra.local.kinesis.service import Service
from infra.local.kinesis.shards import ShardInfo, described, selected
from infra.local.kinesis.streams import Stream

_MOST_STREAMS = 100  # in one answer (API reference, ListStreams)
_MOST_SHARDS = 1000  # in one answer (API reference, ListShards)
_RETENTION_H = range(24, 8760 + 1)  # API reference, IncreaseStreamRetentionPeriod
_encode = msgspec.json.Encoder().encode


def create_stream(service: Service, request: asked.CreateStream) -> bytes:
    """AWS makes streams in the background; here the stream is ACTIVE when this answers."""
    details = request.StreamModeDetails
    mode = details.StreamMode if details else "PROVISIONED"
    if mode == "ON_DEMAND":
        if request.ShardCount is not None:
            raise invalid("ShardCount must not be given for an on-demand stream.")
        service.streams.create(request.StreamName, "ON_DEMAND", FIRST_SHARDS)
    else:
        if request.ShardCount is None:
            raise invalid("ShardCount is required for a provisioned stream.")
        service.streams.create(request.StreamName, "PROVISIONED", request.ShardCount)
    return b"{}"


def delete_stream(service: Service, request: asked.DeleteStream) -> bytes:
    """The stream is gone when this answers. Raises ResourceInUseException for consumers that are not to go with it."""
    stream = service.find(request)
    if stream.info.consumers and not request.EnforceConsumerDeletion:
        raise in_use(f"Stream {stream.info.name} has consumers: deregister them, or set EnforceConsumerDeletion.")
    service.streams.delete(stream)
    return b"{}"


def increase_retention(service: Service, request: asked.Retention) -> bytes:
    """It is remembered and told; nothing is trimmed."""
    return _retain(service, request, lambda before, wanted: wanted >= before)


def decrease_retention(service: Service, request: asked.Retention) -> bytes:
    return _retain(service, request, lambda before, wanted: wanted <= before)


def _retain(service: Service, request: asked.Retention, allows: Callable[[int, int], bool]) -> bytes:
    stream, wanted = service.find(request), request.RetentionPeriodHours
    before = stream.info.retention_h
    if wanted not in _RETENTION_H:
        raise invalid(f"RetentionPeriodHours must be {_RETENTION_H[0]} to {_RETENTION_H[-1]}.")
    if not allows(before, wanted):
        raise invalid(f"The retention period is {before} hours; the other call of the two goes to {wanted}.")
    service.streams.amend(stream, retention_h=wanted)
    return b"{}"


def describe_stream_summary(service: Service, request: asked.DescribeStreamSummary) -> bytes:
    stream = service.find(request)
    consumers = len(stream.info.consumers)
    summary = {
        **_summary(service, stream),
        **_SETTLED,
        "RetentionPeriodHours": stream.info.retention_h,
        "OpenShardCount": stream.open_shards,
        "ConsumerCount": consumers,
    }
    if stream.info.on_demand and stream.info.on_demand.warm_shards:
        warm = {"TargetMiBps": stream.info.on_demand.warm_shards, "CurrentMiBps": stream.open_shards}
        summary["WarmThroughput"] = warm
    return _encode({"StreamDescriptionSummary": summary})


def describe_stream(service: Service, request: asked.DescribeStream) -> bytes:
    """The older call, which boto3's waiters use."""
    stream = service.find(request)
    shards = selected(_infos(stream), "AFTER_SHARD_ID", since_ms=0, after=request.ExclusiveStartShardId)
    page = shards[: request.Limit]
    description = {
        **_summary(service, stream),
        **_SETTLED,
        "RetentionPeriodHours": stream.info.retention_h,
        "Shards": [described(info) for info in page],
        "HasMoreShards": len(page) < len(shards),
    }
    return _encode({"StreamDescription": description})


def list_streams(service: Service, request: asked.ListStreams) -> bytes:
    after = request.NextToken or request.ExclusiveStartStreamName or ""
    streams = [stream for stream in service.streams if stream.info.name > after]
    page = streams[: min(request.Limit, _MOST_STREAMS)]
    more = len(page) < len(streams)
    answer: dict[str, object] = {
        "StreamNames": [stream.info.name for stream in page],
        "StreamSummaries": [_summary(service, stream) for stream in page],
        "HasMoreStreams": more,
    }
    if more:
        answer["NextToken"] = page[-1].info.name
    return _encode(answer)


def list_shards(service: Service, request: asked.ListShards) -> bytes:
    """Pages keep the filter that the first one was asked with."""
    stream, token = _listing(service, request)
    shards = selected(_infos(stream), token.filter_kind, since_ms=token.since_ms, after=None)
    shards = [info for info in shards if info.shard_id > token.after]
    page = shards[: min(request.MaxResults, _MOST_SHARDS)]
    answer: dict[str, object] = {"Shards": [described(info) for info in page]}
    if len(page) < len(shards):
        answer["NextToken"] = tokens.write(msgspec.structs.replace(token, after=page[-1].shard_id))
    return _encode(answer)


def _listing(service: Service, request: asked.ListShards) -> tuple[Stream, tokens.PageToken]:
    """What to list, and the token of the page to list, with its age set back."""
    now_ms = service.clock.now_ms()
    if request.NextToken is not None:
        if request.StreamName or request.StreamCreationTimestamp is not None or request.ExclusiveStartShardId:
            raise invalid("NextToken excludes StreamName, StreamCreationTimestamp and ExclusiveStartShardId.")
        token = tokens.page(request.NextToken, now_ms)
        stream = service.streams.get(token.stream, service.account_id)
        if stream.info.created_ms != token.created_ms:
            raise invalid("NextToken is of an earlier stream of that name.")
        return stream, msgspec.structs.replace(token, made_ms=now_ms)
    stream = service.find(request)
    created = request.StreamCreationTimestamp
    if created is not None and round(created * 1000) != stream.info.created_ms:
        raise invalid("No stream of that name was created at StreamCreationTimestamp.")
    kind, since_ms, after = _filter(request, stream)
    return stream, tokens.PageToken(stream.info.name, stream.info.created_ms, after, kind, since_ms, now_ms)


def _filter(request: asked.ListShards, stream: Stream) -> tuple[str, int, str]:
    """The filter's type, its time (ms; not before the trim horizon, which is the stream's start), and after whom."""
    horizon_ms, after, given = stream.info.created_ms, request.ExclusiveStartShardId or "", request.ShardFilter
    if given is None:
        return "AFTER_SHARD_ID", horizon_ms, after
    if given.Type == "AFTER_SHARD_ID":
        if given.ShardId is None:
            raise invalid("ShardFilter AFTER_SHARD_ID needs a ShardId.")
        return given.Type, horizon_ms, max(after, given.ShardId)
    if given.Type in ("AT_TIMESTAMP", "FROM_TIMESTAMP"):
        if given.Timestamp is None:
            raise invalid(f"ShardFilter {given.Type} needs a Timestamp.")
        return given.Type, max(horizon_ms, round(given.Timestamp * 1000)), after
    return given.Type, horizon_ms, after


def _infos(stream: Stream) -> list[ShardInfo]:
    return [shard.info for shard in stream.shards.values()]


def _summary(service: Service, stream: Stream) -> dict[str, object]:
    return {
        "StreamName": stream.info.name,
        "StreamARN": service.arn(stream.info.name),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.info.mode},
        "StreamCreationTimestamp": stream.info.created_ms / 1000,
    }


# What cannot be changed here: AWS's defaults.
_SETTLED: dict[str, object] = {
    "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
    "EncryptionType": "NONE",
}
