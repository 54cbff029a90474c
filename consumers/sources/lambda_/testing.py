"""Events as Lambda makes them, and the side of the service: what it hands over, and how far it checkpoints."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.clock import Clock

ARRIVED_AT = dt.datetime(2026, 11, 27, 8, 0, 1, tzinfo=dt.UTC)
_SHARD_ID = "shardId-000000000000"
_ARN = "arn:aws:kinesis:eu-west-2:123456789012:stream/"


def delivered(
    sequence: int,
    data: bytes,
    *,
    stream: str = "transactions",
    shard_id: str = _SHARD_ID,
    arrived_at: dt.datetime = ARRIVED_AT,
) -> dict[str, Any]:
    """One of an event's `Records`."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "a",
            "sequenceNumber": str(sequence),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": arrived_at.timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "eu-west-2",
        "eventSourceARN": _ARN + stream,
    }


def event_of(
    contents: Sequence[bytes], *, first: int = 1, stream: str = "transactions", shard_id: str = _SHARD_ID
) -> dict[str, Any]:
    """An event of records numbered from `first`."""
    numbered = enumerate(contents, start=first)
    return {"Records": [delivered(number, data, stream=stream, shard_id=shard_id) for number, data in numbered]}


class FakeContext:
    """A function's context with so many seconds on the clock at first."""

    def __init__(self, clock: Clock, timeout_s: float = 60.0) -> None:
        self._clock = clock
        self._end_s = clock.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end_s - self._clock.monotonic()) * 1000))


class FakeMapping:
    """One shard as the service reads it for a function that reports batch item failures.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html: an empty list is complete
    success; else everything from the lowest failed sequence number comes again; an identifier that the event does not
    have, like an error, brings all of it again.
    """

    def __init__(self, contents: Sequence[bytes], *, batch_size: int = 100, shard_id: str = _SHARD_ID) -> None:
        """Records are numbered from 1."""
        self.checkpoint = 0  # last number that is done
        self.contents = list(contents)
        self._batch_size = batch_size
        self._shard_id = shard_id

    def next_event(self) -> dict[str, Any] | None:
        """None once all is done."""
        rest = self.contents[self.checkpoint : self.checkpoint + self._batch_size]
        return event_of(rest, first=self.checkpoint + 1, shard_id=self._shard_id) if rest else None

    def answered(self, event: dict[str, Any], answer: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
        """Move the checkpoint as the service does."""
        sent = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        if not failed:
            self.checkpoint = int(sent[-1])
        elif set(failed) <= set(sent):
            self.checkpoint = min(map(int, failed)) - 1
