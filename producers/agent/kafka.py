"""Kafka as a Stream: idempotent, acknowledged by all replicas, one batch in flight."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.agent.pack import Packed
from producers.agent.put import Limits
from runtime.kafka import administrator, client, naming_outages, partitions_of
from runtime.outage import Outage, Stop

# Inside this time kafka-python retries, and the broker's sequence numbers keep a retry from being stored twice. What is
# not acknowledged by then is offered again by the sender, to a fresh producer: one whose batch has expired (its
# `delivery_timeout_ms`) acknowledges nothing more for good, seen with 3.0.12.
_DELIVERY_MS = 10_000
_REQUEST_MS = 5_000
_CLOSE_S = 1.0
# The producer copies what it is given: 10 MB of lines in memory, and a flush far shorter than _DELIVERY_MS.
AT_ONCE = Limits(lines=5_000, bytes=4_500_000)


class _Producer(KafkaProducer):  # type: ignore[misc]
    """One that ends without a word.

    kafka-python closes what is collected, and what is left when the interpreter ends, and says on stderr that what it
    still held was not acknowledged: it is on disk, and comes again.
    """

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        try:
            super().close(timeout, null_logger)
        except KafkaError:
            if not null_logger:  # as both of these call it
                raise


class KafkaStream:
    """One topic. A record's partition is its key's: order within a key holds."""

    limits: Limits = AT_ONCE

    def __init__(self, servers: str, topic: str) -> None:
        """`servers`: addresses separated by commas. Nothing is connected before `check`."""
        self._servers = servers
        self._topic = topic
        self._producer: Any = None

    def check(self) -> None:
        """Asks for the topic once: a producer asks again and again until it is there."""
        with administrator(self._servers) as admin:
            partitions_of(admin, self._topic)
        self._connected()

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """One batch, waited for. A producer that has not brought it through in time is replaced by a fresh one."""
        producer = self._connected()
        try:
            with naming_outages():
                sent = [producer.send(self._topic, key=line.key.encode(), value=line.data) for line in batch]
        except BaseException:
            self.close()
            raise
        try:
            producer.flush(timeout=_DELIVERY_MS / 1000)
        except KafkaTimeoutError:
            self.close()
        codes = [_code_of(future) for future in sent]
        if None not in codes:
            raise Outage(f"no Kafka broker answers ({codes[0]})")
        return codes

    def close(self) -> None:
        """Leave nothing behind: what was not acknowledged is on disk and comes again."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=0)
        except KafkaError:
            # It flushes first, and where that fails it leaves its thread running. Made to give up what it holds, it
            # closes in good order.
            producer._sender.force_close()
            with suppress(KafkaError):
                producer.close(timeout=_CLOSE_S)

    def _connected(self) -> Any:
        """The producer, made when there is none. Raises Outage, ConfigError."""
        self._producer = self._producer or client(
            _Producer,
            self._servers,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=_REQUEST_MS,
            max_block_ms=_DELIVERY_MS,
            batch_size=1 << 18,
            max_request_size=(1 << 20) + 1024,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        return self._producer


def _code_of(future: Any) -> str | None:
    if future.succeeded():
        return None
    return type(future.exception).__name__ if future.exception else "unanswered"
