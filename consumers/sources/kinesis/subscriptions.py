"""Enhanced fan-out as the readers see it: a registered consumer, and subscriptions that bring answers."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import msgspec
from botocore.eventstream import EventStreamBuffer, ParserError
from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from consumers.delivery import Trimmed
from consumers.sources.kinesis.aggregates import HashRange
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import Answer, ShardGone, decode_answer, in_the_future
from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage

log = logging.getLogger(__name__)


class Continuation(NamedTuple):
    """Where the last event ended: a place of its own, on the way to the next record."""

    after: str


class ContinuationRefused(Outage):
    """The stream no longer takes it: subscribe at the last record."""


class Subscription(Protocol):
    """Answers as they come. Used by one thread, but for `close`."""

    def __iter__(self) -> Iterator[Answer]:
        """Waits for each. Ends where the stream ends it, after five minutes at the latest. Raises Outage, ShardGone."""
        ...

    def close(self) -> None:
        """From any thread: an iteration that waits ends, or raises anything."""
        ...


class Consumer(Protocol):
    """A name under which an application subscribes to the shards of one stream."""

    def register(self) -> None:
        """See that the stream knows the consumer. Raises ConfigError, Outage (not yet active: repeat it)."""
        ...

    def subscribe(self, shard_id: str, start: Checkpoint | Continuation, hash_range: HashRange | None) -> Subscription:
        """Subscribe AT a checkpoint, or after a continuation.

        Raises Outage, ContinuationRefused, Trimmed, ShardGone.
        """
        ...


class KinesisConsumer:
    """A consumer behind a boto3 `kinesis` client of its own, whose answers to SubscribeToShard are kept raw afterwards.

    boto3 makes the call and tells when it fails. Its parser of events costs 16 us a record of 300 bytes, most of
    it in time stamps; here they are decoded as those of GetRecords are, at 2 us.
    """

    def __init__(self, kinesis: Any, stream: str, name: str) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._name = name
        self._arn = ""
        kinesis.meta.events.register(
            "before-parse.kinesis.SubscribeToShard", _tap_body, unique_id="storepulse-raw-events"
        )

    def register(self) -> None:
        try:
            with naming_outages():
                summary = self._kinesis.describe_stream_summary(StreamName=self._stream)["StreamDescriptionSummary"]
                found = self._found_or_made(summary["StreamARN"])
        except self._kinesis.exceptions.ResourceNotFoundException as error:
            raise StreamAbsent(f"Kinesis has no stream {self._stream!r}: create it, or mend [streams]") from error
        except ClientError as error:
            raise ConfigError(
                f"consumer {self._name!r} of {self._stream!r}: {one_line(error)}; mend [reading] consumer"
            ) from error
        self._arn = str(found["ConsumerARN"])
        if found["ConsumerStatus"] != "ACTIVE":
            raise Outage(f"consumer {self._name!r} of {self._stream!r} is {found['ConsumerStatus']}")

    def subscribe(self, shard_id: str, start: Checkpoint | Continuation, hash_range: HashRange | None) -> Subscription:
        try:
            with naming_outages():
                answer = self._kinesis.subscribe_to_shard(
                    ConsumerARN=self._arn, ShardId=shard_id, StartingPosition=_position(start)
                )
        except ClientError as error:
            code = code_of(error)
            if code == "ResourceNotFoundException":
                known = self._arn
                self.register()
                if self._arn != known:  # it ends with the time it was made at
                    raise Outage(f"consumer {self._name!r} of {self._stream!r} was gone, and is made again") from error
                raise ShardGone(f"{self._stream} no longer lists {shard_id}") from error
            if code == "InvalidArgumentException":
                if isinstance(start, Continuation):
                    raise ContinuationRefused(f"continuation refused: {one_line(error)}") from error
                if start.position is not None:
                    raise Trimmed(
                        f"{self._stream}/{shard_id} does not know its record {start.text}: {error}"
                    ) from error
                if start.since is not None:
                    raise in_the_future(start.since, error) from error
            raise
        return _Events(answer["Tapped"], hash_range)

    def _found_or_made(self, stream_arn: str) -> dict[str, Any]:
        named = {"StreamARN": stream_arn, "ConsumerName": self._name}
        try:
            described = self._kinesis.describe_stream_consumer(**named)["ConsumerDescription"]
        except self._kinesis.exceptions.ResourceNotFoundException:
            described = self._kinesis.register_stream_consumer(**named)["Consumer"]
            log.info("registered consumer %s with %s", self._name, self._stream)
        return dict(described)


class _Events:
    """The events of one subscription."""

    def __init__(self, body: "_Tapped", hash_range: HashRange | None) -> None:
        self._body = body
        self._hash_range = hash_range

    def __iter__(self) -> Iterator[Answer]:
        buffer = EventStreamBuffer()
        try:
            for chunk in self._body.all():
                buffer.add_data(chunk)
                for event in buffer:
                    kind = event.headers.get(":event-type") or event.headers.get(":exception-type")
                    if kind == "SubscribeToShardEvent":
                        yield decode_answer(event.payload, self._hash_range)
                    elif kind != "initial-response":
                        raise _refused(str(kind))
        except (HTTPError, OSError) as error:
            raise Outage(f"the subscription broke off: {type(error).__name__}") from error
        except (ParserError, msgspec.MsgspecError) as error:  # their text may quote the event
            raise Outage("an event that is none of Kinesis's") from error
        finally:
            self._body.end()

    def close(self) -> None:
        self._body.close()


class _Tapped:
    """The body of an answer, whose beginning botocore reads to see whether the call went well, and we read again."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._chunks: Iterator[bytes] = raw.stream()
        self._begun: list[bytes] = []

    def stream(self) -> Iterator[bytes]:
        """For botocore."""
        for chunk in self._chunks:
            self._begun.append(chunk)
            yield chunk

    def all(self) -> Iterator[bytes]:
        """From the first byte on."""
        yield from self._begun
        yield from self._chunks

    def end(self) -> None:
        """From the thread that reads: the connection is of no further use."""
        self._raw.close()

    def close(self) -> None:
        """From any thread: a read that waits for the socket ends."""
        with suppress(OSError, RuntimeError, ValueError):  # it is closed, or was given back
            self._raw.shutdown()


def _tap_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """A botocore `before-parse` handler: keeps hold of a good answer's body, and leaves errors to botocore."""
    if response_dict["status_code"] == 200:
        customized_response_dict["Tapped"] = response_dict["body"] = _Tapped(response_dict["body"])


def _position(start: Checkpoint | Continuation) -> dict[str, Any]:
    if isinstance(start, Continuation):
        return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": start.after}
    if start.since is not None:  # LATEST too: what arrived since the lease was made is not skipped
        return {"Type": "AT_TIMESTAMP", "Timestamp": start.since}
    if start.position is None:
        return {"Type": start.rank.name}
    return {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": start.text}


def _refused(kind: str) -> Exception:
    if kind == "ResourceNotFoundException":
        return ShardGone("the shard was deleted under its subscription")
    return Outage(f"the subscription was ended: {kind}")
