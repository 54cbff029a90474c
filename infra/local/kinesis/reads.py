"""GetShardIterator and GetRecords."""

import msgspec

from infra.local.kinesis import requests as asked
from infra.local.kinesis import tokens
from infra.local.kinesis.errors import invalid, not_found, throttled
from infra.local.kinesis.log import FRAME, SEPARATOR
from infra.local.kinesis.service import Answer, Service, Slice
from infra.local.kinesis.shards import Shard, child
from infra.local.kinesis.streams import Stream

# An answer holds at most 10 MiB (API reference, GetRecords). Counted here as the base64 of 10 MiB with the frames of
# the records inside it: never more, and less by what the frames take.
MOST_ANSWER_BYTES = (10 << 20) * 4 // 3
_encode = msgspec.json.Encoder().encode


def get_shard_iterator(service: Service, request: asked.GetShardIterator) -> bytes:
    """Raises InvalidArgumentException for a position that the shard cannot have, throttles at 5/s a shard."""
    stream = service.find(request)
    shard = named_shard(service, stream, request.ShardId)
    offset = offset_of(service, shard, request.ShardIteratorType, request.StartingSequenceNumber, request.Timestamp)
    now_s = service.clock.monotonic()
    if not shard.limits.iterators.fits(1, now_s):
        raise throttled(service.throttle_message(shard.shard_id, stream))
    shard.limits.iterators.take(1, now_s)
    return b'{"ShardIterator":"%b"}' % _token(service, stream, shard, offset)


def get_records(service: Service, request: asked.GetRecords) -> Answer:
    """Records from the iterator on, oldest first; throttles at 5/s and 2 MiB/s a shard."""
    token = tokens.iterator(request.ShardIterator, service.clock.now_ms())
    stream = service.streams.get(token.stream, service.account_id)
    if stream.info.created_ms != token.created_ms:
        raise invalid("The iterator is of an earlier stream of that name.")
    if request.StreamARN not in (None, service.arn(token.stream)):
        raise invalid(f"The iterator is not of stream {request.StreamARN}.")
    shard = named_shard(service, stream, token.shard_id)
    limits, now_s = shard.limits, service.clock.monotonic()
    if not (limits.reads.fits(1, now_s) and limits.bytes_out.fits(1, now_s)):
        raise throttled(service.throttle_message(shard.shard_id, stream))
    page = shard.log.page(token.offset, request.Limit, MOST_ANSWER_BYTES)
    limits.reads.take(1, now_s)
    limits.bytes_out.take((page.end - page.start - page.records * FRAME) * 3 // 4, now_s)
    head = b'{"MillisBehindLatest":%d,%b"Records":[' % (
        shard.behind_ms(page.end, service.clock.now_ms()),
        _onwards(service, stream, shard, page.end),
    )
    if not page.records:
        return head + b"]}"
    return Slice(head, shard.log, page.start, page.end - len(SEPARATOR), b"]}")


def _onwards(service: Service, stream: Stream, shard: Shard, offset: int) -> bytes:
    """Where to read on: the next iterator, or the children of a closed shard that is read to its end."""
    if shard.info.closed_ms is None or offset < shard.log.size:
        return b'"NextShardIterator":"%b",' % _token(service, stream, shard, offset)
    return b'"ChildShards":%b,' % _encode([child(info) for info in stream.children(shard.shard_id)])


def offset_of(service: Service, shard: Shard, kind: str, number: str | None, timestamp: float | None) -> int:
    """The place in a shard's log that a starting position names. Raises InvalidArgumentException.

    `kind`: one of the five types; `number`: a sequence number; `timestamp`: seconds.
    """
    by_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if by_number != (number is not None):
        raise invalid(f"Iterator type {kind} {'needs a' if by_number else 'takes no'} sequence number.")
    if (kind == "AT_TIMESTAMP") != (timestamp is not None):
        raise invalid(f"Iterator type {kind} {'needs a' if timestamp is None else 'takes no'} Timestamp.")
    if number is not None:
        if not shard.issued(number):
            raise invalid(f"Sequence number {number} is not one of shard {shard.shard_id}.")
        find = shard.log.at_sequence if kind == "AT_SEQUENCE_NUMBER" else shard.log.after_sequence
        return find(number)
    if timestamp is not None:
        if timestamp * 1000 > service.clock.now_ms():
            raise invalid(f"Timestamp {timestamp} is in the future.")
        return shard.log.at_time(round(timestamp * 1000))
    return 0 if kind == "TRIM_HORIZON" else shard.log.size


def named_shard(service: Service, stream: Stream, shard_id: str) -> Shard:
    """Raises ResourceNotFoundException."""
    try:
        return stream.shards[shard_id]
    except KeyError:
        raise not_found(
            f"Shard {shard_id} in stream {stream.info.name} under account {service.account_id} does not exist"
        ) from None


def _token(service: Service, stream: Stream, shard: Shard, offset: int) -> bytes:
    token = tokens.Iterator(stream.info.name, stream.info.created_ms, shard.shard_id, offset, service.clock.now_ms())
    return tokens.write(token).encode("ascii")
