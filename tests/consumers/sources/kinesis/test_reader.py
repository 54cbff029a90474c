"""One shard's loop: read, accept, checkpoint, in this order, whatever happens in between."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import Backpressure, LeaseLost, Position, Shard, ShardEnded, Trimmed
from consumers.sources.kinesis.checkpoints import LATEST, SHARD_END, TRIM_HORIZON, Checkpoint
from consumers.sources.kinesis.leases import Lease
from consumers.sources.kinesis.reader import ShardReader
from consumers.sources.kinesis.settings import KinesisSourceSettings
from consumers.sources.kinesis.shards import is_readable
from consumers.sources.kinesis.stream import IteratorExpired, ShardInfo, Throttled
from consumers.sources.kinesis.tenure import Tenure
from consumers.sources.kinesis.testing import InMemoryLeaseTable, ScriptedStream, even_shards, fixed_random
from consumers.sources.testing import ScriptedPath
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

(ONE,) = even_shards(1)
SHARD = ONE.shard_id


class LoggingTable(InMemoryLeaseTable):
    """Also notes each checkpoint in `log`."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self._log = log

    def checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> Lease:
        saved = super().checkpoint(lease, checkpoint)
        self._log.append(f"checkpoint {checkpoint.text}")
        return saved


class LoggingPath(ScriptedPath):
    """Writes into a log that it shares with the stream and the table."""

    def __init__(self, log: list[str], **script: object) -> None:
        super().__init__(**script)  # type: ignore[arg-type]
        self.log = log


@dataclass
class World:
    """A stream of one shard, a lease table, a clock, and one log of all that happens."""

    page: int = 2
    settings: KinesisSourceSettings = field(default_factory=KinesisSourceSettings)

    def __post_init__(self) -> None:
        self.log: list[str] = []
        self.clock = ManualClock()
        self.table = LoggingTable(self.log)
        self.stream = ScriptedStream([ONE], page=self.page)
        self.stream.calls = self.log
        self.table.create(Lease(shard_id=SHARD, checkpoint=TRIM_HORIZON))

    def lease(self) -> Lease:
        return next(lease for lease in self.table.read_all() if lease.shard_id == SHARD)

    def reader(self, path: ScriptedPath, owner: str = "me") -> ShardReader:
        """A worker takes the lease and opens the path."""
        self.tenure = Tenure(
            self.table.take(self.lease(), owner),
            self.table,
            self.clock,
            failover_s=self.settings.failover_s,
            taken_at_s=self.clock.monotonic(),
        )
        return ShardReader(
            shard=Shard(stream="orders", shard_id=SHARD),
            stream=self.stream,
            tenure=self.tenure,
            path=path,
            settings=self.settings,
            clock=self.clock,
            rng=fixed_random(),
        )

    def steps(self, reader: ShardReader, count: int) -> list[float]:
        """Step and wait as asked, renewing meanwhile. Returns the waits."""
        waits = []
        for _ in range(count):
            waits.append(reader.step())
            self.clock.advance(waits[-1])
            self.tenure.renew()
        return waits


def test_records_are_read_accepted_and_only_then_checkpointed() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2")
    world.reader(LoggingPath(world.log)).step()
    assert world.log == [
        f"iterator {SHARD} TRIM_HORIZON",
        f"read {SHARD}:1",
        "accept 1,2",
        "checkpoint 2",
    ]


def test_a_shard_is_read_three_times_a_second_behind_or_not() -> None:
    world = World(page=1)
    world.stream.put(SHARD, b"1", b"2", b"3")
    assert world.steps(world.reader(ScriptedPath()), 5) == [pytest.approx(0.333)] * 5


def test_checkpoints_are_written_at_most_every_two_seconds_and_the_last_one_follows() -> None:
    world = World(page=1)
    world.stream.put(SHARD, *[b"%d" % number for number in range(1, 11)])
    world.steps(world.reader(ScriptedPath()), 20)
    assert [entry for entry in world.log if entry.startswith("checkpoint")] == [
        "checkpoint 1",
        "checkpoint 7",
        "checkpoint 10",
    ]


def test_the_checkpoint_is_the_paths_durable_position_not_what_was_read() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3", b"4")
    reader = world.reader(ScriptedPath(trails=3))
    world.steps(reader, 10)
    assert world.lease().checkpoint.sequence == 1
    assert (reader.taken, reader.durable) == (Position(4), Position(1))


