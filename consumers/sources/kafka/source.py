"""A Kafka consumer group as a source: a thread a partition, and one that fetches and commits.

The commit is the durable position of the partition's path, never what was read; and where the path knows better than
the commit where to read on, it is the path that counts.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from consumers.delivery import Batch, LeaseLost, Path, Position, Shard
from consumers.sources.kafka.gaps import gap_at
from consumers.sources.kafka.lane import Lane
from consumers.sources.kafka.member import Member
from consumers.sources.kafka.partitions import record_of, shard_id_of
from consumers.sources.kafka.settings import KafkaSourceSettings
from consumers.sources.kinesis.source import ShardStatus
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError
from runtime.outage import Outage, Trouble, wait_at_start

log = logging.getLogger(__name__)

_POLL_S = 0.1
_BUSY_POLL_S = 0.02  # while no lane has room, and Kafka could bring nothing
_QUIET_S = 5.0  # without a record: is anybody there?


class KafkaSource:
    """Reads a topic together with all members of its group.

    A partition whose path fails is left alone for a cool-down and starts again from its commit; the others are read
    on. A member that dies is replaced after `session_s`; one that stops in good order, at once. ConfigError ends the
    run. A topic that was deleted and made again begins anew, so it has to be read as another application: offsets
    alone do not tell the two apart.
    """

    def __init__(
        self,
        join: Callable[[], Member],
        *,
        topic: str,
        settings: KafkaSourceSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._join = join
        self._topic = topic
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._name: str | None = None  # of this member
        self._lanes: dict[int, Lane] = {}  # by partition
        self._parting: dict[int, Lane] = {}  # lanes that still wind down: one path a partition at a time
        self._resting: dict[int, float] = {}  # until this monotonic time (s)
        self._committed: dict[int, int] = {}
        self._commit_at_s = 0.0
        self._heard_at_s = clock.monotonic()
        self._reading = Trouble(f"Kafka topic {topic}", clock)
        self._wake = threading.Event()
        self.failures = 0  # partitions given up

    @property
    def worker_id(self) -> str:
        """Of this member in `status`; empty before it has joined."""
        return self._name or ""

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        """Read until `stop` is set, then settle, commit and leave the group. May be called once.

        Raises ConfigError where the topic cannot be used, or the brokers are still away `start_patience_s` after the
        start, and a path's.
        """
        member = self._joined(stop)
        if member is None:
            return
        try:
            while not stop.is_set():
                self._step(member, open_path)
            for lane in self._lanes.values():
                lane.ask_to_settle()
        finally:
            for lane in [*self._lanes.values(), *self._parting.values()]:
                lane.abandon()
                lane.join()
            self._leave(member)
        for lane in self._lanes.values():
            if lane.failure is not None:
                self._name_failure(lane, "failed at the end: its successor repeats what is open")

    def status(self) -> list[ShardStatus]:
        """The partitions that this member reads. Safe from any thread."""
        return [
            ShardStatus(
                shard_id=lane.shard.shard_id,
                owner=self._name,
                taken=lane.taken,
                durable=lane.durable or _position(self._committed.get(partition, 0)),
                millis_behind=lane.millis_behind,
            )
            for partition, lane in sorted(self._lanes.items())
        ]

    def _joined(self, stop: threading.Event) -> Member | None:
        found: list[Member] = []
        is_there = wait_at_start(
            lambda: found.append(self._join()),
            stop,
            trouble=self._reading,
            patience_s=self._settings.start_patience_s,
            advice="start the broker (a local one: `make up`), or change [kafka] servers;"
            " [kafka_group] start_patience_s waits longer",
            clock=self._clock,
            rng=self._rng,
        )
        if not is_there:
            return None
        self._name = found[0].name
        return found[0]

    def _step(self, member: Member, open_path: Callable[[Shard], Path]) -> None:
        """Fetch once, hand over, commit: no longer than a poll."""
        try:
            fetched = member.poll(self._patience_s())
            self._follow(member, open_path)
            for partition, lane in list(self._lanes.items()):
                self._mind(member, partition, lane)
            for partition, records in fetched.items():
                self._hand_over(member, partition, records)
            if self._clock.monotonic() >= self._commit_at_s:
                self._commit(member)
            self._listen(member, has_heard=bool(fetched))
        except (Outage, LeaseLost) as trouble:
            self._reading.goes_on(str(trouble))
            self._read_again(member)  # what was fetched, and not handed over
            self._wake.wait(_POLL_S)
        else:
            self._reading.over()

    def _listen(self, member: Member, *, has_heard: bool) -> None:
        """Raises Outage where nothing comes because nobody is there."""
        if not has_heard and self._clock.monotonic() - self._heard_at_s < _QUIET_S:
            return
        if not has_heard:
            member.check()
        self._heard_at_s = self._clock.monotonic()

    def _patience_s(self) -> float:
        """How long to poll. While no lane has room, it is a lane's news that is waited for."""
        if self._lanes and not any(lane.has_room for lane in self._lanes.values()):
            self._wake.wait(_POLL_S)
            self._wake.clear()
            return _BUSY_POLL_S
        self._wake.clear()
        return _POLL_S

    def _follow(self, member: Member, open_path: Callable[[Shard], Path]) -> None:
        """Lanes for the partitions that are ours, none for those that are not."""
        ours = member.assigned
        for partition in self._lanes.keys() - ours:
            self._drop(partition)
        self._parting = {partition: lane for partition, lane in self._parting.items() if not lane.is_over}
        now_s = self._clock.monotonic()
        for partition in sorted(ours - self._lanes.keys()):
            member.hold(partition)
            if partition not in self._parting and self._resting.get(partition, 0.0) <= now_s:
                committed = self._committed[partition] = member.committed(partition)
                self._lanes[partition] = Lane(
                    Shard(stream=self._topic, shard_id=shard_id_of(partition)),
                    open_path,
                    _position(committed),
                    clock=self._clock,
                    rng=self._rng,
                    wake=self._wake.set,
                )

    def _mind(self, member: Member, partition: int, lane: Lane) -> None:
        """Begin reading where the path says, read on where there is room, give up where the path has failed."""
        if lane.failure is not None:
            self._rest(member, partition)
            self._name_failure(lane, f"is given up for {self._settings.cool_down_s:.0f} s")
        elif lane.start is not None and lane.expected is None:
            self._begin(member, partition, lane, lane.start)
        elif lane.has_room:
            member.read_on(partition)
        else:
            member.hold(partition)

    def _name_failure(self, lane: Lane, what: str) -> None:
        """Raises it where the operator has to act."""
        if isinstance(lane.failure, ConfigError):
            raise lane.failure
        log.error("%s %s", lane.shard.shard_id, what, exc_info=lane.failure)

    def _begin(self, member: Member, partition: int, lane: Lane, start: int) -> None:
        oldest, end = member.bounds(partition)
        if start and not self._is_held(member, partition, start, oldest, end):
            return
        lane.expected = max(start, oldest)
        member.seek(partition, lane.expected)
        member.read_on(partition)

    def _hand_over(self, member: Member, partition: int, fetched: Sequence[Any]) -> None:
        lane = self._lanes.get(partition)
        if lane is None or lane.expected is None:  # fetched before the seek
            member.hold(partition)
            return
        if not lane.has_room:  # a rebalance has forgotten what is held
            member.seek(partition, lane.expected)
            member.hold(partition)
            return
        is_next = fetched[0].offset == lane.expected  # else compacted, trimmed, or back at the commit by a rebalance
        if not is_next and not self._is_held(member, partition, lane.expected, *member.bounds(partition)):
            return
        records = [record_of(one) for one in fetched if one.offset >= lane.expected]
        if not records:
            member.seek(partition, lane.expected)
            return
        is_tip = member.is_tip(partition, records[-1].position.sequence)
        lane.offer(Batch(shard=lane.shard, records=records), is_tip=is_tip)
        member.hold(partition)

    def _is_held(self, member: Member, partition: int, offset: int, oldest: int, end: int) -> bool:
        """Whether Kafka holds all from `offset` on, or the gap is accepted. Else the partition rests."""
        gap = gap_at(offset, oldest=oldest, end=end)
        if gap is None:
            return True
        name = f"{self._topic}/{shard_id_of(partition)}"
        if gap.may_be_accepted and self._settings.after_trim == "read_on":
            log.error("%s: records may be lost, reading on: %s", name, gap.text)
            return True
        log.error("%s is not read, records may be lost: %s; %s", name, gap.text, gap.advice)
        self._rest(member, partition)
        return False

    def _rest(self, member: Member, partition: int) -> None:
        self.failures += 1
        self._drop(partition)
        member.hold(partition)
        self._resting[partition] = self._clock.monotonic() + self._settings.cool_down_s

    def _drop(self, partition: int) -> None:
        lane = self._parting[partition] = self._lanes.pop(partition)
        lane.abandon()

    def _read_again(self, member: Member) -> None:
        for partition in self._lanes.keys() & member.assigned:
            expected = self._lanes[partition].expected
            if expected is not None:
                member.seek(partition, expected)

    def _commit(self, member: Member) -> bool:
        """What is durable and news. False in a rebalance. Raises Outage, LeaseLost."""
        self._commit_at_s = self._clock.monotonic() + self._settings.checkpoint_s
        ours = member.assigned
        news = {
            partition: lane.durable.sequence
            for partition, lane in self._lanes.items()
            if partition in ours and lane.durable and lane.durable.sequence > self._committed.get(partition, 0)
        }
        is_done = not news or member.commit(news)
        if is_done:
            self._committed |= news
        return is_done

    def _leave(self, member: Member) -> None:
        """The last commit, then out of the group: the others need not wait for the session to end."""
        give_up_s = self._clock.monotonic() + self._settings.session_s
        try:
            for partition in member.assigned:
                member.hold(partition)
            while not self._commit(member) and self._clock.monotonic() < give_up_s:
                member.poll(_POLL_S)  # no commit is taken in a rebalance
        except (Outage, LeaseLost, ConfigError) as trouble:
            log.warning("the last commit failed (%s): the successor repeats what is open", trouble)
        finally:
            member.leave()


def kafka_source(
    *,
    servers: str,
    topic: str,
    group: str,
    settings: KafkaSourceSettings,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> KafkaSource:
    """The source of `group` (an application's name) on the real service. Raises nothing: see `run`."""
    return KafkaSource(
        lambda: Member(servers=servers, topic=topic, group=group, settings=settings),
        topic=topic,
        settings=settings,
        clock=clock or SystemClock(),
        rng=rng or random.Random(),
    )


def _position(committed: int) -> Position | None:
    return Position(committed) if committed else None
