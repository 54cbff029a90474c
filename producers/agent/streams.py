"""The stream that the settings choose."""

import random
from collections.abc import Callable
from typing import Any, Protocol

from producers.agent.aggregating import AggregatingKinesisStream
from producers.agent.kinesis import KinesisStream
from producers.agent.put import Stream
from producers.agent.put_records import quick
from producers.agent.settings import Spooling
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.settings import Aws, Kafka, Streams

# A request that takes longer has died on the way; it is sent again.
_READ_TIMEOUT_S = 10.0


class Transported(Protocol):
    """The settings that it takes."""

    @property
    def aws(self) -> Aws: ...
    @property
    def kafka(self) -> Kafka: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def agent(self) -> Spooling: ...


def stream_named(name: str, settings: Transported, *, watch: Callable[[Any], None] = lambda _: None) -> Stream:
    """The stream or topic `name` on the transport that is set; nothing is connected yet. Raises ConfigError.

    `watch` gets the client of a Kinesis stream.
    """
    if settings.streams.transport == "kafka":
        from producers.agent.kafka import KafkaStream  # half a second, for those who use it

        return KafkaStream(settings.kafka.servers, name)
    kinesis = quick(client("kinesis", settings.aws, attempts=1, connections=1, read_timeout_s=_READ_TIMEOUT_S))
    watch(kinesis)
    if not settings.agent.aggregate:
        return KinesisStream(kinesis, name)
    return AggregatingKinesisStream(kinesis, name, clock=SystemClock(), rng=random.Random())
