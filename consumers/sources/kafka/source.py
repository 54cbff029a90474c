"""A Kafka consumer group as a source: a thread a partition, and one that fetches and commits.

The commit is the durable position of the partition's path, never what was read. A partition is a shard; its positions
are offsets + 1, so that 0 is before the first record, and a position is also what Kafka calls the committed offset.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, RebalanceInProgressError, RetriableError
from kafka.structs import OffsetAndMetadata

from consumers.delivery import Batch, Path, Position, Record, Shard, Trimmed
from consumers.sources.kafka.lane import Lane
from consumers.sources.kafka.settings import KafkaSourceSettings
from runtime.clock import Clock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble, wait_at_start

log = logging.getLogger(__name__)

_POLL_MS = 100


class KafkaSource:
    """Reads a topic together with all members of its group.

    A partition whose path fails is left alone for a cool-down and starts again from its commit; the others are read
    on. A member that dies is replaced after `session_s`; one that stops in good order, at once.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        *,
        topic: str,
        settings: KafkaSourceSettings,
        clock: Clock,
        rng: Any,
    ) -> None:
        """`connect` makes a KafkaConsumer of the group, see `kafka_source`."""
        self._connect = connect
        self._topic = topic
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._lanes: dict[TopicPartition, Lane] = {}
        self._expected: dict[TopicPartition, int] = {}  # the offset that comes next
        self._resting: dict[TopicPartition, float] = {}  # until this monotonic time (s)
        self._committed: dict[TopicPartition, int] = {}
        self._commit_at_s = 0.0
        self._reading = Trouble(f"Kafka topic {topic}", clock)
        self._wake = threading.Event()
        self.failures = 0  # partitions given up because of their path

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        """Read until `stop` is set, then settle, commit and leave the group. May be called once.

        Raises ConfigError where the topic cannot be used, or the brokers are still away `start_patience_s` after the
        start.
        """
        consumer = self._joined(stop)
        if consumer is None:
            return
        try:
            while not stop.is_set():
                self._step(consumer, open_path)
            for lane in self._lanes.values():
                lane.ask_to_settle()
        finally:
            for lane in self._lanes.values():
                lane.abandon()
                lane.join()
            self._leave(consumer)

    def _joined(self, stop: threading.Event) -> Any:
        found: list[Any] = []

        def begin() -> None:
            try:
                consumer = self._connect()
                consumer.subscribe([self._topic])
                # Also so that the group is joined with what the topic has: it would be joined anew at once otherwise.
                if not consumer.partitions_for_topic(self._topic):
                    consumer.close(autocommit=False)
                    raise ConfigError(f"Kafka has no topic {self._topic!r}: create it, or mend [streams]")
            except KafkaError as error:
                raise Outage(f"no Kafka broker answers ({type(error).__name__})") from error
            found.append(consumer)

        is_there = wait_at_start(
            begin,
            stop,
            trouble=self._reading,
            patience_s=self._settings.start_patience_s,
            advice="start the broker (a local one: `make up`), or change [kafka] servers;"
            " [kafka_group] start_patience_s waits longer",
            clock=self._clock,
            rng=self._rng,
        )
        return found[0] if is_there else None

    def _step(self, consumer: Any, open_path: Callable[[Shard], Path]) -> None:
        """Fetch once, hand over, commit: no longer than a poll."""
        try:
            fetched = consumer.poll(timeout_ms=_POLL_MS)
            self._follow(consumer, open_path)
            for partition, records in fetched.items():
                self._hand_over(consumer, partition, records)
            self._mind_lanes(consumer)
            if self._clock.monotonic() >= self._commit_at_s:
                self._commit(consumer)
        except KafkaError as error:
            if not isinstance(error, RetriableError):
                log.warning("Kafka: %s: the group is joined again", type(error).__name__)
            self._reading.goes_on(type(error).__name__)
            self._wake.wait(_POLL_MS / 1000)
        else:
            self._reading.over()

    def _follow(self, consumer: Any, open_path: Callable[[Shard], Path]) -> None:
        """Lanes for the partitions that are ours, none for those that are not."""
        ours = set(consumer.assignment())
        for partition in self._lanes.keys() - ours:
            lane = self._lanes.pop(partition)
            lane.abandon()
            lane.join()
        now_s = self._clock.monotonic()
        for partition in ours - self._lanes.keys():
            if self._resting.get(partition, 0.0) > now_s:
                consumer.pause(partition)
                continue
            try:
                self._open(consumer, partition, open_path)
            except Trimmed as gap:
                self._rest(consumer, partition)
                log.error(
                    '%s is not read, records may be lost: %s; set [kafka_group] after_trim = "read_on" to accept the'
                    " gap",
                    _name(partition),
                    gap,
                )

    def _open(self, consumer: Any, partition: TopicPartition, open_path: Callable[[Shard], Path]) -> None:
        """Seek to where the path wants to read on. Raises Trimmed."""
        committed = consumer.committed(partition) or 0
        path = open_path(Shard(stream=self._topic, shard_id=_name(partition)))
        known = path.resume(Position(committed) if committed else None)
        start = known.sequence if known else committed
        oldest = consumer.beginning_offsets([partition])[partition]
        if start and oldest > start:
            self._meet(partition, f"Kafka no longer holds offset {start}, the oldest is {oldest}")
        consumer.seek(partition, max(start, oldest))
        consumer.resume(partition)
        self._expected[partition] = max(start, oldest)
        self._committed[partition] = committed
        self._lanes[partition] = Lane(
            Shard(stream=self._topic, shard_id=_name(partition)), path, self._clock, self._wake.set
        )

    def _hand_over(self, consumer: Any, partition: TopicPartition, fetched: Sequence[Any]) -> None:
        lane, expected = self._lanes.get(partition), self._expected.get(partition, 0)
        records = [_record(one) for one in fetched if one.offset >= expected]
        if lane is None or not records:  # fetched before the seek
            return
        if not lane.has_room:
            consumer.seek(partition, expected)
            return
        first = records[0].position.sequence - 1
        if first > expected and consumer.beginning_offsets([partition])[partition] > expected:
            self._drop(partition, lane)
            self._rest(consumer, partition)
            self._meet(partition, f"Kafka no longer holds offset {expected}, the oldest is {first}")
            return
        self._expected[partition] = records[-1].position.sequence
        lane.offer(Batch(shard=Shard(stream=self._topic, shard_id=_name(partition)), records=records))
        consumer.pause(partition)

    def _mind_lanes(self, consumer: Any) -> None:
        """Read on where there is room again; give up where the path has failed."""
        for partition, lane in list(self._lanes.items()):
            if lane.failure is not None:
                self.failures += 1
                log.error(
                    "%s is given up for %.0f s",
                    _name(partition),
                    self._settings.cool_down_s,
                    exc_info=lane.failure,
                )
                self._drop(partition, lane)
                self._rest(consumer, partition)
                if isinstance(lane.failure, ConfigError):
                    raise lane.failure
            elif lane.has_room:
                consumer.resume(partition)

    def _drop(self, partition: TopicPartition, lane: Lane) -> None:
        lane.abandon()
        lane.join()
        del self._lanes[partition]

    def _rest(self, consumer: Any, partition: TopicPartition) -> None:
        consumer.pause(partition)
        self._resting[partition] = self._clock.monotonic() + self._settings.cool_down_s

    def _meet(self, partition: TopicPartition, gap: str) -> None:
        if self._settings.after_trim == "stop":
            raise Trimmed(gap)
        log.error("%s: records may be lost, reading on: %s", _name(partition), gap)

    def _commit(self, consumer: Any) -> None:
        """What is durable and news. Raises KafkaError: another member has the partition, or the broker is away."""
        self._commit_at_s = self._clock.monotonic() + self._settings.checkpoint_s
        news = {
            partition: lane.durable.sequence
            for partition, lane in self._lanes.items()
            if lane.durable is not None and lane.durable.sequence > self._committed.get(partition, 0)
        }
        if news:
            consumer.commit({partition: OffsetAndMetadata(offset, "", -1) for partition, offset in news.items()})
            self._committed |= news

    def _leave(self, consumer: Any) -> None:
        """The last commit, then out of the group: the others need not wait for the session to end."""
        try:
            self._commit_at_the_end(consumer)
        except KafkaError as error:
            log.warning("the last commit failed (%s): the successor repeats what is open", type(error).__name__)
        finally:
            consumer.close(autocommit=False)

    def _commit_at_the_end(self, consumer: Any) -> None:
        """No commit is taken in a rebalance: it is offered again, for a session at most. Raises KafkaError."""
        give_up_s = self._clock.monotonic() + self._settings.session_s
        consumer.pause(*consumer.assignment())
        while True:
            try:
                return self._commit(consumer)
            except RebalanceInProgressError:
                if self._clock.monotonic() >= give_up_s:
                    raise
                consumer.poll(timeout_ms=_POLL_MS)


