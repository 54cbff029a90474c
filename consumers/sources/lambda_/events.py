"""The event that Lambda's Kinesis event source hands to a function, as a batch.

The shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html. All records of one event are of one shard, in
the stream's order; with a parallelization factor they are those of some partition keys only. An aggregate comes whole.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from consumers.delivery import Batch, Record, Shard
from consumers.sources.kinesis.aggregates import Opener
from consumers.stages.shape import fault_of

_LATEST = 253_370_764_800  # 9999-01-01, the last year that every time zone can express

_Sequence = Annotated[str, Meta(pattern=r"^[0-9]{1,129}$")]  # as long as Kinesis's API reference has it
# A reader with fan-out is named behind the stream.
_STREAM = re.compile(r"arn:[a-z-]+:kinesis:[a-z0-9-]*:\d{12}:stream/([\w.-]{1,128})(?:/consumer/.+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What an event brings."""

    batch: Batch  # of user records
    identifiers: Mapping[int, str]  # sequence numbers as the event writes them, which is how an answer names a record


class BadEvent(Exception):
    """Not what a Kinesis stream sends: the function is wired to something else. Nothing was taken.

    The text never quotes the event.
    """


class _Kinesis(msgspec.Struct, frozen=True, rename="camel"):
    sequence_number: _Sequence
    data: bytes
    approximate_arrival_timestamp: Annotated[float, Meta(ge=0, lt=_LATEST)]  # seconds since 1970


class _Delivered(msgspec.Struct, frozen=True, rename="camel"):
    kinesis: _Kinesis
    event_source: Literal["aws:kinesis"]
    event_id: str = msgspec.field(name="eventID")  # shard id:sequence number
    event_source_arn: str = msgspec.field(name="eventSourceARN")


class _Event(msgspec.Struct, frozen=True):
    records: list[_Delivered] = msgspec.field(name="Records")


def delivery_of(event: object) -> Delivery | None:
    """What an event brings, which is as JSON decodes it; None for one without user records. Raises BadEvent."""
    try:
        delivered = msgspec.convert(event, _Event).records
    except msgspec.ValidationError as error:
        raise BadEvent(f"no event of a Kinesis stream: {fault_of(error).at[0]}") from None
    if not delivered:
        return None
    (shard, *others) = {_shard_of(each) for each in delivered}
    if others:
        raise BadEvent("no event of a Kinesis stream: its records are of more than one shard")
    sequences = [int(each.kinesis.sequence_number) for each in delivered]
    if any(later <= sooner for sooner, later in pairwise(sequences)):
        raise BadEvent("no event of a Kinesis stream: its records are not in the stream's order")
    pairs = list(zip(sequences, delivered, strict=True))
    records = [record for sequence, each in pairs for record in _opened(sequence, each.kinesis)]
    if not records:
        return None
    identifiers = {sequence: each.kinesis.sequence_number for sequence, each in pairs}
    return Delivery(batch=Batch(shard=shard, records=records), identifiers=identifiers)


def _opened(sequence: int, kinesis: _Kinesis) -> list[Record]:
    arrived_at = datetime.fromtimestamp(kinesis.approximate_arrival_timestamp, UTC)
    return list(Opener(None).records(sequence, arrived_at, kinesis.data))


def _shard_of(delivered: _Delivered) -> Shard:
    stream = _STREAM.fullmatch(delivered.event_source_arn)
    if stream is None:
        raise BadEvent("no event of a Kinesis stream: eventSourceARN names none")
    shard_id, _, sequence = delivered.event_id.rpartition(":")
    if not shard_id or sequence != delivered.kinesis.sequence_number:
        raise BadEvent("no event of a Kinesis stream: eventID is not the shard's id and the sequence number")
    return Shard(stream=stream[1], shard_id=shard_id)
