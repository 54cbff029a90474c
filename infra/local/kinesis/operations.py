"""The table of operations: what a body is, what answers it, and how often it may be asked."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from infra.local.kinesis import consumers, control, puts, reads, resharding
from infra.local.kinesis import requests as asked
from infra.local.kinesis.errors import limit_exceeded, serialization, unknown_operation
from infra.local.kinesis.faults import Faults
from infra.local.kinesis.limits import Window
from infra.local.kinesis.service import Answer, Service

TARGET = "Kinesis_20131202."


class Operation(NamedTuple):
    """One call. `rate` is in requests/s of the account, from its page in the API reference; None: by shard, or none."""

    decoder: "msgspec.json.Decoder[Any]"
    run: Callable[[Service, Any], Answer]
    rate: int | None = None


OPERATIONS = {
    "CreateStream": Operation(asked.decoder(asked.CreateStream), control.create_stream, 5),
    "DecreaseStreamRetentionPeriod": Operation(asked.decoder(asked.Retention), control.decrease_retention, 5),
    "DeleteStream": Operation(asked.decoder(asked.DeleteStream), control.delete_stream, 5),
    "DeregisterStreamConsumer": Operation(asked.decoder(asked.Consumer), consumers.deregister_stream_consumer, 5),
    "DescribeStream": Operation(asked.decoder(asked.DescribeStream), control.describe_stream, 10),
    "DescribeStreamConsumer": Operation(asked.decoder(asked.Consumer), consumers.describe_stream_consumer, 20),
    "DescribeStreamSummary": Operation(asked.decoder(asked.DescribeStreamSummary), control.describe_stream_summary, 20),
    "GetRecords": Operation(asked.decoder(asked.GetRecords), reads.get_records),
    "GetShardIterator": Operation(asked.decoder(asked.GetShardIterator), reads.get_shard_iterator),
    "IncreaseStreamRetentionPeriod": Operation(asked.decoder(asked.Retention), control.increase_retention, 5),
    "ListShards": Operation(asked.decoder(asked.ListShards), control.list_shards, 1000),
    "ListStreamConsumers": Operation(asked.decoder(asked.ListStreamConsumers), consumers.list_stream_consumers, 5),
    "ListStreams": Operation(asked.decoder(asked.ListStreams), control.list_streams, 5),
    "MergeShards": Operation(asked.decoder(asked.MergeShards), resharding.merge_shards, 5),
    "PutRecord": Operation(asked.decoder(asked.PutRecord), puts.put_record),
    "PutRecords": Operation(asked.decoder(asked.PutRecords), puts.put_records),
    "RegisterStreamConsumer": Operation(
        asked.decoder(asked.RegisterStreamConsumer), consumers.register_stream_consumer, 5
    ),
    "SplitShard": Operation(asked.decoder(asked.SplitShard), resharding.split_shard, 5),
    "SubscribeToShard": Operation(asked.decoder(asked.SubscribeToShard), consumers.subscribe_to_shard),
    "UpdateShardCount": Operation(asked.decoder(asked.UpdateShardCount), resharding.update_shard_count, 10),
    "UpdateStreamMode": Operation(asked.decoder(asked.UpdateStreamMode), resharding.update_stream_mode, 5),
    "UpdateStreamWarmThroughput": Operation(
        asked.decoder(asked.UpdateStreamWarmThroughput), resharding.update_stream_warm_throughput, 5
    ),
}


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of the clock."""

    advance_s: Annotated[float, Meta(ge=0, le=366 * 86_400)]


_advance = msgspec.json.Decoder(Advance)


class Api:
    """Answers requests, one at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._rates = {name: Window(operation.rate) for name, operation in OPERATIONS.items() if operation.rate}

    @property
    def faults(self) -> Faults:
        return self._service.faults

    def advance(self, body: bytes | bytearray) -> None:
        """`PUT /clock` {"advance_s": seconds}: all that waits for a time looks again. Raises SerializationException."""
        try:
            seconds = _advance.decode(body).advance_s
        except msgspec.MsgspecError as error:
            raise serialization(f"not an advance of the clock: {error}") from error
        self._service.clock.advance(seconds)
        for stream in self._service.streams:
            for shard in stream.shards.values():
                shard.tell()

    def answer(self, target: str, body: bytes | bytearray) -> Answer:
        """The answer to a body under an `X-Amz-Target`. Raises KinesisError."""
        name = target.removeprefix(TARGET)
        operation = OPERATIONS.get(name)
        if operation is None or name == target:
            raise unknown_operation(target)
        try:
            request = operation.decoder.decode(body)
        except msgspec.DecodeError as error:
            raise asked.refusal(error) from error
        if operation.rate and self._service.limits:
            self._count(name)
        return operation.run(self._service, request)

    def _count(self, name: str) -> None:
        window, now_s = self._rates[name], self._service.clock.monotonic()
        if not window.fits(1, now_s):
            raise limit_exceeded(f"Rate exceeded for {name}.")
        window.take(1, now_s)
