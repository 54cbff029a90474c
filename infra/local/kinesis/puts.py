"""PutRecord and PutRecords."""

from collections.abc import Sequence
from hashlib import md5

import msgspec
from msgspec import Raw

from infra.local.kinesis import requests as asked
from infra.local.kinesis.errors import constraint, internal, invalid, throttled
from infra.local.kinesis.log import SEPARATOR
from infra.local.kinesis.payload import sized
from infra.local.kinesis.scaling import HASH_KEYS
from infra.local.kinesis.service import Service
from infra.local.kinesis.shards import Shard
from infra.local.kinesis.streams import Stream

MOST_RECORD_BYTES = 1 << 20  # data and key of one record, a stream's default (API reference, PutRecord)
MOST_REQUEST_BYTES = 10 << 20  # data and keys of one request (API reference, PutRecords)
_encoder = msgspec.json.Encoder()


class Line(msgspec.Struct, gc=False):
    """A record as the log holds it and GetRecords answers it; the order of the members is the log's."""

    SequenceNumber: str
    ApproximateArrivalTimestamp: Raw
    PartitionKey: str
    Data: Raw


class Stored(msgspec.Struct, gc=False):
    """The answer for a record that is in the log."""

    SequenceNumber: str
    ShardId: str


class Failed(msgspec.Struct, gc=False):
    """The answer for a record that is not; the others of the request may be."""

    ErrorCode: str
    ErrorMessage: str


class Batch:
    """What one request adds to one shard."""

    __slots__ = ("arrival", "lines", "shard")

    def __init__(self, shard: Shard, now_ms: int) -> None:
        self.shard = shard
        self.arrival = Raw(shard.arrival(now_ms))
        self.lines: list[Line] = []


def put_records(service: Service, request: asked.PutRecords) -> bytes:
    """Each record is stored or refused by itself, in the order of the request. A malformed one refuses them all.

    Raises InternalFailure if the disk does not take them: then none of them is stored.
    """
    stream = service.find(request)
    payloads = [sized(entry.Data) for entry in request.Records]
    sizes = _sizes(request.Records, payloads)
    if sum(sizes) > MOST_REQUEST_BYTES:
        raise invalid(f"Records size exceeds {MOST_REQUEST_BYTES >> 20} MiB: data and partition keys are counted.")
    shards = [stream.route(_hash_key(entry)) for entry in request.Records]
    answers, failed = _store(service, stream, request.Records, payloads, sizes, shards)
    return b'{"FailedRecordCount":%d,"Records":%b}' % (failed, _encoder.encode(answers))


def put_record(service: Service, request: asked.PutRecord) -> bytes:
    """Raises ProvisionedThroughputExceededException, InternalFailure (disk full): the record is not stored."""
    stream = service.find(request)
    payload = sized(request.Data)
    size = _size(request, payload[1])
    shard = stream.route(_hash_key(request))
    answers, failed = _store(service, stream, [request], [payload], [size], [shard])
    if failed:
        raise throttled(service.throttle_message(shard.shard_id, stream))
    return _encoder.encode(answers[0])


def _store(
    service: Service,
    stream: Stream,
    records: Sequence[asked.Entry | asked.PutRecord],
    payloads: list[tuple[Raw, int]],
    sizes: list[int],
    shards: list[Shard],
) -> tuple[list[Stored | Failed], int]:
    """Number and append the records that their shards have room for. The four lists run side by side."""
    now_ms, now_s, limited = service.clock.now_ms(), service.clock.monotonic(), service.limits
    batches: dict[str, Batch] = {}
    answers: list[Stored | Failed] = []
    failed = 0
    for record, payload, size, shard in zip(records, payloads, sizes, shards, strict=True):
        if service.faults.refuses_entry() or (limited and not shard.limits.admit(size, now_s)):
            message = service.throttle_message(shard.shard_id, stream)
            answers.append(Failed("ProvisionedThroughputExceededException", message))
            failed += 1
            continue
        batch = batches.get(shard.shard_id)
        if batch is None:
            batch = batches[shard.shard_id] = Batch(shard, now_ms)
        number = shard.next_sequence()
        batch.lines.append(Line(number, batch.arrival, record.PartitionKey, payload[0]))
        answers.append(Stored(number, shard.shard_id))
    _append(list(batches.values()))
    if stream.info.on_demand:
        stored = [size for answer, size in zip(answers, sizes, strict=True) if isinstance(answer, Stored)]
        stream.meter.count(len(stored), sum(stored))
    return answers, failed


def _append(batches: list[Batch]) -> None:
    """Into every shard's log, or into none. Nobody reads in between: the server has one thread."""
    done: list[tuple[Batch, int]] = []
    for batch in batches:
        log = batch.shard.log
        size = log.size
        try:
            log.append(_encoder.encode_lines(batch.lines).replace(b"\n", SEPARATOR))
        except OSError as error:
            for earlier, end in done:
                earlier.shard.log.cut(end)
            raise internal(f"cannot store the records: {error.strerror}") from error
        done.append((batch, size))
    for batch in batches:
        batch.shard.tell()


def _sizes(records: list[asked.Entry], payloads: list[tuple[Raw, int]]) -> list[int]:
    return [_size(record, payload[1]) for record, payload in zip(records, payloads, strict=True)]


def _size(record: asked.Entry | asked.PutRecord, data_bytes: int) -> int:
    key = record.PartitionKey
    size = data_bytes + (len(key) if key.isascii() else len(key.encode()))
    if size > MOST_RECORD_BYTES:
        raise constraint("data", f"Member must have length less than or equal to {MOST_RECORD_BYTES}, key included")
    return size


def _hash_key(record: asked.Entry | asked.PutRecord) -> int:
    if record.ExplicitHashKey is None:
        return int.from_bytes(md5(record.PartitionKey.encode(), usedforsecurity=False).digest(), "big")
    key = int(record.ExplicitHashKey)
    if key >= HASH_KEYS:
        raise invalid(f"Invalid ExplicitHashKey. It must be in the range [0, 2^128-1]; specified was {key}.")
    return key
