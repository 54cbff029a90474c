"""What Kinesis says, and what the agent makes of it."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from producers.agent.kinesis import KinesisStream
from producers.agent.pack import Packed
from runtime.errors import ConfigError
from runtime.outage import Outage

pytestmark = pytest.mark.unit

BATCH = [Packed("file", 0, 1, 7, "k1", b"one"), Packed("file", 1, 2, 8, "k2", b"two")]
FINE = {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"}] * 2}


class Client:
    """Answers with what it was given, in order; exceptions are raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def put_records(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    describe_stream_summary = put_records


def error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutRecords")


def test_a_batch_is_one_request() -> None:
    client = Client(FINE)
    assert KinesisStream(client, "orders").put(BATCH, threading.Event()) == [None, None]
    records = [{"Data": b"one", "PartitionKey": "k1"}, {"Data": b"two", "PartitionKey": "k2"}]
    assert client.calls == [{"StreamName": "orders", "Records": records}]


def test_each_entry_has_its_own_verdict() -> None:
    answer = {"FailedRecordCount": 1, "Records": [{"ErrorCode": "InternalFailure"}, {"SequenceNumber": "1"}]}
    assert KinesisStream(Client(answer), "orders").put(BATCH, threading.Event()) == ["InternalFailure", None]


@pytest.mark.parametrize(
    "trouble",
    [
        error("ProvisionedThroughputExceededException"),
        error("ExpiredTokenException"),
        error("InternalFailure", 500),
        error("", 503),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        {"FailedRecordCount": 0, "Records": []},
    ],
)
def test_what_passes_is_waited_for(trouble: Any) -> None:
    with pytest.raises(Outage):
        KinesisStream(Client(trouble), "orders").put(BATCH, threading.Event())


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (error("ResourceNotFoundException"), "stream 'orders' does not exist"),
        (error("AccessDeniedException"), "AWS refuses: .*AccessDenied.* the role"),
        (NoCredentialsError(), "Unable to locate credentials"),
        (error("ValidationException"), r"stream 'orders': .*ValidationException.* \[streams\]"),
    ],
)
def test_what_asks_for_other_settings_is_one_line(trouble: Exception, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KinesisStream(Client(trouble), "orders").check()


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (error("ResourceNotFoundException"), "stream 'orders' does not exist"),
        (error("AccessDeniedException"), "AWS refuses"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_what_worked_once_is_an_outage_when_it_fails(trouble: Exception, message: str) -> None:
    stream = KinesisStream(Client(FINE, trouble), "orders")
    stream.put(BATCH, threading.Event())
    with pytest.raises(Outage, match=message):
        stream.put(BATCH, threading.Event())


def test_a_stream_in_creation_is_waited_for() -> None:
    states = [{"StreamDescriptionSummary": {"StreamStatus": status}} for status in ("CREATING", "ACTIVE")]
    stream = KinesisStream(Client(*states), "orders")
    with pytest.raises(Outage, match="orders is CREATING"):
        stream.check()
    stream.check()
