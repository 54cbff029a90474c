"""Where letters are sent again: the streams that they came by, on the transport that is set."""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from botocore.exceptions import ClientError

from consumers.letters.letter import Kind
from consumers.letters.resent import RECORD_LIMIT
from runtime.aws import client
from runtime.aws_errors import naming_outages, one_line
from runtime.backoff import full_jitter
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop
from runtime.settings import Aws, Kafka, Streams

AT_ONCE = 500  # records of one PutRecords
BYTES_AT_ONCE = 4_500_000  # 5 MiB by the older documents of PutRecords
_ATTEMPTS = 8  # without any progress: some 10 s
_LONGEST_WAIT_S = 2.0
_DELIVERY_MS = 10_000
_REQUEST_MS = 5_000
_READ_TIMEOUT_S = 10.0

Entry = tuple[str, bytes]  # partition key, data


class Outlet(Protocol):
    """One stream."""

    def put(self, entries: Sequence[Entry]) -> Sequence[str | None]:
        """Offer at least one, at most AT_ONCE. Of each, in order: None once it is stored, else the error's code.

        Raises Outage, and then none is known to be stored; ConfigError.
        """
        ...


def send(outlet: Outlet, entries: Sequence[Entry], stop: Stop, rng: random.Random) -> list[bool]:
    """Put what is within AT_ONCE, entry by entry again what was refused, until all are stored or nothing goes through.

    Returns for each whether it is stored. Raises ConfigError, and Outage where nothing at all could be stored.
    """
    stored, attempt, trouble = [False] * len(entries), 0, ""
    while not all(stored) and attempt < _ATTEMPTS and not (attempt and stop.is_set()):
        left = [i for i, is_in in enumerate(stored) if not is_in][:AT_ONCE]
        try:
            codes = outlet.put([entries[i] for i in left])
        except Outage as outage:
            codes, trouble = [str(outage)] * len(left), str(outage)
        for i, code in zip(left, codes, strict=True):
            stored[i], trouble = code is None, code or trouble
        attempt = 0 if None in codes else attempt + 1
        if not all(code is None for code in codes):
            stop.wait(full_jitter(attempt, rng, cap_s=_LONGEST_WAIT_S))
    if entries and not any(stored):
        raise Outage(f"the stream takes no letter: {trouble or 'stopped'}")
    return stored


class KinesisOutlet:
    """Plain PutRecords."""

    def __init__(self, kinesis: Any, stream: str) -> None:
        """`kinesis` is boto3's client, without retries of its own."""
        self._kinesis = kinesis
        self._stream = stream

    def put(self, entries: Sequence[Entry]) -> Sequence[str | None]:
        records = [{"PartitionKey": key, "Data": data} for key, data in entries]
        try:
            with naming_outages():
                answer = self._kinesis.put_records(StreamName=self._stream, Records=records)
        except ClientError as error:
            raise ConfigError(f"stream {self._stream!r}: {one_line(error)}; see [streams]") from error
        return [entry.get("ErrorCode") for entry in answer["Records"]]


class KafkaOutlet:
    """One topic, acknowledged by all replicas. A producer for each put: letters are rare."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic

    def put(self, entries: Sequence[Entry]) -> Sequence[str | None]:
        from kafka import KafkaProducer
        from kafka.errors import KafkaError, KafkaTimeoutError

        from runtime.kafka import administrator, naming_outages, partitions_of
        from runtime.kafka import client as kafka_client

        with administrator(self._servers) as admin:  # a producer asks again and again for a topic that is not there
            partitions_of(admin, self._topic)
        producer = kafka_client(
            KafkaProducer,
            self._servers,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=_REQUEST_MS,
            max_block_ms=_DELIVERY_MS,
            max_request_size=RECORD_LIMIT + 1024,
            allow_auto_create_topics=False,
        )
        try:
            with naming_outages():
                sent = [producer.send(self._topic, key=key.encode(), value=data) for key, data in entries]
            with suppress(KafkaTimeoutError):  # the futures tell
                producer.flush(timeout=_DELIVERY_MS / 1000)
            return [None if future.succeeded() else _code_of(future) for future in sent]
        finally:
            with suppress(KafkaError):
                producer.close(timeout=1.0)


def outlet_of(kind: Kind, streams: Streams, aws: Aws, kafka: Kafka) -> Outlet:
    """The stream of a kind of lines. Nothing is connected yet. Raises ConfigError where none is set."""
    name = streams.access if kind == "access" else streams.transactions
    if not name:
        raise ConfigError("[streams] access is empty: name the stream that the letters came by")
    if streams.transport == "kafka":
        return KafkaOutlet(kafka.servers, name)
    return KinesisOutlet(client("kinesis", aws, attempts=1, read_timeout_s=_READ_TIMEOUT_S), name)


def _code_of(future: Any) -> str:
    return type(future.exception).__name__ if future.exception else "unanswered"
