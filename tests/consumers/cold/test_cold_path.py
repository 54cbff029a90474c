import gc
import tracemalloc
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.cold import Limits
from consumers.cold_testing import LIMITS, ColdBench
from consumers.delivery import Backpressure, Batch, Position, Record
from consumers.objects.testing import Fault
from consumers.spans.budget import Budget
from consumers.stages.testing import ARRIVED_AT, SHARD, batch, encoded, heartbeat, order
from consumers.testing import PathConformance
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def orders(first: int, count: int, **changes: Any) -> Batch:
    """Records numbered from `first`; their events are e-FIRST and so on."""
    numbers = range(first, first + count)
    return batch([encoded(order(event_id=f"e-{n}", **changes), offset=n) for n in numbers], first=first)


def mixed(first: int) -> Batch:
    """An order, a letter and a heartbeat."""
    contents = [encoded(order(event_id=f"e-{first}"), offset=first), b"no json", msgspec.json.encode(heartbeat())]
    return batch(contents, first=first)


def limited(**changes: Any) -> ColdBench:
    limits = {"nbytes": LIMITS.nbytes, "records": LIMITS.records, "parts": LIMITS.parts, "age_s": LIMITS.age_s}
    return ColdBench(limits=Limits(**{**limits, **changes}))


def ids(bench: ColdBench) -> list[str]:
    return [row["event_id"] for row in bench.chained.rows("orders")]


def test_objects_then_originals_then_the_manifest_and_only_then_the_position() -> None:
    bench, log = ColdBench(), list[str]()

    def note(effect: str) -> None:
        operation, _, key = effect.partition(" ")
        log.append(f"{operation} {key.split('/day=')[0].split('/cold')[0]}")

    path = bench.path(effect=note)
    log.append(f"accepted, durable {path.accept(mixed(1))}")
    log.append(f"settled, durable {path.settle()}")
    assert log == [
        "accepted, durable None",
        "put data/orders",
        "put data/lines",
        "put data/letters",
        "put data/account",
        "put letters",
        "put raw",
        "append manifests",
        "settled, durable Position(sequence=3, sub_sequence=0)",
    ]
    bench.chained.check()


