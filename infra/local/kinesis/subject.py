"""A boto3 client under test, with the streams that a conformance case makes."""

import time
import uuid
from collections.abc import Callable
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


class Subject(AbstractContextManager["Subject"]):
    """A client that does not retry, and the streams that a case makes; they are deleted at its end."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._made: list[str] = []

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            patiently(self.client.delete_stream, StreamName=name)

    def stream(self, **options: Any) -> str:
        """The name of a new, active stream, of one shard unless `options` say otherwise."""
        name = f"case-{uuid.uuid4().hex[:12]}"
        patiently(self.client.create_stream, StreamName=name, **(options or {"ShardCount": 1}))
        self._made.append(name)
        self.settle(name)
        return name

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
        try:
            call(**arguments)
        except ClientError as refusal:
            assert refusal.response["Error"]["Code"] == error, refusal
            known = getattr(self.client.exceptions, error, ClientError) if error in _MODELLED else ClientError
            assert isinstance(refusal, known)
            return str(refusal.response["Error"]["Message"])
        raise AssertionError(f"not refused with {error}")


def patiently(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a call again and again while it is throttled."""
    for _ in range(60):
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in (
                "LimitExceededException",
                "ProvisionedThroughputExceededException",
            ):
                raise
            time.sleep(0.25)
    raise AssertionError("throttled for good")
