"""The looks at a Kafka topic: its partitions, what a group has committed, and what comes after a place.

Each look connects anew and leaves nothing open: an account is taken once in a while, and a broker takes 30 ms for it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumers.account.progress import Place, Waiting
from consumers.delivery import Position
from consumers.sources.kafka.partitions import arrived_at, partition_of, shard_id_of
from consumers.sources.kinesis.checkpoints import Checkpoint
from consumers.sources.kinesis.stream import ShardInfo
from runtime.errors import ConfigError
from runtime.kafka import administrator, client, naming_outages, partitions_of, require_arrival_times
from runtime.outage import Outage

_ANSWER_MS = 5_000  # longest wait for one answer
_POLL_MS = 250
_MOST_FRUITLESS = 20  # polls in a row: the records are there, so a broker has gone
_FETCH_BYTES = 1 << 16  # of a partition: one record is looked for; a larger one comes all the same
_RECORDS_PER_POLL = 2**31 - 1  # all of that: see `consumers.sources.kafka.member`


def kafka_shards(servers: str, topic: str) -> list[ShardInfo]:
    """The partitions, which never end. Raises Outage, and ConfigError for a topic that cannot be used."""
    with administrator(servers) as admin:
        require_arrival_times(admin, topic)
        numbers = partitions_of(admin, topic)
    return [ShardInfo(shard_id=shard_id_of(number), hash_range=(0, 0)) for number in numbers]


class KafkaProgress:
    """Of a store that an application writes to before it commits: OpenSearch, by live's group."""

    def __init__(self, servers: str, group: str, topic: str) -> None:
        self._servers = servers
        self._group = group
        self._topic = topic

    def taken(self) -> Mapping[str, Checkpoint]:
        """The group's offsets; a partition without one is absent. Raises Outage, ConfigError."""
        with administrator(self._servers) as admin:
            numbers = partitions_of(admin, self._topic)
        found: dict[str, Checkpoint] = {}
        with _consumer(self._servers, group_id=self._group) as consumer:
            for number in numbers:
                offset = consumer.committed(TopicPartition(self._topic, number), timeout_ms=_ANSWER_MS)
                if offset:
                    found[shard_id_of(number)] = Checkpoint.at(Position(offset))
        return found


class KafkaPeek:
    """Remembers what it has seen: which record follows a place never changes, only where none does it asks again."""

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic
        self._seen: dict[Place, Waiting] = {}

    def waiting_after(self, places: Collection[Place]) -> Mapping[Place, Waiting]:
        """See Peek. Raises Outage, and ConfigError for a place beyond the end: nobody can have taken so much."""
        self._seen = {place: found for place, found in self._seen.items() if place in places}
        unseen: dict[TopicPartition, list[Place]] = {}
        for place in sorted(set(places) - self._seen.keys(), key=_offset_of):
            unseen.setdefault(TopicPartition(self._topic, partition_of(place[0])), []).append(place)
        if unseen:
            with _consumer(self._servers) as consumer:
                while unseen:
                    unseen = self._look(consumer, unseen)
        return dict(self._seen)

    def _look(
        self, consumer: Any, unseen: Mapping[TopicPartition, Sequence[Place]]
    ) -> dict[TopicPartition, list[Place]]:
        """See what follows the first place of each partition, and the others that it follows too.

        In: each one's places, in order. Returns those behind it, which are to be looked after from where they are.
        """
        oldest = consumer.beginning_offsets(list(unseen), timeout_ms=_ANSWER_MS)
        ends = consumer.end_offsets(list(unseen), timeout_ms=_ANSWER_MS)
        starts: dict[TopicPartition, int] = {}
        for partition, places in unseen.items():
            last = _offset_of(places[-1])
            if last > ends[partition]:
                raise ConfigError(
                    f"{self._topic}/{places[-1][0]} ends at offset {ends[partition]}, but was taken up to {last}:"
                    " a topic that was made again has to be read as another application"
                )
            start = max(_offset_of(places[0]), oldest[partition])
            if start < ends[partition]:
                starts[partition] = start
        left: dict[TopicPartition, list[Place]] = {}
        for partition, record in _first_from(consumer, starts, ends).items():
            for place in unseen[partition]:
                if _offset_of(place) <= record.offset:
                    self._seen[place] = Waiting(arrived_at(record))
                else:
                    left.setdefault(partition, []).append(place)
        return left


def _first_from(
    consumer: Any, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Any]:
    """The first record of each partition from an offset on; absent where there is none before its end.

    Offsets may be without records: those of transactions, and of what was compacted.
    """
    found: dict[TopicPartition, Any] = {}
    waiting = dict(starts)
    consumer.assign(list(starts))
    for partition, offset in starts.items():
        consumer.seek(partition, offset)
        consumer.resume(partition)  # from an earlier look
    fruitless = 0
    while waiting:
        fruitless += 1
        if fruitless > _MOST_FRUITLESS:
            raise Outage(f"Kafka holds records of {len(waiting)} partitions, and does not bring them")
        for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
            found.setdefault(partition, records[0])
        for partition, offset in list(waiting.items()):
            position = consumer.position(partition, timeout_ms=_ANSWER_MS) or offset
            if position > offset:
                fruitless, waiting[partition] = 0, position
            if partition in found or position >= ends[partition]:
                consumer.pause(partition)
                del waiting[partition]
    return found


@contextmanager
def _consumer(servers: str, **options: Any) -> Iterator[Any]:
    """A reader that joins no group. Errors are named inside."""
    consumer = client(
        KafkaConsumer,
        servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        max_poll_records=_RECORDS_PER_POLL,
        allow_auto_create_topics=False,
        metrics_enabled=False,
        **options,
    )
    try:
        with naming_outages():
            yield consumer
    finally:
        consumer.close(autocommit=False, timeout_ms=_ANSWER_MS)


def _offset_of(place: Place) -> int:
    """Of the first record that comes after it."""
    position = place[1].position
    return position.sequence if position else 0