def test_when_the_sink_raises_on_a_batch_it_comes_again_and_the_checkpoint_stays_before_it() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3", b"4")
    failing = world.reader(ScriptedPath(trouble={b"3": [OSError("disk full")]}))
    failing.step()
    world.clock.advance(5)
    world.tenure.renew()
    with pytest.raises(OSError, match="disk full"):
        failing.step()
    assert world.lease().checkpoint.sequence == 2
    again = ScriptedPath()
    world.steps(world.reader(again, owner="successor"), 2)
    assert again.payloads == [b"3", b"4"]


def test_backpressure_waits_as_asked_and_offers_the_same_batch_without_reading_again() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3")
    path = LoggingPath(world.log, trouble={b"1": [Backpressure(3.0, "full"), Backpressure(4.0, "full")]})
    assert world.steps(world.reader(path), 3)[:2] == [3.0, 4.0]
    assert [entry.split()[0] for entry in world.log] == [
        "iterator",
        "read",
        "accept",
        "accept",
        "accept",
        "checkpoint",
    ]
    assert path.payloads == [b"1", b"2"]


def test_a_lost_lease_ends_reading_without_a_checkpoint() -> None:
    world = World()
    world.stream.put(SHARD, b"1")
    path = ScriptedPath()
    reader = world.reader(path)
    world.table.take(world.lease(), "thief")
    with pytest.raises(LeaseLost):
        reader.step()
    with pytest.raises(LeaseLost):
        reader.step()
    with pytest.raises(LeaseLost):
        reader.finish()
    assert world.lease().checkpoint == TRIM_HORIZON
    assert world.lease().owner == "thief"


def test_a_zombie_that_wakes_after_the_failover_checkpoints_nothing_though_nobody_took_its_lease() -> None:
    world = World()
    world.stream.put(SHARD, b"1")
    path = ScriptedPath()
    reader = world.reader(path)
    world.clock.advance(10.0)
    with pytest.raises(LeaseLost):
        reader.step()
    assert path.log == []
    with pytest.raises(LeaseLost):
        world.tenure.renew()


def test_an_expired_iterator_is_replaced_at_the_last_processed_record() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3", b"4")
    path = ScriptedPath()
    reader = world.reader(path)
    world.steps(reader, 1)
    world.stream.trouble.append(IteratorExpired("five minutes"))
    world.steps(reader, 3)
    assert f"iterator {SHARD} 2" in world.log
    assert path.payloads == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("trouble", [Throttled("5 reads a second"), Outage("connection reset")])
def test_a_refused_read_waits_with_growing_jitter_and_loses_nothing(trouble: Exception) -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2")
    world.stream.trouble.extend([trouble] * 4)
    path = ScriptedPath()
    waits = world.steps(world.reader(path), 5)
    assert all(0.333 <= wait <= 0.333 + 0.1 * 2**attempt for attempt, wait in enumerate(waits[:4], start=1))
    assert len(set(waits)) == 5
    assert path.payloads == [b"1", b"2"]


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World()
    world.stream.trouble.extend([Outage("connection refused")] * 5)
    world.steps(world.reader(ScriptedPath()), 8)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "connection refused" in messages[0]
    assert "well again after" in messages[1]


def test_with_the_lease_table_away_reading_goes_on_and_the_checkpoint_follows() -> None:
    world = World(page=1)
    world.stream.put(SHARD, b"1", b"2")
    reader = world.reader(ScriptedPath())
    world.table.away = True
    reader.step()
    world.clock.advance(0.4)
    reader.step()
    world.clock.advance(2.0)
    world.table.away = False
    reader.step()
    assert world.lease().checkpoint.sequence == 2


def test_a_stop_settles_the_path_and_checkpoints_at_once() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3")
    reader = world.reader(LoggingPath(world.log, trails=100))
    world.steps(reader, 2)
    assert world.lease().checkpoint == TRIM_HORIZON
    reader.finish()
    assert world.log[-2:] == ["settle", "checkpoint 3"]


def test_a_path_that_cannot_settle_at_the_stop_leaves_the_last_durable_position() -> None:
    class Stuck(ScriptedPath):
        def settle(self) -> Position | None:
            raise Backpressure(5.0, "full")

    world = World(page=1)
    world.stream.put(SHARD, b"1", b"2")
    reader = world.reader(Stuck(trails=1))
    world.steps(reader, 2)
    reader.finish()
    assert world.lease().checkpoint.sequence == 1


