"""Enhanced fan-out behind boto3: what is asked, events from their bytes, and errors by their names."""

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from botocore.awsrequest import AWSResponse

from consumers.delivery import Position, Trimmed
from consumers.sources.kinesis.checkpoints import LATEST, TRIM_HORIZON, Checkpoint, Rank
from consumers.sources.kinesis.stream import ShardGone
from consumers.sources.kinesis.subscriptions import Continuation, ContinuationRefused, KinesisConsumer
from consumers.sources.kinesis.testing import ARRIVED_AT
from runtime.aws import client
from runtime.errors import ConfigError, StreamAbsent
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.unit

STREAM_ARN = "arn:aws:kinesis:eu-west-2:123456789012:stream/orders"
CONSUMER_ARN = f"{STREAM_ARN}/consumer/live:1"


def message(kind: str, payload: bytes, of: str = "event") -> bytes:
    """One message of `application/vnd.amazon.eventstream`: lengths, their CRC, headers, payload, the CRC of all."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in ((f":{of}-type", kind), (":content-type", "application/json"), (":message-type", of))
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return head + struct.pack("!I", binascii.crc32(head))


def event(
    *payloads: bytes, first: int = 1, after: str | None = "", children: list[dict[str, Any]] | None = None
) -> bytes:
    records = [
        {
            "SequenceNumber": str(first + index),
            "ApproximateArrivalTimestamp": 1795766400.123,
            "Data": base64.b64encode(payload).decode(),
            "PartitionKey": "k",
        }
        for index, payload in enumerate(payloads)
    ]
    body = {"Records": records, "MillisBehindLatest": 1500, "ContinuationSequenceNumber": after or None}
    return message("SubscribeToShardEvent", json.dumps({**body, "ChildShards": children or []}).encode())


class Body:
    """What is left of an answer's connection; a chunk may be an error."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self._chunks = chunks
        self.is_closed = False

    def stream(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        self.is_closed = True

    def shutdown(self) -> None:
        self.is_closed = True


class Service:
    """Answers a real boto3 client in the place of the network."""

    def __init__(self) -> None:
        self.kinesis = client("kinesis", Aws(access_key_id="a", secret_access_key="b"), attempts=1)
        self.kinesis.meta.events.register("before-send.kinesis.*", self._answer)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[tuple[int, Body]]] = {}
        self.says("DescribeStreamSummary", {"StreamDescriptionSummary": {"StreamARN": STREAM_ARN}})
        self.consumer = KinesisConsumer(self.kinesis, "orders", "live")

    def says(self, operation: str, answer: dict[str, Any], status: int = 200) -> None:
        self.answers.setdefault(operation, []).append((status, Body(json.dumps(answer).encode())))

    def refuses(self, operation: str, code: str) -> None:
        self.says(operation, {"__type": code, "message": "no"}, 400)

    def knows(self, status: str = "ACTIVE", arn: str = CONSUMER_ARN) -> None:
        self.says("DescribeStreamConsumer", {"ConsumerDescription": {"ConsumerARN": arn, "ConsumerStatus": status}})

    def streams(self, *chunks: bytes | Exception) -> Body:
        body = Body(message("initial-response", b"{}"), *chunks)
        self.answers.setdefault("SubscribeToShard", []).append((200, body))
        return body

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        self.asked.append((operation, json.loads(request.body)))
        queued = self.answers[operation]
        status, body = queued.pop(0) if len(queued) > 1 else queued[0]
        return AWSResponse(request.url, status, {}, body)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def ready(service: Service) -> Service:
    service.knows()
    service.consumer.register()
    return service


def read(service: Service, start: Checkpoint | Continuation = TRIM_HORIZON) -> list[Any]:
    return list(service.consumer.subscribe("shardId-0", start, None))


def test_a_consumer_that_the_stream_knows_is_not_registered_again(ready: Service) -> None:
    assert [operation for operation, _ in ready.asked] == ["DescribeStreamSummary", "DescribeStreamConsumer"]


def test_a_consumer_is_registered_and_waited_for(service: Service) -> None:
    service.refuses("DescribeStreamConsumer", "ResourceNotFoundException")
    service.says("RegisterStreamConsumer", {"Consumer": {"ConsumerARN": CONSUMER_ARN, "ConsumerStatus": "CREATING"}})
    service.knows("CREATING")
    service.knows()
    for _ in range(2):
        with pytest.raises(Outage, match="consumer 'live' of 'orders' is CREATING"):
            service.consumer.register()
    service.consumer.register()
    assert [operation for operation, _ in service.asked].count("RegisterStreamConsumer") == 1


def test_a_stream_that_is_not_there_is_named(service: Service) -> None:
    service.answers.clear()
    service.refuses("DescribeStreamSummary", "ResourceNotFoundException")
    with pytest.raises(StreamAbsent, match="no stream 'orders'"):
        service.consumer.register()


def test_a_name_that_kinesis_refuses_is_the_operators(service: Service) -> None:
    service.refuses("DescribeStreamConsumer", "InvalidArgumentException")
    with pytest.raises(ConfigError, match=r"consumer 'live' .*\[reading\] consumer"):
        service.consumer.register()


