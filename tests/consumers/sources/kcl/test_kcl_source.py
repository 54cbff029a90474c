"""What the source asks of the daemon, in which order; the daemon is in memory."""

import random
import threading
from collections.abc import Callable, Sequence

import pytest

from consumers.delivery import Backpressure, Path, Position, Shard
from consumers.sources.kcl.protocol import ProtocolError
from consumers.sources.kcl.source import KclSource
from consumers.sources.kcl.testing import SHARD_END, FakeDaemon
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance, run_source
from runtime.clock import SystemClock
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

Records = list[tuple[Position, bytes]]


def numbered(count: int, *, first: int = 1) -> Records:
    return [(Position(number), f"r-{number}".encode()) for number in range(first, first + count)]


def aggregate(sequence: int, count: int) -> Records:
    return [(Position(sequence, sub), f"r-{sequence}.{sub}".encode()) for sub in range(count)]


def run(daemon: FakeDaemon, path: Path, *, checkpoint_s: float = 0.0, clock: ManualClock | None = None) -> KclSource:
    source = KclSource(
        stream="orders",
        wire=daemon,
        checkpoint_s=checkpoint_s,
        clock=clock or ManualClock(),
        rng=random.Random(1),
    )
    source.run(lambda shard: path, threading.Event())
    return source


class Stopping(ScriptedPath):
    """Calls `after` once it was offered so many batches."""

    def __init__(self, offers: int, after: Callable[[], None], **script: object) -> None:
        self._left = offers
        super().__init__(on_offer=self._count, **script)  # type: ignore[arg-type]
        self._after = after

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._after()


def stopped_after(offers: int, daemon: FakeDaemon, stop: threading.Event, **script: object) -> ScriptedPath:
    path = Stopping(offers, stop.set, **script)
    run(daemon, path)
    return path


def test_the_checkpoint_is_asked_for_after_the_path_and_before_the_status() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(2), batch_size=2, stop=stop)
    path = stopped_after(1, daemon, stop)
    assert path.log == ["accept r-1,r-2", "settle"]
    assert daemon.log == [
        *("initialize", "status"),
        *("processRecords", "checkpoint 2.0", "status"),
        *("shutdownRequested", "status"),
        *("leaseLost", "status"),
    ]
    assert daemon.checkpoint == Position(2)


def test_the_checkpoint_trails_with_the_path_and_catches_up_at_the_stop() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(4), batch_size=2, stop=stop)
    stopped_after(2, daemon, stop, trails=3)
    assert [entry for entry in daemon.log if "checkpoint" in entry] == ["checkpoint 1.0", "checkpoint 4.0"]
    assert daemon.log.index("checkpoint 4.0") > daemon.log.index("shutdownRequested")


def test_the_shard_is_the_kcls_for_as_long_as_the_path_is_open() -> None:
    stop = threading.Event()
    seen: list[str | None] = []

    def look() -> None:
        seen.extend(status.owner for status in source.status())
        stop.set()

    source = KclSource(
        stream="orders",
        wire=FakeDaemon(numbered(2), batch_size=2, stop=stop),
        checkpoint_s=0.0,
        clock=ManualClock(),
        rng=random.Random(1),
    )
    path = ScriptedPath(on_offer=look)
    source.run(lambda shard: path, threading.Event())
    assert seen == ["the KCL"]
    assert [(status.owner, status.durable) for status in source.status()] == [(None, Position(2))]


@pytest.mark.parametrize("refusals", [[], ["ShutdownException"]])
def test_a_shard_that_is_finished_or_lost_is_nobodys_here(refusals: list[str]) -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(2), closed=not refusals, refusals=refusals, stop=stop)
    assert [status.owner for status in run(daemon, ScriptedPath(on_offer=stop.set)).status()] == [None]


def test_at_most_one_checkpoint_per_checkpoint_s() -> None:
    stop, clock = threading.Event(), ManualClock()
    daemon = FakeDaemon(numbered(6), batch_size=1, stop=stop)

    def offered() -> None:
        clock.advance(1.0)
        if len(path.taken) == 6:
            stop.set()

    path = ScriptedPath(on_offer=offered)
    run(daemon, path, checkpoint_s=2.0, clock=clock)
    saved = [entry for entry in daemon.log if "checkpoint" in entry]
    assert saved == ["checkpoint 1.0", "checkpoint 3.0", "checkpoint 5.0", "checkpoint 6.0"]