def test_a_path_that_knows_better_is_read_on_after_its_own_position() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3", b"4")
    path = ScriptedPath(resume=Position(3))
    world.reader(path).step()
    assert path.payloads == [b"4"]


@pytest.mark.parametrize("initial", [TRIM_HORIZON, LATEST])
def test_a_shard_is_entered_where_its_lease_says(initial: Checkpoint) -> None:
    world = World()
    world.stream.put(SHARD, b"old")
    world.table.checkpoint(world.table.take(world.lease(), "me"), initial)
    path = ScriptedPath()
    reader = world.reader(path)
    world.clock.advance(1.0)
    reader.step()
    world.stream.put(SHARD, b"new", arrived_at=world.clock.now())
    world.steps(reader, 2)
    assert path.payloads == ([b"old", b"new"] if initial == TRIM_HORIZON else [b"new"])


def gap_behind_the_checkpoint(world: World) -> ShardReader:
    world.stream.put(SHARD, b"1", b"2", b"3", b"4", b"5")
    world.table.checkpoint(world.table.take(world.lease(), "me"), Checkpoint.at(Position(2)))
    world.stream.trim(SHARD, through=3)
    return world.reader(ScriptedPath())


def test_records_trimmed_behind_the_checkpoint_end_the_shard_and_name_the_gap() -> None:
    world = World()
    reader = gap_behind_the_checkpoint(world)
    with pytest.raises(Trimmed, match="no longer holds record 2, the oldest is 4"):
        reader.step()
    assert world.lease().checkpoint.sequence == 2


def test_an_operator_can_accept_the_gap(caplog: pytest.LogCaptureFixture) -> None:
    world = World(settings=replace(KinesisSourceSettings(), after_trim="read_on"))
    reader = gap_behind_the_checkpoint(world)
    reader.step()
    assert world.lease().checkpoint.sequence == 5
    assert "records may be lost" in caplog.text


def test_a_checkpoint_that_the_stream_does_not_know_ends_the_shard() -> None:
    world = World()
    world.table.checkpoint(world.table.take(world.lease(), "me"), Checkpoint.at(Position(7)))
    with pytest.raises(Trimmed, match="does not know"):
        world.reader(ScriptedPath()).step()


CHILDREN = (
    ShardInfo(shard_id="child-1", parents=frozenset({SHARD}), hash_range=(0, 2**127 - 1)),
    ShardInfo(shard_id="child-2", parents=frozenset({SHARD}), hash_range=(2**127, 2**128 - 1)),
)


def test_at_the_end_of_a_shard_the_path_settles_and_the_children_are_released() -> None:
    world = World()
    world.stream.put(SHARD, b"1", b"2", b"3")
    world.stream.children = {SHARD: CHILDREN}
    reader = world.reader(LoggingPath(world.log, trails=1))
    world.steps(reader, 1)
    with pytest.raises(ShardEnded):
        reader.step()
    assert world.log[-3:] == ["accept 3", "settle", "checkpoint SHARD_END"]
    leases = {lease.shard_id: lease for lease in world.table.read_all()}
    assert leases[SHARD].children == {"child-1", "child-2"}
    for child in CHILDREN:
        assert leases[child.shard_id].checkpoint == TRIM_HORIZON
        assert leases[child.shard_id].parents == {SHARD}
        assert is_readable(leases[child.shard_id], leases)


def test_a_shard_end_that_the_path_cannot_settle_waits_and_is_tried_again() -> None:
    class Full(LoggingPath):
        full = 2

        def settle(self) -> Position | None:
            if self.full:
                self.full -= 1
                raise Backpressure(1.5, "full")
            return super().settle()

    world = World()
    world.stream.put(SHARD, b"1")
    world.stream.children = {SHARD: CHILDREN}
    reader = world.reader(Full(world.log))
    assert world.steps(reader, 2) == [1.5, 1.5]
    with pytest.raises(ShardEnded):
        reader.step()
    assert world.lease().checkpoint == SHARD_END


def test_a_path_that_settles_short_of_what_it_accepted_does_not_end_the_shard() -> None:
    class Forgetful(ScriptedPath):
        def settle(self) -> Position | None:
            return None

    world = World()
    world.stream.put(SHARD, b"1")
    world.stream.children = {SHARD: CHILDREN}
    with pytest.raises(RuntimeError, match="settled"):
        world.reader(Forgetful(trails=1)).step()
    assert world.lease().checkpoint == TRIM_HORIZON