def test_every_record_is_a_row_and_comes_back_byte_for_byte() -> None:
    bench = ColdBench()
    offered = mixed(1)
    path = bench.path()
    path.accept(offered)
    path.settle()
    assert [record.data for record in bench.chained.originals()] == [record.data for record in offered.records]
    (letter,) = bench.chained.letters()
    assert (letter.data, letter.reasons, letter.position) == (b"no json", ["not_json"], Position(2))
    (beat,) = bench.chained.rows("account")
    assert (beat["file_id"], beat["end_offset"], beat["lines"]) == ("i-1-abc", 1101, 3)
    (manifest,) = bench.chained.manifests
    assert (manifest.worker, manifest.reference) == ("w-1", {"catalogue": "test"})
    (raw,) = manifest.raw
    ((file),) = raw.files
    size = len(msgspec.json.encode(order(event_id="e-1")))
    assert (file.file_id, file.first, file.end, file.lines) == ("i-1-abc", 1, 1 + size + 1, 1)


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=30)
        | st.builds(lambda n: encoded(order(event_id=f"e-{n}"), offset=n), st.integers(0, 5))
        | st.builds(lambda lines: msgspec.json.encode(heartbeat(lines=lines)), st.integers(-1, 3))
        | st.builds(lambda day: encoded(order(event_time=f"2026-11-{day:02d}T00:00:00Z")), st.integers(1, 30)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_records_in_are_rows_plus_letters_plus_heartbeats(contents: list[bytes], size: int, parts: int) -> None:
    bench = limited(records=4, parts=parts)
    path = bench.path()
    for first in range(0, len(contents), size):
        path.accept(batch(contents[first : first + size], first=first + 1))
    assert path.settle() == Position(len(contents))
    bench.chained.check()
    assert [record.data for record in bench.chained.originals()] == contents
    assert not bench.unreferenced()


def test_a_span_ends_by_count_by_bytes_and_by_objects() -> None:
    for limits in ({"records": 3_000}, {"nbytes": 1_300_000}, {"parts": 4, "records": 10_000}):
        bench = limited(nbytes=1 << 30, **limits) if "nbytes" not in limits else limited(records=10_000, **limits)
        path = bench.path()
        assert path.accept(orders(1, 2_500)) is None
        assert path.accept(orders(2_501, 2_500, event_time="2026-11-28T08:00:00Z")) == Position(4_548), limits


def test_a_span_ends_by_the_clock_with_and_without_new_records() -> None:
    bench = ColdBench()
    path = bench.path()
    path.accept(orders(1, 1))
    bench.clock.advance(19.9)
    assert path.tick() is None
    assert path.accept(orders(2, 1)) is None
    bench.clock.advance(0.1)
    assert path.tick() == Position(2)
    bench.clock.advance(60.0)
    assert path.tick() == Position(2)
    assert path.accept(orders(3, 1)) == Position(2)  # the clock of a span starts with its first record
    bench.clock.advance(20.0)
    assert path.accept(orders(4, 1)) == Position(4)
    assert [manifest.last for manifest in bench.chained.manifests] == [2, 4]


def test_a_span_ends_when_all_spans_together_hold_too_much() -> None:
    bench = ColdBench(budget=Budget(10_000))
    hog = object.__new__(type("Hog", (), {}))
    path = bench.path()
    assert path.accept(orders(1, 1)) is None
    bench.budget.hold(hog, 9_000)
    assert path.accept(orders(2, 1)) == Position(2)
    del hog
    assert path.accept(orders(3, 1)) == Position(2)
    del path
    assert bench.budget.held_bytes == 0


def test_records_of_one_sequence_stay_together() -> None:
    bench = limited(records=2)
    records = [
        Record(Position(sequence, sub), ARRIVED_AT, encoded(order(event_id=f"e-{sequence}-{sub}"), offset=sub))
        for sequence in (1, 2)
        for sub in range(3_000)
    ]
    path = bench.path()
    assert path.accept(Batch(shard=SHARD, records=records)) == Position(2, 2_999)
    assert [manifest.records for manifest in bench.chained.manifests] == [3_000, 3_000]
    successor = bench.path()
    resumed = successor.resume(Position(2, 2_999))
    assert resumed is not None
    assert resumed > Position(2, 2_999)
    assert resumed < Position(3)
    successor.accept(Batch(shard=SHARD, records=records))
    successor.settle()
    assert len(bench.chained.manifests) == 2


def test_a_record_of_the_stream_that_is_torn_over_two_batches_is_an_error() -> None:
    path = ColdBench().path()
    data = encoded(order())
    path.accept(Batch(shard=SHARD, records=[Record(Position(1, 0), ARRIVED_AT, data)]))
    with pytest.raises(RuntimeError, match="two batches"):
        path.accept(Batch(shard=SHARD, records=[Record(Position(1, 1), ARRIVED_AT, data)]))


def test_a_successor_reads_on_after_the_chain_whatever_the_lease_says() -> None:
    bench = limited(records=2)
    path = bench.path()
    for first in (1, 3, 5):
        path.accept(orders(first, 2))
    for checkpoint in (None, Position(2), Position(6)):
        resumed = bench.path().resume(checkpoint)
        assert resumed is not None
        assert resumed.sequence == 6


def test_a_checkpoint_that_the_chain_does_not_know_ends_the_process() -> None:
    with pytest.raises(ConfigError, match=r"\[lake\] bucket"):
        ColdBench().path().resume(Position(7))


def test_what_is_in_the_chain_already_is_skipped_silently() -> None:
    bench = ColdBench()
    first = bench.path()
    first.accept(orders(1, 4))
    first.settle()
    second = bench.path()
    second.accept(orders(1, 4))
    second.accept(orders(3, 4))
    assert second.settle() == Position(6)
    assert ids(bench) == [f"e-{n}" for n in range(1, 7)]


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.SLOW_DOWN])
def test_each_request_may_fail_once_and_is_made_again_with_the_same_key(fault: Fault) -> None:
    for failing in range(9):
        bench = ColdBench()
        path = bench.path()
        path.resume(None)
        path.accept(mixed(1))
        bench.next_faults(*[None] * failing, fault)
        for _ in range(2):
            try:
                path.settle()
            except Backpressure as pressure:
                assert 0 <= pressure.wait_s < 10
        bench.fail(None)
        assert path.tick() == Position(3)
        bench.chained.check()
        assert len(bench.chained.manifests) == 1
        assert not bench.unreferenced()


def test_while_s3_is_away_nothing_is_taken_and_memory_stands_still() -> None:
    bench = limited(records=2)
    path = bench.path()
    path.accept(orders(1, 1))
    bench.fail(Fault.SLOW_DOWN)
    with pytest.raises(Backpressure, match="SlowDown"):
        path.accept(orders(2, 5_000))
    held = bench.budget.held_bytes
    for _ in range(50):
        for attempt in (lambda: path.accept(orders(2, 5_000)), path.tick, path.settle):
            with pytest.raises(Backpressure):
                attempt()
    assert bench.budget.held_bytes == held
    puts = {entry for bucket in (bench.lake, bench.restricted) for entry in bucket.log if entry.startswith("put ")}
    assert len(puts) == 1  # the first object, again and again
    bench.fail(None)
    path.accept(orders(2, 5_000))
    assert path.settle() == Position(5_001)
    assert ids(bench) == [f"e-{n}" for n in range(1, 5_002)]
    assert not bench.unreferenced()