@pytest.mark.parametrize(
    ("start", "position"),
    [
        (TRIM_HORIZON, {"Type": "TRIM_HORIZON"}),
        (LATEST, {"Type": "LATEST"}),
        (Checkpoint.at(Position(12, 3)), {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "12"}),
        (Continuation("13"), {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "13"}),
    ],
)
def test_a_subscription_begins_at_a_checkpoint_or_after_a_continuation(
    ready: Service, start: Checkpoint | Continuation, position: dict[str, str]
) -> None:
    ready.streams()
    assert read(ready, start) == []
    assert ready.asked[-1] == (
        "SubscribeToShard",
        {"ConsumerARN": CONSUMER_ARN, "ShardId": "shardId-0", "StartingPosition": position},
    )


def test_events_are_answers_wherever_the_network_cuts_them(ready: Service) -> None:
    child = {
        "ShardId": "shardId-1",
        "ParentShards": ["shardId-0"],
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "7"},
    }
    wire = event(b"1", b"2", after="2") + event(after="9") + event(b"3", first=10, after=None, children=[child])
    ready.streams(*[wire[index : index + 7] for index in range(0, len(wire), 7)])
    answers = read(ready)
    assert [[record.data for record in answer.records] for answer in answers] == [[b"1", b"2"], [], [b"3"]]
    assert [answer.next_iterator for answer in answers] == ["2", "9", None]
    assert {answer.millis_behind for answer in answers} == {1500}
    assert answers[0].records[1].position == Position(2)
    assert answers[0].records[1].arrived_at.isoformat() == "2026-11-27T08:00:00.123000+00:00"
    assert [shard.shard_id for shard in answers[2].children] == ["shardId-1"]


def test_events_that_came_with_the_initial_response_are_not_lost(ready: Service) -> None:
    ready.answers["SubscribeToShard"] = [(200, Body(message("initial-response", b"{}") + event(b"1") + event(b"2")))]
    assert [answer.records[0].data for answer in read(ready)] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("chunk", "error", "text"),
    [
        (urllib3.exceptions.ProtocolError("reset"), Outage, "ProtocolError"),
        (urllib3.exceptions.ReadTimeoutError(None, None, "slow"), Outage, "ReadTimeoutError"),  # type: ignore[arg-type]
        (ConnectionResetError("reset"), Outage, "ConnectionResetError"),
        (message("InternalFailureException", b"{}", of="exception"), Outage, "InternalFailureException"),
        (message("ResourceInUseException", b"{}", of="exception"), Outage, "ResourceInUseException"),
        (message("ResourceNotFoundException", b"{}", of="exception"), ShardGone, "deleted"),
        (message("SubscribeToShardEvent", b"C-1 bought"), Outage, "none of Kinesis's"),
        (event(b"2")[:-1] + b"?", Outage, "none of Kinesis's"),
    ],
)
def test_what_breaks_a_subscription_off_comes_after_what_it_brought_and_is_not_quoted(
    ready: Service, chunk: bytes | Exception, error: type[Exception], text: str
) -> None:
    body = ready.streams(event(b"1"), chunk)
    events = iter(ready.consumer.subscribe("shardId-0", TRIM_HORIZON, None))
    assert next(events).records[0].data == b"1"
    with pytest.raises(error, match=text) as raised:
        next(events)
    assert "C-1" not in str(raised.value)
    assert body.is_closed


def test_an_event_cut_in_the_middle_is_not_an_event(ready: Service) -> None:
    ready.streams(event(b"1"), event(b"2")[:-5])
    assert [answer.records[0].data for answer in read(ready)] == [b"1"]


def test_a_shard_that_is_no_longer_listed_is_gone(ready: Service) -> None:
    ready.refuses("SubscribeToShard", "ResourceNotFoundException")
    with pytest.raises(ShardGone):
        read(ready)


def test_a_consumer_that_was_deregistered_is_registered_again(ready: Service) -> None:
    ready.refuses("SubscribeToShard", "ResourceNotFoundException")
    ready.answers["DescribeStreamConsumer"] = []
    ready.knows(arn=f"{STREAM_ARN}/consumer/live:2")
    with pytest.raises(Outage, match="was gone, and is made again"):
        read(ready)
    ready.answers["SubscribeToShard"] = []
    ready.streams(event(b"1"))
    assert len(read(ready)) == 1
    assert ready.asked[-1][1]["ConsumerARN"] == f"{STREAM_ARN}/consumer/live:2"


@pytest.mark.parametrize("code", ["LimitExceededException", "ResourceInUseException"])
def test_another_subscription_of_the_same_shard_is_waited_for(ready: Service, code: str) -> None:
    ready.refuses("SubscribeToShard", code)
    with pytest.raises(Outage, match=code):
        read(ready)


def test_a_record_that_the_shard_never_had_is_a_gap(ready: Service) -> None:
    ready.refuses("SubscribeToShard", "InvalidArgumentException")
    with pytest.raises(Trimmed, match="does not know its record 5"):
        read(ready, Checkpoint.at(Position(5)))


def test_a_continuation_that_kinesis_refuses_is_named(ready: Service) -> None:
    ready.refuses("SubscribeToShard", "InvalidArgumentException")
    with pytest.raises(ContinuationRefused, match="continuation refused"):
        read(ready, Continuation("13"))


def test_a_time_that_kinesis_has_not_reached_yet_is_waited_for(ready: Service) -> None:
    ready.refuses("SubscribeToShard", "InvalidArgumentException")
    with pytest.raises(Outage, match=r"from 2026-11-27T08:00:00\+00:00, this machine's clock may be ahead"):
        read(ready, Checkpoint.entered(Rank.LATEST, ARRIVED_AT))