def kafka_source(
    *, servers: str, topic: str, group: str, settings: KafkaSourceSettings, clock: Clock, rng: Any
) -> KafkaSource:
    """The source of `group` (an application's name) on the real service. Raises nothing: see `run`."""

    def connect() -> KafkaConsumer:
        fetch = settings.fetch_mib << 20
        return KafkaConsumer(
            bootstrap_servers=servers.split(","),
            bootstrap_timeout_ms=2000,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # a gap is found by our own look, see `_open` and `_hand_over`
            session_timeout_ms=round(settings.session_s * 1000),
            heartbeat_interval_ms=round(settings.session_s * 1000 / 3),
            max_partition_fetch_bytes=fetch,
            max_poll_records=10_000,
            fetch_max_wait_ms=_POLL_MS,
            reconnect_backoff_max_ms=1000,  # a broker that comes back is used within a second, not within 30
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    return KafkaSource(connect, topic=topic, settings=settings, clock=clock, rng=rng)


def _record(fetched: Any) -> Record:
    arrived_at = datetime.fromtimestamp(fetched.timestamp / 1000, UTC)
    return Record(Position(fetched.offset + 1), arrived_at, fetched.value or b"")


def _name(partition: TopicPartition) -> str:
    return f"partition-{partition.partition:05d}"
