"""A boto3 client under test, with the streams that a conformance case makes."""

import time
import uuid
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

from botocore.exceptions import ClientError

FIRST = "shardId-000000000000"
_ACTIVE_S = 120.0

_MODELLED = (
    "ResourceNotFoundException",
    "ResourceInUseException",
    "InvalidArgumentException",
    "ValidationException",
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
)
_PASSING = ("LimitExceededException", "ProvisionedThroughputExceededException", "ResourceInUseException")


class Subject(AbstractContextManager["Subject"]):
    """A client that does not retry, and the streams that a case makes; they are deleted at its end."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._made: list[str] = []

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            patiently(self.client.delete_stream, StreamName=name, EnforceConsumerDeletion=True)

    def stream(self, **options: Any) -> str:
        """The name of a new, active stream, of one shard unless `options` say otherwise."""
        name = f"case-{uuid.uuid4().hex[:12]}"
        patiently(self.client.create_stream, StreamName=name, **(options or {"ShardCount": 1}))
        self._made.append(name)
        self.settle(name)
        return name

    def shards(self, name: str) -> list[dict[str, Any]]:
        """All that are listed, closed ones too."""
        listed: list[dict[str, Any]] = patiently(self.client.list_shards, StreamName=name)["Shards"]
        return listed

    def arn(self, name: str) -> str:
        return str(self.summary(name)["StreamARN"])

    def consumer(self, name: str, consumer: str) -> str:
        """The ARN of a new, active consumer of a stream."""
        register = self.client.register_stream_consumer
        made = patiently(register, StreamARN=self.arn(name), ConsumerName=consumer)["Consumer"]
        assert made["ConsumerStatus"] == "CREATING"
        deadline = time.monotonic() + _ACTIVE_S
        while made["ConsumerStatus"] != "ACTIVE":
            assert time.monotonic() < deadline, f"{consumer} did not become active"
            time.sleep(0.1)
            made = patiently(self.client.describe_stream_consumer, ConsumerARN=made["ConsumerARN"])
            made = made["ConsumerDescription"]
        return str(made["ConsumerARN"])

    def subscribed(self, arn: str, **position: Any) -> "Events":
        """A subscription of a consumer to the first shard, as soon as an earlier one lets go of it."""
        ask = self.client.subscribe_to_shard
        return Events(patiently(ask, ConsumerARN=arn, ShardId=FIRST, StartingPosition=position)["EventStream"])

    def settle(self, name: str) -> None:
        """Wait until the stream is active: it is not for a while after it is made, split or merged."""
        deadline = time.monotonic() + _ACTIVE_S
        while self.summary(name)["StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline, f"{name} did not become active"
            time.sleep(1)

    def summary(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = patiently(self.client.describe_stream_summary, StreamName=name)
        return found["StreamDescriptionSummary"]  # type: ignore[no-any-return]

    def put(self, name: str, *data: bytes, key: str = "k") -> list[dict[str, Any]]:
        """Put records one by one; the answers."""
        return [self.client.put_record(StreamName=name, Data=each, PartitionKey=key) for each in data]

    def iterator(self, name: str, kind: str = "TRIM_HORIZON", **position: Any) -> str:
        made = self.client.get_shard_iterator(StreamName=name, ShardId=FIRST, ShardIteratorType=kind, **position)
        return str(made["ShardIterator"])

    def read(self, name: str, kind: str = "TRIM_HORIZON", **position: Any) -> list[bytes]:
        """The data that the first answer from a position holds."""
        answer = self.client.get_records(ShardIterator=self.iterator(name, kind, **position))
        return [record["Data"] for record in answer["Records"]]

    def refused(self, error: str, call: Callable[..., Any], **arguments: Any) -> str:
        """Make a call that must fail with `error`, and as boto3's class of that name if it has one; the message."""
        passing = () if error == "LimitExceededException" else ("LimitExceededException",)  # of the calls before it
        try:
            patiently(call, passing=passing, **arguments)
        except ClientError as refusal:
            assert refusal.response["Error"]["Code"] == error, refusal
            known = getattr(self.client.exceptions, error, ClientError) if error in _MODELLED else ClientError
            assert isinstance(refusal, known)
            return str(refusal.response["Error"]["Message"])
        raise AssertionError(f"not refused with {error}")


class Events(AbstractContextManager["Events"]):
    """The events of a subscription, one by one. `continuation`: where to go on after the last one."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._events = stream, iter(stream)
        self.continuation: str | None = None

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __iter__(self) -> "Events":
        return self

    def __next__(self) -> dict[str, Any]:
        event: dict[str, Any] = next(self._events)["SubscribeToShardEvent"]
        self.continuation = event.get("ContinuationSequenceNumber")
        return event


def patiently(call: Callable[..., Any], *, passing: Collection[str] = _PASSING, **arguments: Any) -> Any:
    """Make a call again and again while it is refused with an error that passes: by default while it is throttled, or
    what it is about is in use."""
    for _ in range(60):
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in passing:
                raise
            time.sleep(0.25)
    raise AssertionError("throttled for good")
