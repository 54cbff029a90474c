"""Live members as processes that share one topic: even shares, and nothing lost when one is killed."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.stages.testing import encoded, order
from infra.local.home import PROJECT

pytestmark = pytest.mark.integration

MEMBER = Path(__file__).with_name("reading_member.py")
PARTITIONS = 4
SESSION_S = 6.0  # as short as a broker takes it
SETTINGS = {"session_s": SESSION_S, "checkpoint_s": 0.5, "cool_down_s": 1.0}


class Group:
    """One application with a topic of four partitions; its members are processes."""

    def __init__(self, kafka: str, topic: str, folder: Path) -> None:
        self._kafka = kafka
        self._topic = topic
        self._folder = folder
        self._members: dict[str, subprocess.Popen[bytes]] = {}
        self._producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
        self.sent = 0

    def start(self, name: str) -> subprocess.Popen[bytes]:
        arguments = [self._kafka, self._topic, "live", str(self._out(name)), json.dumps(SETTINGS)]
        with (self._folder / f"{name}.log").open("ab") as log:
            self._members[name] = subprocess.Popen(
                [sys.executable, str(MEMBER), *arguments], cwd=PROJECT, env={"PYTHONPATH": "."}, stderr=log
            )
        return self._members[name]

    def put(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            line = encoded(order(event_id=f"e-{number}"), offset=number)
            self._producer.send(self._topic, line, partition=number % PARTITIONS)
        self.sent += count
        self._producer.flush()

    def written(self, *names: str) -> list[tuple[str, str]]:
        """(shard, event id) of all whole lines."""
        lines = [line for name in names if self._out(name).exists() for line in self._out(name).open()]
        return [(line.split()[0], line.split()[1]) for line in lines if line.endswith("\n")]

    def missing(self) -> set[str]:
        return {f"e-{number}" for number in range(self.sent)} - {event for _, event in self.written(*self._members)}

    def share(self, name: str) -> int:
        """Partitions that it has read of."""
        return len({shard for shard, _ in self.written(name)})

    def committed(self) -> int:
        """Records before the group's offsets, in all partitions."""
        consumer = KafkaConsumer(bootstrap_servers=self._kafka, group_id="live", enable_auto_commit=False)
        try:
            return sum(consumer.committed(TopicPartition(self._topic, number)) or 0 for number in range(PARTITIONS))
        finally:
            consumer.close()

    def stop(self) -> None:
        for member in self._members.values():
            if member.poll() is None:
                member.kill()
                member.wait()
        self._producer.close()

    def _out(self, name: str) -> Path:
        return self._folder / f"{name}.out"


@pytest.fixture
def group(kafka: str, new_topic: Callable[[int], str], tmp_path: Path) -> Iterator[Group]:
    group = Group(kafka, new_topic(PARTITIONS), tmp_path)
    try:
        yield group
    finally:
        group.stop()


def wait_for(condition: Callable[[], bool], patience_s: float = 40.0) -> float:
    """Seconds until `condition` held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < patience_s, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - started


def flow_until(group: Group, condition: Callable[[], bool]) -> None:
    def flows() -> bool:
        group.put(40)
        time.sleep(0.2)
        return condition()

    wait_for(flows)


def test_a_killed_members_partitions_are_read_on_and_another_joins_in_good_order(group: Group) -> None:
    victim = group.start("a")
    group.put(40)
    wait_for(lambda: not group.missing())
    survivor = group.start("b")
    flow_until(group, lambda: group.share("b") == 2)
    wait_for(lambda: not group.missing())
    group.put(200)
    victim.kill()
    victim.wait()
    group.put(200)
    assert wait_for(lambda: not group.missing()) < SESSION_S + 6.0  # two busy cores
    assert group.share("b") == 4

    # What the victim had read and not committed comes again to its successor, and nothing else does.
    times = Counter(event for _, event in group.written("a", "b"))
    again = {event for event, count in times.items() if count > 1}
    assert max(times.values()) <= 2
    assert again <= {event for _, event in group.written("a")} & {event for _, event in group.written("b")}

    last = group.start("c")
    flow_until(group, lambda: group.share("c") == 2)
    wait_for(lambda: not group.missing())
    last.terminate()
    assert last.wait(10) == 0
    group.put(40)
    assert wait_for(lambda: not group.missing()) < 5.0  # it left, so that nobody waits for its session to end
    survivor.terminate()
    assert survivor.wait(10) == 0
    assert group.committed() == group.sent