def test_an_empty_read_is_a_tick_and_what_it_ends_is_checkpointed() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(2), stop=stop)

    class Ticking(ScriptedPath):
        ticks = 0

        def tick(self) -> Position | None:
            self.ticks += 1
            if self.ticks == 2:
                self.settle_at_the_next_tick()
            if self.ticks == 3:
                stop.set()
            return super().tick()

    run(daemon, Ticking(trails=2))
    assert [entry for entry in daemon.log if "checkpoint" in entry] == ["checkpoint 2.0"]
    assert daemon.log.index("checkpoint 2.0") < daemon.log.index("shutdownRequested")


def test_backpressure_holds_the_answer_back() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(2), stop=stop)
    waits: list[float] = []
    daemon.wait = waits.append  # type: ignore[method-assign]
    trouble = {b"r-1": [Backpressure(3.0, "full"), Backpressure(4.0, "full"), Outage("away")]}
    path = stopped_after(4, daemon, stop, trouble=trouble)
    assert waits[:2] == [3.0, 4.0] and len(waits) == 3
    assert path.log == [*["accept r-1,r-2"] * 4, "settle"]
    assert daemon.log.count("processRecords") == 1


def test_a_daemon_that_dies_ends_the_wait() -> None:
    daemon = FakeDaemon(numbered(2))
    path = ScriptedPath(trouble={b"r-1": [Backpressure(3600.0, "full")]}, on_offer=daemon.hang_up)
    run(daemon, path)
    assert path.log == ["accept r-1,r-2"]
    assert daemon.checkpoint == "TRIM_HORIZON"


def test_what_a_path_raises_ends_the_process_without_an_answer() -> None:
    daemon = FakeDaemon(numbered(2))
    with pytest.raises(OSError, match="disk full"):
        run(daemon, ScriptedPath(trouble={b"r-1": [OSError("disk full")]}))
    assert daemon.log == ["initialize", "status", "processRecords"]


def test_a_lost_lease_stops_the_reading_and_nothing_more_is_accepted() -> None:
    daemon = FakeDaemon(numbered(30))
    path = Stopping(2, daemon.lose)
    run(daemon, path)
    assert path.log == ["accept " + ",".join(f"r-{n}" for n in range(first, first + 10)) for first in (1, 11)]
    assert daemon.checkpoint == Position(10)
    assert daemon.log[-5:] == ["processRecords", "checkpoint 20.0: ShutdownException", "status", "leaseLost", "status"]


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_checkpoint_that_fails_is_asked_for_again_with_the_next_read(error: str) -> None:
    stop = threading.Event()
    daemon = FakeDaemon(numbered(2), batch_size=1, stop=stop, refusals=[error])
    stopped_after(2, daemon, stop)
    saved = [entry for entry in daemon.log if "checkpoint" in entry]
    assert saved == [f"checkpoint 1.0: {error}", "checkpoint 2.0"]


def test_a_refusal_that_nobody_knows_ends_the_process() -> None:
    daemon = FakeDaemon(numbered(2), refusals=["IllegalArgumentException"])
    with pytest.raises(ProtocolError, match="IllegalArgumentException"):
        run(daemon, ScriptedPath())


def test_the_end_of_a_shard_is_settled_and_then_checkpointed_until_it_is_stored() -> None:
    daemon = FakeDaemon(numbered(3), closed=True, refusals=["ThrottlingException", "ThrottlingException"])
    path = ScriptedPath(trails=3)
    run(daemon, path)
    assert path.log[-1] == "settle"
    assert daemon.checkpoint == SHARD_END
    refused = "checkpoint None.None: ThrottlingException"
    assert daemon.log[-5:] == ["shardEnded", refused, refused, "checkpoint None.None", "status"]


