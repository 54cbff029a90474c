"""Kafka as a Stream: idempotent, acknowledged by all replicas, one batch in flight."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.agent.pack import Packed
from producers.agent.put import Limits
from runtime.errors import ConfigError
from runtime.outage import Outage, Stop

# Inside this time kafka-python retries, and the broker's sequence numbers keep a retry from being stored twice. What is
# not acknowledged by then is offered again by the sender, to a fresh producer: one whose batch has expired (its
# `delivery_timeout_ms`) acknowledges nothing more for good, seen with 3.0.12.
_DELIVERY_MS = 10_000
_REQUEST_MS = 5_000
# kafka-python doubles the pause between two attempts to connect up to 30 s by default: a broker that was away for a
# while is then not seen for as long again after it is back.
_RECONNECT_MS = 500
_BOOTSTRAP_MS = 2_000
_CLOSE_S = 1.0
# The producer copies what it is given: 10 MB of lines in memory, and a flush far shorter than _DELIVERY_MS.
AT_ONCE = Limits(lines=5_000, bytes=4_500_000)


class KafkaStream:
    """One topic. A record's partition is its key's: order within a key holds."""

    limits: Limits = AT_ONCE

    def __init__(self, servers: str, topic: str) -> None:
        """`servers`: addresses separated by commas. Nothing is connected before `check`."""
        self._servers = servers.split(",")
        self._topic = topic
        self._producer: Any = None

    def check(self) -> None:
        """Asks for the topic once: a producer asks again and again until it is there."""
        try:
            admin = KafkaAdminClient(bootstrap_servers=self._servers, bootstrap_timeout_ms=_BOOTSTRAP_MS)
            try:
                topics = admin.list_topics()
            finally:
                admin.close()
            self._connected()
        except KafkaError as error:
            self.close()
            raise Outage(f"no Kafka broker answers ({type(error).__name__})") from error
        if self._topic not in topics:
            raise ConfigError(f"Kafka has no topic {self._topic!r}: create it, or mend [streams]")

    def put(self, batch: Sequence[Packed], stop: Stop) -> Sequence[str | None]:
        """One batch, waited for. A producer that has not brought it through in time is replaced by a fresh one."""
        try:
            producer = self._connected()
            sent = [producer.send(self._topic, key=line.key.encode(), value=line.data) for line in batch]
        except KafkaError as error:
            self.close()
            raise Outage(f"no Kafka broker answers ({type(error).__name__})") from error
        try:
            producer.flush(timeout=_DELIVERY_MS / 1000)
        except KafkaTimeoutError:
            self.close()
        codes = [None if future.succeeded() else type(future.exception).__name__ for future in sent]
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
            # It flushes first, and where that fails it leaves its thread running and closes once more when it is
            # collected, with a traceback on stderr. Made to give up what it holds, it closes in good order.
            producer._sender.force_close()
            with suppress(KafkaError):
                producer.close(timeout=_CLOSE_S)

    def _connected(self) -> Any:
        """The producer, made when there is none. Raises KafkaError."""
        self._producer = self._producer or KafkaProducer(
            bootstrap_servers=self._servers,
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=_REQUEST_MS,
            max_block_ms=_DELIVERY_MS,
            reconnect_backoff_max_ms=_RECONNECT_MS,
            batch_size=1 << 18,
            max_request_size=(1 << 20) + 1024,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        return self._producer
