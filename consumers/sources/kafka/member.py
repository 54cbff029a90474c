"""One process's part in the consumer group of an application: what it is assigned, fetches and commits."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from consumers.delivery import LeaseLost
from consumers.sources.kafka.settings import KafkaSourceSettings
from runtime.kafka import administrator, client, naming_outages, partitions_of, require_arrival_times
from runtime.outage import Outage

_FETCH_WAIT_MS = 100
_ANSWER_MS = 5_000  # longest wait for one answer; the brokers are away then, and a stop shall not wait for them
_CHECK_MS = 2_000
_LEAVE_MS = 2_000
# A poll takes all that was fetched. kafka-python 3.0.12 parks the rest of a fetch while its partition is paused, and
# forgets to bring it back once another partition's fetch has taken its place: that partition is never read again.
_RECORDS_PER_POLL = 2**31 - 1
_METADATA_MS = 30_000  # a new partition is found within this, as a new shard is


class Member:
    """One thread's alone, and a partition is asked about only while it is assigned. Every method may raise Outage and
    ConfigError."""

    def __init__(self, *, servers: str, topic: str, group: str, settings: KafkaSourceSettings) -> None:
        """Joins with the first poll. Raises ConfigError for a topic that cannot be used."""
        with administrator(servers) as admin:
            partitions_of(admin, topic)
            require_arrival_times(admin, topic)
        self.name = socket.gethostname()
        self._topic = topic
        self._consumer = client(
            KafkaConsumer,
            servers,
            client_id=self.name,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # only until we have said where to read: a gap is found by our own look
            session_timeout_ms=round(settings.session_s * 1000),
            heartbeat_interval_ms=round(settings.session_s * 1000 / 3),
            max_partition_fetch_bytes=settings.fetch_mib << 20,
            max_poll_records=_RECORDS_PER_POLL,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            metadata_max_age_ms=_METADATA_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            with naming_outages():
                self._consumer.subscribe([topic])
                self._consumer.partitions_for_topic(topic)  # who joins without knowing them joins again at once
        except BaseException:
            self.leave()
            raise

    def poll(self, wait_s: float) -> Mapping[int, Sequence[Any]]:
        """Records by partition, after at most `wait_s`; also takes part in rebalances, which change `assigned`."""
        with naming_outages():
            fetched = self._consumer.poll(timeout_ms=round(wait_s * 1000))
        return {partition.partition: records for partition, records in fetched.items()}

    def check(self) -> None:
        """Whether a broker answers at all: a poll that brings nothing does not tell. Raises Outage."""
        with naming_outages():
            self._consumer.beginning_offsets([self._of(0)], timeout_ms=_CHECK_MS)

    @property
    def assigned(self) -> set[int]:
        """Partitions that are ours, as the last poll has left it."""
        return {partition.partition for partition in self._consumer.assignment()}

    def committed(self, partition: int) -> int:
        """The group's offset, 0 where there is none."""
        with naming_outages():
            return self._consumer.committed(self._of(partition), timeout_ms=_ANSWER_MS) or 0

    def bounds(self, partition: int) -> tuple[int, int]:
        """The oldest offset that is held, and the one that comes next."""
        where = self._of(partition)
        with naming_outages():
            oldest: int = self._consumer.beginning_offsets([where], timeout_ms=_ANSWER_MS)[where]
            end: int = self._consumer.end_offsets([where], timeout_ms=_ANSWER_MS)[where]
        return oldest, end

    def is_tip(self, partition: int, offset: int) -> bool:
        """Whether nothing was there from `offset` on when it was last fetched."""
        head = self._consumer.highwater(self._of(partition))
        return head is not None and offset >= head

    def seek(self, partition: int, offset: int) -> None:
        """The next record that `poll` brings of it is this one, or the first that is held after it."""
        self._consumer.seek(self._of(partition), offset)

    def hold(self, partition: int) -> None:
        """Fetch nothing of it. A rebalance forgets that."""
        self._consumer.pause(self._of(partition))

    def read_on(self, partition: int) -> None:
        self._consumer.resume(self._of(partition))

    def commit(self, offsets: Mapping[int, int]) -> bool:
        """False in a rebalance: poll, and offer what is still ours again. Raises LeaseLost: out of the group."""
        wanted = {self._of(partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        try:
            with naming_outages():
                self._consumer.commit(wanted, timeout_ms=_ANSWER_MS)
        except Outage as outage:
            why = outage.__cause__
            if isinstance(why, CommitFailedError) and not (why.args and _is_rebalance(why.args[0])):
                raise LeaseLost(f"out of the group of {self._topic}: others have its partitions") from why
            if isinstance(why, CommitFailedError | RebalanceInProgressError):
                return False
            raise
        return True

    def leave(self) -> None:
        """At once: the others need not wait for the session to end. Raises nothing."""
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=_LEAVE_MS)

    def _of(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


def _is_rebalance(cause: object) -> bool:
    return isinstance(cause, RebalanceInProgressError)
