"""The bodies of the requests, with the constraints of the service model (API reference of each call).

Members that this server does not serve (Tags, DryRun, ...) are left out: they are refused, not ignored.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from infra.local.kinesis.errors import KinesisError, constraint, invalid, serialization

NameText = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_.-]+\Z")]
ArnText = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"^arn:aws.*:kinesis:.*:\d{12}:stream/\S+\Z")]
ConsumerArnText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        pattern=r"^arn:aws.*:kinesis:.*:\d{12}:.*stream/[a-zA-Z0-9_.-]+/consumer/[a-zA-Z0-9_.-]+:[0-9]+\Z",
    ),
]
KeyText = Annotated[str, Meta(min_length=1, max_length=256)]
HashText = Annotated[str, Meta(pattern=r"^(0|([1-9][0-9]{0,38}))\Z")]
SequenceText = Annotated[str, Meta(pattern=r"^(0|([1-9][0-9]{0,128}))\Z")]
TokenText = Annotated[str, Meta(min_length=1, max_length=1_048_576)]
Count = Annotated[int, Meta(ge=1)]
UpTo10000 = Annotated[int, Meta(ge=1, le=10_000)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A body. Members keep AWS's names."""


class Named(Request, frozen=True):
    """A request about one stream."""

    StreamName: NameText | None = None
    StreamARN: ArnText | None = None


class ModeDetails(Request, frozen=True):
    StreamMode: Literal["ON_DEMAND", "PROVISIONED"]


class CreateStream(Request, frozen=True):
    StreamName: NameText
    ShardCount: Count | None = None
    StreamModeDetails: ModeDetails | None = None


class DeleteStream(Named, frozen=True):
    EnforceConsumerDeletion: bool | None = None


class DescribeStream(Named, frozen=True):
    Limit: UpTo10000 = 100
    ExclusiveStartShardId: NameText | None = None


class DescribeStreamSummary(Named, frozen=True):
    pass


class Retention(Named, frozen=True, kw_only=True):
    RetentionPeriodHours: int


class ListStreams(Request, frozen=True):
    Limit: UpTo10000 = 100
    ExclusiveStartStreamName: NameText | None = None
    NextToken: TokenText | None = None


class SplitShard(Named, frozen=True, kw_only=True):
    ShardToSplit: NameText
    NewStartingHashKey: HashText


class UpdateShardCount(Named, frozen=True, kw_only=True):
    TargetShardCount: Count
    ScalingType: Literal["UNIFORM_SCALING"]


class UpdateStreamMode(Named, frozen=True, kw_only=True):
    StreamARN: ArnText
    StreamModeDetails: ModeDetails


class UpdateStreamWarmThroughput(Named, frozen=True, kw_only=True):
    WarmThroughputMiBps: Annotated[int, Meta(ge=0)]


class MergeShards(Named, frozen=True, kw_only=True):
    ShardToMerge: NameText
    AdjacentShardToMerge: NameText


class RegisterStreamConsumer(Named, frozen=True, kw_only=True):
    StreamARN: ArnText
    ConsumerName: NameText


class Consumer(Request, frozen=True):
    """A request about one consumer."""

    ConsumerARN: ConsumerArnText | None = None
    StreamARN: ArnText | None = None
    ConsumerName: NameText | None = None


class ListStreamConsumers(Named, frozen=True, kw_only=True):
    StreamARN: ArnText
    NextToken: TokenText | None = None
    MaxResults: UpTo10000 | None = None
    StreamCreationTimestamp: float | None = None  # seconds


class StartingPosition(Request, frozen=True, kw_only=True):
    Type: Literal["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    SequenceNumber: SequenceText | None = None
    Timestamp: float | None = None  # seconds


class SubscribeToShard(Request, frozen=True, kw_only=True):
    ConsumerARN: ConsumerArnText
    ShardId: NameText
    StartingPosition: StartingPosition


class Filter(Request, frozen=True):
    Type: Literal[
        "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"
    ]
    ShardId: NameText | None = None
    Timestamp: float | None = None  # seconds


class ListShards(Named, frozen=True):
    NextToken: TokenText | None = None
    ExclusiveStartShardId: NameText | None = None
    MaxResults: UpTo10000 = 1000
    StreamCreationTimestamp: float | None = None  # seconds
    ShardFilter: Filter | None = None


class Entry(Request, frozen=True):
    """One record to put. `Data` stays the JSON string that came: its base64 goes to the log as it is."""

    Data: Raw
    PartitionKey: KeyText
    ExplicitHashKey: HashText | None = None


class PutRecord(Named, frozen=True, kw_only=True):
    Data: Raw
    PartitionKey: KeyText
    ExplicitHashKey: HashText | None = None
    SequenceNumberForOrdering: SequenceText | None = None  # numbers of a shard increase strictly without it


class PutRecords(Named, frozen=True, kw_only=True):
    Records: Annotated[list[Entry], Meta(min_length=1, max_length=500)]


class GetShardIterator(Named, frozen=True, kw_only=True):
    ShardId: NameText
    ShardIteratorType: Literal["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    StartingSequenceNumber: SequenceText | None = None
    Timestamp: float | None = None  # seconds


class GetRecords(Request, frozen=True):
    ShardIterator: Annotated[str, Meta(min_length=1, max_length=512)]
    Limit: UpTo10000 = 10_000
    StreamARN: ArnText | None = None


def refusal(error: msgspec.DecodeError) -> KinesisError:
    """What AWS calls a body that does not fit its operation."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError) or "`, got `" in text:
        return serialization(text)
    rule, _, path = text.partition(" - at `$")
    if "unknown field" in rule:
        return invalid(f"Not served by this local Kinesis: {rule} in `${path or '`'}")
    return constraint(path.rstrip("`").lstrip(".") or "request", rule)


def decoder(kind: type[Request]) -> "msgspec.json.Decoder[Any]":
    """Decodes a body of this kind; raises msgspec.DecodeError (see `refusal`)."""
    return msgspec.json.Decoder(kind)