def test_a_shard_end_in_the_middle_of_which_the_table_goes_away_is_repeated() -> None:
    world = World()
    world.stream.put(SHARD, b"1")
    world.stream.children = {SHARD: CHILDREN}
    reader = world.reader(ScriptedPath())
    world.table.away = True
    assert reader.step() >= 0.333
    world.table.away = False
    with pytest.raises(ShardEnded):
        reader.step()
    assert world.lease().checkpoint == SHARD_END


def test_every_crash_point_leaves_a_checkpoint_that_loses_nothing() -> None:
    def deliver(fail: Callable[[World, ShardReader], None], steps: int) -> list[bytes]:
        world = World(page=3)
        world.stream.put(SHARD, *[b"%d" % number for number in range(20)])
        first = ScriptedPath(trails=2)
        reader = world.reader(first)
        world.steps(reader, steps)
        fail(world, reader)
        durable = first.payloads[: max(0, world.lease().checkpoint.sequence)]
        second = ScriptedPath()
        world.steps(world.reader(second, owner="successor"), 10)
        return durable + second.payloads

    for steps in range(9):
        expected = [b"%d" % number for number in range(20)]
        assert deliver(lambda world, reader: None, steps) == expected
        assert deliver(lambda world, reader: reader.finish(), steps) == expected


def test_reading_resumes_inside_an_aggregate() -> None:
    """The checkpoint stands in the middle of record 1: its first part is dropped, the rest is not lost."""
    world = World()
    world.stream.put_aggregate(SHARD, b"1a", b"1b", b"1c")
    world.stream.put(SHARD, b"2")
    world.table.checkpoint(world.lease(), Checkpoint.at(Position(1, 1)))
    path = ScriptedPath()
    reader = world.reader(path)
    reader.step()
    assert path.payloads == [b"1c", b"2"]
    assert reader.durable == Position(2)


TROUBLES = [IteratorExpired("five minutes"), Throttled("slower"), Outage("reset")]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=8),  # user records in each stream record
    page=st.integers(1, 3),
    start=st.integers(0, 30),
    troubles=st.lists(st.none() | st.sampled_from(TROUBLES), max_size=12),
)
def test_whatever_goes_wrong_exactly_what_follows_the_checkpoint_is_accepted_in_order(
    sizes: list[int], page: int, start: int, troubles: list[Exception | None]
) -> None:
    world, sent = World(page=page), list[tuple[Position, bytes]]()
    for sequence, size in enumerate(sizes, start=1):
        payloads = [b"%d.%d" % (sequence, sub) for sub in range(size)]
        world.stream.put_aggregate(SHARD, *payloads)
        sent += [(Position(sequence, sub), payload) for sub, payload in enumerate(payloads)]
    done = start % (len(sent) + 1)
    if done:
        world.table.checkpoint(world.lease(), Checkpoint.at(sent[done - 1][0]))
    path = ScriptedPath()
    reader = world.reader(path)
    for trouble in troubles:
        world.stream.trouble.extend([trouble] if trouble else [])
        world.steps(reader, 1)
    world.steps(reader, 40)
    assert path.payloads == [payload for _, payload in sent[done:]]


def test_a_path_without_news_is_given_the_time() -> None:
    world = World()
    world.stream.put(SHARD, b"1")
    path = ScriptedPath(trails=1)
    reader = world.reader(path)
    world.steps(reader, 2)
    assert reader.durable is None
    path.settle_at_the_next_tick()
    world.steps(reader, 1)
    assert reader.durable == Position(1)


@pytest.mark.parametrize("trouble", [Outage("no route"), Throttled("slower"), IteratorExpired("old")])
def test_while_the_stream_cannot_be_read_a_path_is_given_the_time_too(trouble: Exception) -> None:
    world, path = World(), ScriptedPath(trails=1)
    world.stream.put(SHARD, b"1", b"2")
    reader = world.reader(path)
    reader.step()
    world.clock.advance(world.settings.checkpoint_s)
    world.stream.trouble.append(trouble)
    path.settle_at_the_next_tick()
    assert reader.step() >= world.settings.poll_s
    assert world.lease().checkpoint.sequence == 2


def test_a_path_that_has_not_said_where_to_read_on_is_given_nothing() -> None:
    class Away(ScriptedPath):
        def resume(self, checkpoint: Position | None) -> Position | None:
            raise Outage("its store is away")

        def tick(self) -> Position | None:
            raise AssertionError("not yet")

    world = World()
    assert world.reader(Away()).step() > 0
