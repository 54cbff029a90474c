"""One invocation: what it answers is durable, and it names the lowest sequence that is not."""

import random
import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.delivery import Backpressure, Batch, Path, Position, Shard, Source
from consumers.sources.lambda_.events import delivery_of
from consumers.sources.lambda_.settings import LambdaSourceSettings
from consumers.sources.lambda_.testing import FakeContext, FakeMapping, event_of
from consumers.sources.lambda_.turn import Taken, Turn
from consumers.sources.testing import ScriptedPath, SourceBench, SourceConformance, run_source
from contract.kpl.aggregate import UserRecord, aggregated
from runtime.outage import Outage
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

SETTINGS = LambdaSourceSettings(run_records=2, patience_s=10.0, margin_s=5.0)


def packed(*contents: bytes) -> bytes:
    return aggregated([UserRecord("a", content) for content in contents])


def batch_from(contents: Sequence[bytes]) -> Batch:
    delivery = delivery_of(event_of(contents))
    assert delivery is not None
    return delivery.batch


def turn(clock: ManualClock, *, timeout_s: float = 60.0, settings: LambdaSourceSettings = SETTINGS) -> Turn:
    return Turn(FakeContext(clock, timeout_s), settings, clock, clock.advance, random.Random(1))


def take(path: Path, contents: Sequence[bytes], *, timeout_s: float = 60.0) -> Taken:
    return turn(ManualClock(), timeout_s=timeout_s).take(batch_from(contents), lambda shard: path)


def test_runs_are_accepted_in_order_then_all_is_settled_and_only_then_answered() -> None:
    path = ScriptedPath(trails=3)
    path.log.append(f"answered {take(path, [b'1', packed(b'2', b'3', b'4'), b'5'])}")
    assert path.log == ["accept 1,2", "accept 3,4", "accept 5", "settle", f"answered {Taken()}"]


def test_a_store_that_is_away_for_a_moment_is_waited_for() -> None:
    trouble: dict[bytes, list[Exception]] = {
        b"3": [Backpressure(3.0, "full"), Outage("away"), Backpressure(3.0, "full")]
    }
    path = ScriptedPath(trouble=trouble)
    assert take(path, [b"1", b"2", b"3"]) == Taken()
    assert path.log == ["accept 1,2", *["accept 3"] * 4, "settle"]


def test_a_store_that_stays_away_fails_the_lowest_sequence_that_is_not_durable() -> None:
    path = ScriptedPath(trouble={b"3": [Backpressure(4.0, "full")] * 100})
    assert take(path, [b"1", b"2", b"3", b"4"]) == Taken(failed=3, unfinished=2, why="full")
    assert path.log == ["accept 1,2", *["accept 3,4"] * 3, "settle"]  # at 0, 4 and 8 of 10 s


def test_an_aggregate_that_is_durable_in_part_fails_as_a_whole() -> None:
    path = ScriptedPath(trouble={b"4": [Backpressure(60.0, "full")]})
    assert take(path, [b"1", packed(b"2", b"3", b"4"), b"5"]) == Taken(failed=2, unfinished=3, why="full")


def test_a_path_that_cannot_be_opened_fails_the_first_sequence() -> None:
    def away(_: Shard) -> Path:
        raise Outage("OpenSearch: away")

    taken = turn(ManualClock()).take(batch_from([b"1", b"2"]), away)
    assert taken == Taken(failed=1, unfinished=2, why="OpenSearch: away")


def test_nothing_new_is_begun_close_to_the_end() -> None:
    clock = ManualClock()
    path = ScriptedPath(on_offer=lambda: clock.advance(30.0))
    taken = turn(clock, timeout_s=60.0).take(batch_from([b"%d" % n for n in range(1, 8)]), lambda shard: path)
    assert (taken.failed, taken.unfinished) == (5, 3)
    assert "timeout" in taken.why
    assert path.log == ["accept 1,2", "accept 3,4", "settle"]


def test_however_little_time_there_is_a_first_run_is_tried() -> None:
    path = ScriptedPath()
    assert take(path, [b"1", b"2", b"3"], timeout_s=1.0).failed == 3


def test_trouble_is_not_waited_for_beyond_the_functions_time() -> None:
    clock = ManualClock()
    path = ScriptedPath(trouble={b"1": [Backpressure(2.0, "full")] * 100})
    assert turn(clock, timeout_s=8.0).take(batch_from([b"1"]), lambda shard: path).failed == 1
    assert clock.monotonic() <= 3.0


def test_what_a_path_already_has_is_left_out() -> None:
    path = ScriptedPath(resume=Position(2, 0))
    assert take(path, [b"1", packed(b"2", b"3"), b"4"]) == Taken()
    assert path.payloads == [b"3", b"4"]


