"""The stream behind boto3: what readers get, and the errors by their names."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumers.delivery import Position, Trimmed
from consumers.sources.kinesis.checkpoints import LATEST, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.shards import is_complete
from consumers.sources.kinesis.stream import KinesisStream, ShardGone, Throttled
from runtime.aws import client
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.integration


@pytest.fixture
def kinesis(aws: Aws) -> Any:
    return client("kinesis", aws, attempts=1)


@pytest.fixture
def stream(kinesis: Any, new_stream: Callable[[int], str]) -> KinesisStream:
    return KinesisStream(kinesis, new_stream(1))


def put(kinesis: Any, stream: KinesisStream, *payloads: bytes) -> list[Position]:
    answers = [kinesis.put_record(StreamName=stream.name, Data=data, PartitionKey="k") for data in payloads]
    return [Position(int(answer["SequenceNumber"])) for answer in answers]


def test_the_shards_of_a_new_stream_are_open_and_cover_all_hash_keys(stream: KinesisStream) -> None:
    shards = stream.shards()
    assert [(shard.is_open, shard.parents) for shard in shards] == [(True, frozenset())]
    assert is_complete(shards)


def test_an_iterator_at_a_record_brings_that_record_first(kinesis: Any, stream: KinesisStream) -> None:
    positions = put(kinesis, stream, b"1", b"2", b"3")
    (shard,) = stream.shards()
    answer = stream.read(stream.iterator(shard.shard_id, Checkpoint.at(positions[1])), None)
    assert [(record.position, record.data) for record in answer.records] == list(
        zip(positions[1:], [b"2", b"3"], strict=True)
    )
    assert answer.next_iterator
    assert answer.millis_behind == 0


def test_the_sentinels_stand_before_the_first_and_after_the_last_record(kinesis: Any, stream: KinesisStream) -> None:
    put(kinesis, stream, b"1")
    (shard,) = stream.shards()
    assert len(stream.read(stream.iterator(shard.shard_id, TRIM_HORIZON), None).records) == 1
    assert stream.read(stream.iterator(shard.shard_id, LATEST), None).records == []


def test_reading_a_shard_more_than_five_times_a_second_is_throttled(stream: KinesisStream) -> None:
    (shard,) = stream.shards()
    iterator = stream.iterator(shard.shard_id, TRIM_HORIZON)
    with pytest.raises(Throttled):
        for _ in range(20):
            stream.read(iterator, None)


def test_a_record_that_the_shard_never_had_is_a_gap(stream: KinesisStream) -> None:
    (shard,) = stream.shards()
    with pytest.raises(Trimmed, match="does not know its record 12345"):
        stream.iterator(shard.shard_id, Checkpoint.at(Position(12345)))


def test_a_shard_that_is_not_there_is_gone(stream: KinesisStream) -> None:
    with pytest.raises(ShardGone):
        stream.iterator("shardId-000000000099", TRIM_HORIZON)


def test_an_answer_that_is_cut_in_the_middle_is_an_outage() -> None:
    """The answer's end is lost with the connection: nothing of it is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_half() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"Records":[{"Data":"')

        thread = threading.Thread(target=answer_half)
        thread.start()
        nowhere = Aws(
            kinesis_endpoint=f"http://127.0.0.1:{server.getsockname()[1]}",
            access_key_id="123456789012",
            secret_access_key="local",
        )
        with pytest.raises(Outage):
            KinesisStream(client("kinesis", nowhere, attempts=1), "any").read("iterator", None)
        thread.join()


def test_an_endpoint_that_does_not_answer_is_an_outage() -> None:
    nowhere = Aws(kinesis_endpoint="http://127.0.0.1:9", access_key_id="123456789012", secret_access_key="local")
    with pytest.raises(Outage):
        KinesisStream(client("kinesis", nowhere, attempts=1), "any").shards()
