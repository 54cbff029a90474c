"""The picture of an application on Kafka: the members of its group, their partitions, and how far they are."""

from collections.abc import Iterator, Mapping
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from consumers.account.kafka import KafkaPeek
from consumers.delivery import Position
from consumers.fleet.applications import Application
from consumers.fleet.picture import ApplicationPicture, ShardPicture, age_s, behind, workers_of
from consumers.fleet.tree import State
from consumers.sources.kafka.partitions import shard_id_of
from consumers.sources.kinesis.checkpoints import TRIM_HORIZON, Checkpoint
from runtime.clock import Clock
from runtime.kafka import administrator, partitions_of
from runtime.settings import Transport


class KafkaView:
    """One group on one topic, seen from outside. A broker counts offsets, so lag in records is exact but for
    compaction; who is dead the broker itself has found out."""

    transport: Transport = "kafka"

    def __init__(self, application: Application, servers: str, clock: Clock) -> None:
        self.application = application
        self._servers = servers
        self._clock = clock
        self._peek = KafkaPeek(servers, application.stream)

    def picture(self, *, quick: bool) -> ApplicationPicture:
        """`quick`: no look at the records, so no lag in time. Raises Outage, and ConfigError without such a topic."""
        topic = self.application.stream
        with administrator(self._servers) as admin:
            numbers = partitions_of(admin, topic)
            places = [TopicPartition(topic, number) for number in numbers]
            owners = dict(_owners(admin, self.application.name, topic))
            offsets = _offsets(admin, self.application.name)
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            oldest = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        shards = [
            _shard(
                place.partition,
                owners.get(place.partition),
                offsets.get(place),
                oldest=oldest[place].offset,
                end=ends[place].offset,
            )
            for place in places
        ]
        if not quick:
            self._add_times(shards)
        return ApplicationPicture(
            application=self.application.name,
            stream=topic,
            transport=self.transport,
            path=self.application.path,
            workers=workers_of(shards),
            shards=shards,
            wrong=[*_unread(shards), *behind(shards, self.application.lag_s)],
        )

    def _add_times(self, shards: list[ShardPicture]) -> None:
        asked = {shard.shard: _place(shard) for shard in shards if shard.lag_records}
        waiting = self._peek.waiting_after(list(asked.values()))
        now = self._clock.now()
        for shard in shards:
            found = waiting.get(asked[shard.shard]) if shard.shard in asked else None
            shard.lag_ms = 0 if found is None else round(age_s(found.since, now) * 1000)


def _place(shard: ShardPicture) -> tuple[str, Checkpoint]:
    offset = int(shard.checkpoint or 0)
    return shard.shard, Checkpoint.at(Position(offset)) if offset else TRIM_HORIZON


def _owners(admin: KafkaAdminClient, group: str, topic: str) -> Iterator[tuple[int, str]]:
    """Member by partition. A member's name is its host's, with the id that the broker gave it."""
    for member in admin.describe_groups([group])[group]["members"]:
        assignment: Any = member["member_assignment"]
        for assigned in assignment["assigned_partitions"] if assignment else ():
            if assigned["topic"] == topic:
                for number in assigned["partitions"]:
                    yield number, member["member_id"]


def _offsets(admin: KafkaAdminClient, group: str) -> Mapping[TopicPartition, int]:
    found = admin.list_group_offsets({group: None}).get(group, {})
    return {place: committed.offset for place, committed in found.items() if committed.offset >= 0}


def _shard(partition: int, owner: str | None, committed: int | None, *, oldest: int, end: int) -> ShardPicture:
    return ShardPicture(
        shard=shard_id_of(partition),
        state=str(State.UNOWNED if owner is None else State.OWNED),
        owner=owner,
        checkpoint=None if committed is None else str(committed),
        lag_records=max(0, end - max(committed or 0, oldest)),
    )


def _unread(shards: list[ShardPicture]) -> list[str]:
    unread = [shard.shard for shard in shards if shard.owner is None]
    if not unread:
        return []
    if len(unread) == len(shards):
        return ["the group has no members"]
    return [f"{len(unread)} of {len(shards)} partitions without a member: {', '.join(unread[:3])}"]