def test_trying_again_for_hours_takes_no_memory() -> None:
    bench = limited(records=2_000)
    path = bench.path()
    path.resume(None)
    bench.fail(Fault.BEFORE)
    offered = orders(1, 2_000)

    def try_often(times: int) -> int:
        for _ in range(times):
            with pytest.raises(Backpressure):
                path.accept(offered)
            bench.lake.log.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] + int(pa.total_allocated_bytes())

    tracemalloc.start()
    try:
        before = try_often(20)
        assert try_often(500) - before < 50_000
    finally:
        tracemalloc.stop()


def test_s3_away_at_the_first_look_is_backpressure_too() -> None:
    bench = ColdBench()
    bench.fail(Fault.BEFORE)
    path = bench.path()
    with pytest.raises(Backpressure):
        path.accept(orders(1, 1))
    bench.fail(None)
    path.accept(orders(1, 1))
    assert path.settle() == Position(1)


def test_slow_puts_are_no_trouble() -> None:
    bench = ColdBench()
    bench.fail(Fault.SLOW)
    path = bench.path()
    path.accept(orders(1, 3))
    assert path.settle() == Position(3)
    bench.chained.check()


def test_where_another_worker_was_first_its_span_stands_and_the_rest_is_judged_again() -> None:
    bench = ColdBench()
    mine, other = bench.path(worker="mine"), bench.path(worker="other")
    for path in (mine, other):
        path.resume(None)
    mine.accept(orders(1, 5))
    other.accept(orders(1, 2))
    other.settle()
    other.accept(orders(3, 1))
    other.settle()
    durable = mine.settle()
    assert durable is not None
    assert durable.sequence == 3
    assert mine.settle() == Position(5)
    assert [(m.worker, m.previous, m.last) for m in bench.chained.manifests] == [
        ("other", 0, 2),
        ("other", 2, 3),
        ("mine", 3, 5),
    ]
    assert ids(bench) == [f"e-{n}" for n in range(1, 6)]
    bench.chained.check()
    assert not bench.unreferenced()


def test_where_another_worker_is_ahead_mine_is_dropped_whole() -> None:
    bench = ColdBench()
    mine, other = bench.path(worker="mine"), bench.path(worker="other")
    for path in (mine, other):
        path.resume(None)
    mine.accept(orders(1, 2))
    other.accept(orders(1, 5))
    other.settle()
    durable = mine.settle()
    assert durable is not None
    assert durable.sequence == 5
    mine.accept(orders(3, 4))
    assert mine.settle() == Position(6)
    assert ids(bench) == [f"e-{n}" for n in range(1, 7)]


def test_what_cannot_be_deleted_stays_and_counts_for_nothing() -> None:
    bench = ColdBench()
    mine, other = bench.path(worker="mine"), bench.path(worker="other")
    for path in (mine, other):
        path.resume(None)
        path.accept(orders(1, 2))
    other.settle()
    bench.lake.trouble = lambda operation, key: Fault.BEFORE if operation == "delete" else None
    mine.settle()
    assert len(bench.unreferenced()) == 2
    assert ids(bench) == ["e-1", "e-2"]


def test_what_is_done_is_counted_once() -> None:
    bench = ColdBench()
    path = bench.path()
    path.accept(mixed(1))
    bench.next_faults(None, None, Fault.AFTER)
    bench.clock.advance(30.0)
    with pytest.raises(Backpressure):
        path.tick()
    path.tick()
    counts, slowest_s = bench.tally.take()
    assert counts == {"spans": 1, "orders": 1, "lines": 1, "letters": 1, "account": 1}
    assert slowest_s == 30.0


class _ColdEffects:
    def __init__(self) -> None:
        self._bench = ColdBench()
        self.path = self._bench.path()

    def identities(self) -> Collection[str]:
        return ids(self._bench)

    def trouble_once(self) -> None:
        self._bench.lake.next_faults(Fault.BEFORE)


class TestColdPath(PathConformance):
    @pytest.fixture
    def effects(self) -> _ColdEffects:
        return _ColdEffects()


class _SpanABatch(_ColdEffects):
    def __init__(self) -> None:
        self._bench = limited(records=1)
        self.path = self._bench.path()


class TestColdPathOfShortSpans(PathConformance):
    @pytest.fixture
    def effects(self) -> _SpanABatch:
        return _SpanABatch()


def test_what_a_path_holds_is_small_beside_what_it_takes() -> None:
    bench = limited(records=100_000, nbytes=1 << 30)
    path = bench.path()
    taken: list[Sequence[Record]] = []
    for first in range(1, 40_001, 5_000):
        offered = orders(first, 5_000)
        taken.append(offered.records)
        path.accept(offered)
    taken_bytes = sum(len(record.data) for records in taken for record in records)
    # Columns uncompressed until a row group is full, the raw records compressed.
    assert bench.budget.held_bytes < 2 * taken_bytes
