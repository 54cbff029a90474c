"""Consumers with throughput of their own (enhanced fan-out), and what they subscribe to."""

import msgspec

from infra.local.kinesis import requests as asked
from infra.local.kinesis import tokens
from infra.local.kinesis.errors import in_use, invalid, limit_exceeded, not_found
from infra.local.kinesis.reads import named_shard, offset_of
from infra.local.kinesis.service import Service
from infra.local.kinesis.streams import ConsumerInfo, Stream
from infra.local.kinesis.subscription import Subscription

MOST_CONSUMERS = 20  # a stream (API reference, RegisterStreamConsumer)
_MOST_CREATING = 5  # of a stream at the same time (same page)
_CREATING_MS = 300  # ours: AWS takes some seconds to make a consumer ACTIVE
_PAGE = 100
_encode = msgspec.json.Encoder().encode


def register_stream_consumer(service: Service, request: asked.RegisterStreamConsumer) -> bytes:
    """The consumer is CREATING for a moment. Raises ResourceInUseException, LimitExceededException."""
    stream = service.find(request)
    consumers, now_ms = stream.info.consumers, service.clock.now_ms()
    if any(consumer.name == request.ConsumerName for consumer in consumers):
        raise in_use(f"Consumer {request.ConsumerName} is registered with stream {stream.info.name} already.")
    if len(consumers) >= MOST_CONSUMERS:
        raise limit_exceeded(f"Stream {stream.info.name} has {MOST_CONSUMERS} consumers.")
    if sum(_status(service, consumer) == "CREATING" for consumer in consumers) >= _MOST_CREATING:
        raise limit_exceeded(f"{_MOST_CREATING} consumers are CREATING.")
    # The ARN carries seconds, and names a consumer for good: never the same second twice in a stream.
    number = max(now_ms // 1000, stream.info.last_consumer + 1)
    consumer = ConsumerInfo(name=request.ConsumerName, created_ms=now_ms, number=number)
    service.streams.amend(stream, consumers=(*consumers, consumer), last_consumer=number)
    return _encode({"Consumer": _described(service, stream, consumer)})


def deregister_stream_consumer(service: Service, request: asked.Consumer) -> bytes:
    """The consumer is gone when this answers; its subscriptions end with ResourceNotFoundException."""
    stream, consumer = _find(service, request)
    rest = tuple(other for other in stream.info.consumers if other != consumer)
    service.streams.amend(stream, consumers=rest)
    stream.vacate(consumer, not_found(f"Consumer {consumer.name} was deregistered."))
    return b"{}"


def describe_stream_consumer(service: Service, request: asked.Consumer) -> bytes:
    stream, consumer = _find(service, request)
    description = {**_described(service, stream, consumer), "StreamARN": service.arn(stream.info.name)}
    return _encode({"ConsumerDescription": description})


def list_stream_consumers(service: Service, request: asked.ListStreamConsumers) -> bytes:
    """In order of their registration."""
    stream, now_ms = service.find(request), service.clock.now_ms()
    created = request.StreamCreationTimestamp
    if created is not None and round(created * 1000) != stream.info.created_ms:
        raise invalid("No stream of that name was created at StreamCreationTimestamp.")
    after = 0
    if request.NextToken is not None:
        token = tokens.page(request.NextToken, now_ms)
        if (token.stream, token.created_ms, token.filter_kind) != (
            stream.info.name,
            stream.info.created_ms,
            "CONSUMER",
        ):
            raise invalid("NextToken is not of this list.")
        after = int(token.after)
    consumers = [consumer for consumer in stream.info.consumers if consumer.number > after]
    page = consumers[: request.MaxResults or _PAGE]
    answer: dict[str, object] = {"Consumers": [_described(service, stream, consumer) for consumer in page]}
    if len(page) < len(consumers):
        place = (stream.info.name, stream.info.created_ms, str(page[-1].number))
        answer["NextToken"] = tokens.write(tokens.PageToken(*place, "CONSUMER", 0, now_ms))
    return _encode(answer)


def subscribe_to_shard(service: Service, request: asked.SubscribeToShard) -> Subscription:
    """Raises ResourceInUseException (not ACTIVE yet; another has it for 5 s yet), LimitExceededException (1/s)."""
    stream, consumer = _find(service, asked.Consumer(ConsumerARN=request.ConsumerARN))
    shard, now_s = named_shard(service, stream, request.ShardId), service.clock.monotonic()
    if _status(service, consumer) != "ACTIVE":
        raise in_use(f"Consumer {consumer.name} is not ACTIVE yet.")
    start = request.StartingPosition
    offset = offset_of(service, shard, start.Type, start.SequenceNumber, start.Timestamp)
    seat = stream.seat(consumer, shard.shard_id)
    if not seat.calls.fits(1, now_s):
        raise limit_exceeded(f"Rate exceeded for consumer {consumer.name} and shard {shard.shard_id}.")
    seat.calls.take(1, now_s)
    subscription = Subscription(seat, service.clock, shard, offset, lambda: stream.children(shard.shard_id))
    try:
        seat.take(subscription, now_s)
    except Exception:
        subscription.close()
        raise
    return subscription


def _find(service: Service, request: asked.Consumer) -> tuple[Stream, ConsumerInfo]:
    """By ARN, or by the stream's ARN and a name, or by all three. Raises InvalidArgument..., ResourceNotFound..."""
    arn, stream_arn, name = request.ConsumerARN, request.StreamARN, request.ConsumerName
    if arn is None and (stream_arn is None or name is None):
        raise invalid("Either ConsumerARN, or StreamARN and ConsumerName, are required.")
    of_arn = arn.rpartition("/consumer/")[0] if arn else stream_arn
    if arn and (stream_arn not in (None, of_arn) or name not in (None, arn.rpartition("/consumer/")[2].split(":")[0])):
        raise invalid("ConsumerARN differs from StreamARN or ConsumerName.")
    stream = service.find(asked.Named(StreamARN=of_arn))
    for consumer in stream.info.consumers:
        if arn == _arn(service, stream, consumer) or (arn is None and name == consumer.name):
            return stream, consumer
    raise not_found(f"Consumer {arn or name} of stream {stream.info.name} not found.")


def _arn(service: Service, stream: Stream, consumer: ConsumerInfo) -> str:
    return f"{service.arn(stream.info.name)}/consumer/{consumer.name}:{consumer.number}"


def _status(service: Service, consumer: ConsumerInfo) -> str:
    return "ACTIVE" if service.clock.now_ms() - consumer.created_ms >= _CREATING_MS else "CREATING"


def _described(service: Service, stream: Stream, consumer: ConsumerInfo) -> dict[str, object]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": _arn(service, stream, consumer),
        "ConsumerStatus": _status(service, consumer),
        "ConsumerCreationTimestamp": consumer.created_ms / 1000,
    }
