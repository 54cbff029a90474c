"""Cold while S3 is in trouble, and while another worker writes the same shard."""

import gc
import tracemalloc
from collections.abc import Sequence

import pyarrow as pa
import pytest

from consumers.cold_testing import ColdBench, ids, limited, mixed, orders
from consumers.delivery import Backpressure, Position, Record
from runtime.objects.testing import Fault

pytestmark = pytest.mark.unit


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
    offered = orders(2, 5_000)
    bench.fail(Fault.SLOW_DOWN)
    with pytest.raises(Backpressure, match="SlowDown"):
        path.accept(offered)
    held = bench.budget.held_bytes
    for _ in range(50):
        for attempt in (lambda: path.accept(offered), path.tick, path.settle):
            with pytest.raises(Backpressure):
                attempt()
    assert bench.budget.held_bytes == held
    puts = {entry for bucket in (bench.lake, bench.restricted) for entry in bucket.log if entry.startswith("put ")}
    assert len(puts) == 1  # the first object, again and again
    bench.fail(None)
    path.accept(offered)
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
    bench.clock.advance(20.0)
    durable = mine.tick()
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


def test_settling_leaves_nothing_open_where_another_worker_was_first() -> None:
    bench = ColdBench()
    mine, other = bench.path(), bench.path()
    for path in (mine, other):
        path.resume(None)
    mine.accept(orders(1, 5))
    other.accept(orders(1, 2))
    other.settle()
    assert mine.settle() == Position(5)


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
    assert counts == {"spans": 1, "orders": 1, "lines": 1, "hits": 0, "letters": 1, "account": 1}
    assert slowest_s == 30.0


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
