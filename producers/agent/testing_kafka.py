"""A Kafka topic that misbehaves like FakeStream, and what a topic holds."""

import random
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from producers.agent.kafka import AT_ONCE, KafkaStream
from producers.agent.pack import Packed
from producers.agent.put import Limits
from producers.agent.testing import FakeStream, Fault
from runtime.effects import Effect, no_effect

_NEVER = threading.Event()


class FaultyKafka(FakeStream):
    """A real topic behind the faults of a fake stream: what is `stored`, the broker has acknowledged."""

    limits: Limits = AT_ONCE

    def __init__(
        self,
        servers: str,
        topic: str,
        faults: Iterable[Fault] = (),
        *,
        rng: random.Random | None = None,
        effect: Effect = no_effect,
    ) -> None:
        super().__init__(faults, rng=rng, effect=effect)
        self._kafka = KafkaStream(servers, topic)

    def check(self) -> None:
        self._kafka.close()  # as a fresh process
        self._kafka.check()

    def some_of(self, entries: Sequence[Sequence[Packed]]) -> list[bool]:
        """What a producer that is given up has brought through: the first so many of each key."""
        ends: dict[str, int] = {}
        taken: list[bool] = []
        for place, (line,) in enumerate(entries):
            end = ends.setdefault(line.key, self._rng.randrange(len(entries) + 1))
            taken.append(place < end)
        return taken

    def keep(self, records: Sequence[Packed]) -> None:
        if records:
            assert set(self._kafka.put(records, _NEVER)) == {None}
        super().keep(records)

    def close(self) -> None:
        self._kafka.close()


class TopicReader:
    """Reads on from where it was."""

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=50
        )
        numbers = sorted(self._consumer.partitions_for_topic(topic))
        self._partitions = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(self._partitions)

    def read(self) -> list[list[tuple[str, bytes]]]:
        """Keys and data of what came since, by partition, in order."""
        found: list[list[tuple[str, bytes]]] = [[] for _ in self._partitions]
        ends = self._consumer.end_offsets(self._partitions)
        while any(self._consumer.position(partition) < ends[partition] for partition in self._partitions):
            for partition, records in self._consumer.poll(timeout_ms=500).items():
                place = self._partitions.index(partition)
                found[place] += [(record.key.decode(), record.value) for record in records]
        return found

    def close(self) -> None:
        self._consumer.close()