def test_a_path_that_settles_on_less_than_it_accepted_is_not_believed() -> None:
    class Forgetful(ScriptedPath):
        def settle(self) -> Position | None:
            return Position(1)

    taken = take(Forgetful(trails=100), [b"1", b"2"])
    assert (taken.failed, taken.unfinished) == (2, 1)
    assert "settled on less" in taken.why


def test_what_no_path_should_raise_is_raised() -> None:
    with pytest.raises(OSError, match="disk full"):
        take(ScriptedPath(trouble={b"3": [OSError("disk full")]}), [b"1", b"2", b"3"])


class _Store:
    """A path whose durable positions trail as `trails` says, and that meets trouble where `troubles` says so."""

    def __init__(self, trails: Sequence[int], troubles: Sequence[bool]) -> None:
        self.durable: set[Position] = set()
        self._open: list[Position] = []
        self._trails, self._troubles = list(trails), list(troubles)

    def resume(self, checkpoint: Position | None) -> Position | None:
        return None

    def tick(self) -> Position | None:
        raise AssertionError("there is no polling")

    def accept(self, batch: Batch) -> Position | None:
        self._meet()
        self._open += [record.position for record in batch.records]
        return self._flush(self._trails.pop() if self._trails else 0)

    def settle(self) -> Position | None:
        self._meet()
        return self._flush(0)

    def _meet(self) -> None:
        if self._troubles and self._troubles.pop():
            raise Backpressure(100.0, "full")

    def _flush(self, trail: int) -> Position | None:
        ready = self._open[: len(self._open) - trail]
        del self._open[: len(ready)]
        self.durable.update(ready)
        return max(self.durable, default=None)


contents_of_a_shard = st.lists(st.integers(1, 4), min_size=1, max_size=8).map(
    lambda sizes: [b"x" if size == 1 else packed(*[b"x"] * size) for size in sizes]
)


@given(contents_of_a_shard, st.lists(st.integers(0, 5)), st.lists(st.booleans()), st.integers(1, 5))
@example([packed(b"x", b"x", b"x")], [], [True, False], 1)
def test_the_sequence_that_fails_is_the_lowest_with_a_record_that_is_not_durable(
    contents: list[bytes], trails: list[int], troubles: list[bool], run_records: int
) -> None:
    store, batch = _Store(trails, troubles), batch_from(contents)
    settings = LambdaSourceSettings(run_records=run_records)
    taken = turn(ManualClock(), settings=settings).take(batch, lambda shard: store)
    missing = [record.position for record in batch.records if record.position not in store.durable]
    assert taken.failed == (missing[0].sequence if missing else None)
    assert taken.unfinished == len(missing)
    assert bool(taken.why) == bool(missing)


class _Invoked:
    """Lambda and the function together are a source. Each invocation opens a path of its own."""

    def __init__(self, mappings: Sequence[FakeMapping]) -> None:
        self._mappings = mappings

    def run(self, open_path: Callable[[Shard], Path], stop: threading.Event) -> None:
        while not stop.is_set():
            events = [(mapping, event) for mapping in self._mappings if (event := mapping.next_event())]
            for mapping, event in events:
                delivery, clock = delivery_of(event), ManualClock()
                assert delivery is not None
                settings = LambdaSourceSettings(run_records=1_000)
                try:
                    taken = turn(clock, settings=settings).take(delivery.batch, open_path)
                except OSError:
                    continue  # Lambda keeps its checkpoint, and sends the event again
                failures = [] if taken.failed is None else [{"itemIdentifier": str(taken.failed)}]
                mapping.answered(event, {"batchItemFailures": failures})
            if not events:
                stop.wait(0.01)


class _Bench:
    def __init__(self) -> None:
        self._mappings = [FakeMapping([], shard_id=f"shardId-00000000000{n}") for n in range(2)]

    def put(self, shard: int, payloads: Sequence[bytes]) -> None:
        self._mappings[shard].contents.extend(payloads)

    def source(self) -> Source:
        return _Invoked(self._mappings)


class TestInvoked(SourceConformance):
    @pytest.fixture
    def bench(self) -> SourceBench:
        return _Bench()

    def test_a_path_that_knows_better_says_where_to_read_on(self, bench: SourceBench) -> None:
        """The service alone reads: a path that has more may leave out, one that has less gets nothing again."""
        bench.put(0, [f"a-{n}".encode() for n in range(10)])
        known = {"shardId-000000000000": Position(4)}
        (path,) = run_source(bench.source(), until=6, resume=known).values()
        assert path.payloads == [f"a-{n}".encode() for n in range(4, 10)]


def test_a_path_that_cannot_say_what_it_has_fails_the_first_sequence() -> None:
    class Away(ScriptedPath):
        def resume(self, checkpoint: Position | None) -> Position | None:
            raise Outage("S3: away")

    path = Away()
    assert take(path, [b"1", b"2"]) == Taken(failed=1, unfinished=2, why="S3: away")
    assert path.log == []