def test_a_shard_is_not_ended_over_records_that_are_not_durable() -> None:
    class Forgetful(ScriptedPath):
        def settle(self) -> Position | None:
            return None

    daemon = FakeDaemon(numbered(3), closed=True)
    with pytest.raises(RuntimeError, match="settled"):
        run(daemon, Forgetful(trails=3))
    assert daemon.checkpoint == "TRIM_HORIZON"


def test_a_stop_that_cannot_settle_leaves_the_checkpoint_behind() -> None:
    class Stuck(ScriptedPath):
        def settle(self) -> Position | None:
            raise Backpressure(1.0, "the store is away")

    stop = threading.Event()
    daemon = FakeDaemon(numbered(3), stop=stop)
    run(daemon, Stuck(trails=2, on_offer=stop.set))
    assert daemon.checkpoint == Position(1)
    assert daemon.log[-1] == "status"


def test_restarted_inside_an_aggregate_the_rest_of_it_comes() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(aggregate(7, 5), checkpoint=Position(7, 2), stop=stop)
    assert stopped_after(1, daemon, stop).payloads == [b"r-7.3", b"r-7.4"]
    assert daemon.checkpoint == Position(7, 4)


def test_a_path_that_is_ahead_of_the_lease_takes_only_what_it_has_not() -> None:
    stop = threading.Event()
    daemon = FakeDaemon(aggregate(7, 3) + aggregate(8, 2), batch_size=2, checkpoint=Position(7, 0), stop=stop)
    path = stopped_after(1, daemon, stop, resume=Position(7, 2**31 - 1))
    assert path.payloads == [b"r-8.0"]


def test_a_position_past_the_last_record_is_asked_for_as_that_record() -> None:
    """Cold says that a record is durable whole; the daemon refuses positions that it never handed over."""

    class Whole(ScriptedPath):
        def accept(self, batch: object) -> Position | None:
            super().accept(batch)  # type: ignore[arg-type]
            return Position(7, 2**31 - 1)

    stop = threading.Event()
    daemon = FakeDaemon(aggregate(7, 3), stop=stop)
    run(daemon, Whole(on_offer=stop.set))
    assert daemon.checkpoint == Position(7, 2)


def test_a_path_behind_the_checkpoint_is_an_error_the_kcl_cannot_go_back() -> None:
    with pytest.raises(ConfigError, match="without --host kcl"):
        run(FakeDaemon(numbered(3), checkpoint=Position(9)), ScriptedPath(resume=Position(4)))


def _payloads(name: str, count: int) -> list[bytes]:
    return [f"{name}-{number}".encode() for number in range(count)]


class _Daemon:
    """As many processes as there are shards."""

    def __init__(self, records: Sequence[Records], checkpoints: list[Position | str]) -> None:
        self._records = records
        self._checkpoints = checkpoints

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        def child(number: int) -> None:
            daemon = FakeDaemon(
                self._records[number],
                shard_id=f"shardId-{number:012d}",
                checkpoint=self._checkpoints[number],
                stop=stop,
            )
            source = KclSource(
                stream="orders", wire=daemon, checkpoint_s=0.0, clock=SystemClock(), rng=random.Random(1)
            )
            try:
                source.run(open_path, stop)
            except OSError:
                pass  # the process is gone
            finally:
                self._checkpoints[number] = daemon.checkpoint

        threads = [threading.Thread(target=child, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class _Bench:
    def __init__(self) -> None:
        self._records: list[Records] = [[], []]
        self._checkpoints: list[Position | str] = ["TRIM_HORIZON", "TRIM_HORIZON"]

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        records = self._records[shard]
        for payload in payloads:
            records.append((Position(len(records) + 1), payload))

    def source(self) -> _Daemon:
        return _Daemon(self._records, self._checkpoints)


class TestKclSource(SourceConformance):
    @pytest.fixture
    def bench(self) -> SourceBench:
        return _Bench()

    def test_a_path_that_knows_better_says_where_to_read_on(self, bench: SourceBench) -> None:
        """Ahead of the lease only: the daemon cannot go back, see above."""
        bench.put(0, _payloads("a", 10))
        known = {"shardId-000000000000": Position(4)}
        paths = run_source(bench.source(), until=6, resume=known)
        assert paths["shardId-000000000000"].payloads == _payloads("a", 10)[4:]
