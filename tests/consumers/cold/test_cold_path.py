import datetime as dt
from collections.abc import Collection

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.cold_testing import ColdBench, ids, limited, mixed, orders
from consumers.delivery import Batch, Position, Record
from consumers.spans.budget import Budget
from consumers.stages.testing import ARRIVED_AT, SHARD, batch, encoded, heartbeat, order
from consumers.testing import PathConformance
from runtime.errors import ConfigError
from runtime.objects.testing import Fault

pytestmark = pytest.mark.unit


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
    assert (manifest.worker, manifest.reference) == ("w-1", {"catalogue": "fixed", "identity_key": "test"})
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
        durable = path.accept(orders(2_501, 2_500, event_time="2026-11-28T08:00:00Z"))
        assert durable is not None, limits
        assert 2_500 < durable.sequence < 5_000, limits


def test_an_import_whose_orders_are_each_of_another_day_makes_spans_of_few_objects() -> None:
    bench = limited(parts=8)
    path = bench.path()
    days = [dt.date(2021, 1, 1) + dt.timedelta(days=n) for n in range(600)]
    times = [f"{day}T12:00:00Z" for day in days]
    path.accept(batch([encoded(order(event_id=f"e-{n}", event_time=at), offset=n) for n, at in enumerate(times)]))
    path.settle()
    assert max(len(manifest.data) for manifest in bench.chained.manifests) <= 2 * 256
    bench.chained.check()


def test_the_buffers_of_many_objects_count_as_memory() -> None:
    bench = limited(parts=10_000)
    path = bench.path()
    path.accept(batch([encoded(order(event_time=f"20{n:02d}-01-01T12:00:00Z"), offset=n) for n in range(100)]))
    assert bench.budget.held_bytes > 100 * 2 * 16_384


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
    bench = ColdBench(budget=Budget(100_000))
    hog = object.__new__(type("Hog", (), {}))
    path = bench.path()
    assert path.accept(orders(1, 1)) is None
    bench.budget.hold(hog, 90_000)
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
