"""Readiness: what fits, what breaks first, and what helps."""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.kinesis.streams import Stream, Streams
from infra.local.kinesis.testing import ManualClock
from loadtests.bench.orders import lines
from loadtests.bench.report import Figure, as_fields
from loadtests.bench.results import Outcome, Results
from loadtests.readiness import command
from loadtests.readiness.limits import PeakPlan
from loadtests.readiness.measured import Capacities, Capacity, capacities_of
from loadtests.readiness.sample import EventSample, lines_of_export, sample_of
from loadtests.readiness.stream import Filling, Growth, Step, holds_up_to, shards_for, simulate, warmed
from loadtests.readiness.verdict import Readiness, assess
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

_KEYS = 1 << 128
PLENTY = Capacity(value=1e9, source="made up")
ENOUGH = Capacities(agent=PLENTY, live=PLENTY, node=PLENTY, cold=PLENTY, warehouse=PLENTY)


def sample(*, hot: int = 1, keys: int = 256, event_bytes: float = 512.0, together: float = 100.0) -> EventSample:
    """Keys as even as can be, but for the first, which has so many events."""
    spread = {number * (_KEYS // keys): 1 for number in range(keys)}
    return EventSample(hash_keys={**spread, 0: hot}, event_bytes=event_bytes, events_a_record=together, order_rows=3.0)


def plan(
    peak: float, *, start: float = 1000.0, step_s: float = 30.0, shards: int = 0, headroom: float = 1.25
) -> PeakPlan:
    step = Step(start=min(start, peak), peak=peak, step_s=step_s, hold_s=60.0)
    return PeakPlan(step=step, shards=shards, headroom=headroom)


def ready(
    peak: float, *, warm: Sequence[float] = (), start: float = 1000.0, capacities: Capacities = ENOUGH
) -> Readiness:
    return assess(plan(peak, start=start), sample(), capacities, warm=warm)


PEAKS = st.floats(1.0, 200_000.0)
STEPS = st.one_of(st.just(0.0), st.floats(1.0, 120.0), st.floats(120.0, 3000.0))


@settings(max_examples=50, deadline=None)
@given(low=PEAKS, high=PEAKS, step_s=STEPS, hot=st.integers(1, 100))
def test_a_higher_peak_never_fits_where_a_lower_one_does_not(low: float, high: float, step_s: float, hot: int) -> None:
    low, high = sorted((low, high))
    fits = [assess(plan(peak, start=1.0, step_s=step_s), sample(hot=hot), ENOUGH).fits for peak in (low, high)]
    assert fits[0] or not fits[1]


@settings(max_examples=50, deadline=None)
@given(start=st.floats(1.0, 20_000.0), rate=PEAKS, step_s=STEPS, hot=st.integers(1, 100))
def test_warm_throughput_never_hurts(start: float, rate: float, step_s: float, hot: int) -> None:
    filling = Filling(sample(hot=hot))
    step = Step(start=start, peak=start, step_s=step_s)
    cold = shards_for(filling, start)
    assert holds_up_to(filling, step, warmed(filling, cold, rate)) >= holds_up_to(filling, step, cold)


@settings(max_examples=50, deadline=None)
@given(peak=st.floats(1.0, 100_000.0), step_s=STEPS, hot=st.integers(1, 3))
def test_the_warm_throughput_that_is_advised_is_enough(peak: float, step_s: float, hot: int) -> None:
    found = assess(plan(peak, start=1.0, step_s=step_s), sample(hot=hot), ENOUGH)
    if "--warm" in found.limits[0].advice:
        warm = assess(plan(peak, start=1.0, step_s=step_s), sample(hot=hot), ENOUGH, warm=[found.wanted])
        assert found.limits[0] in found.short and warm.limits[0] not in warm.short
        assert warm.options[-1].step.at_rate is None


@settings(max_examples=50, deadline=None)
@given(shards=st.integers(1, 100), keys=st.dictionaries(st.integers(0, _KEYS - 1), st.integers(1, 50), min_size=1))
def test_splitting_every_shard_makes_none_busier(shards: int, keys: dict[int, int]) -> None:
    some = EventSample(hash_keys=keys, event_bytes=1.0, events_a_record=1.0, order_rows=1.0)
    assert 1 / (2 * shards) <= some.hottest_share(2 * shards) <= some.hottest_share(shards) <= 1.0


def test_a_tenfold_step_throttles_until_the_shards_have_split_often_enough() -> None:
    filling = Filling(sample())  # 2,048 events/s a shard
    step = Step(start=4000.0, peak=40_000.0, step_s=30.0, hold_s=3600.0)
    assert shards_for(filling, 4000.0) == 4
    done = simulate(filling, step, 4)
    assert done.at_rate is not None and 8192 < done.at_rate < 10_000  # what four even shards take
    assert done.at_s is not None and done.at_s < 30
    assert done.shards_after >= 32  # 8 after a minute, 16 and 32 a quarter of an hour later each
    assert 30 * 60 < done.lasts_s < 2 * 3600  # and then what waited is sent
    assert simulate(filling, step, 32).lasts_s == 0.0
    assert simulate(filling, step, 16).longest_wait_s < done.longest_wait_s


def test_a_stream_that_is_more_than_half_full_is_split_after_a_minute() -> None:
    filling, step = Filling(sample()), Step(start=4000.0, peak=14_000.0, step_s=600.0, hold_s=600.0)
    growth, shards = Growth(filling, 4), []
    for second in range(121):
        shards.append(growth.at(second))
        growth.store(step.rate(second))
    assert shards == [4] * 60 + [8] * 61
    assert simulate(filling, step, 4).at_rate is None
    assert holds_up_to(filling, step, 4) == pytest.approx(8 * 2048, rel=0.02)


def test_readers_gain_from_a_split_what_writers_do() -> None:
    asked = replace(plan(12_000.0, start=4000.0, step_s=600.0), shards=4)
    found = assess(asked, sample(), ENOUGH)
    stream, _, reads = found.limits[:3]
    assert found.fits and stream.rate == reads.rate
    assert found.first is stream  # the earlier on the way
    assert assess(replace(asked, polling_readers=1), sample(), ENOUGH).limits[2].rate == pytest.approx(2 * reads.rate)


def on_the_server(shards: int, rates: Iterable[float], every_s: int = 60) -> Iterator[tuple[Stream, float]]:
    """The local Kinesis's own stream, on a clock that is turned: each rate once it has followed what was stored."""
    clock = ManualClock()
    with TemporaryDirectory() as folder:
        streams = Streams(Path(folder), clock, limits=True)
        streams.create("orders", "ON_DEMAND", shards)
        stream = streams.get("orders", "1")
        for rate in rates:
            streams.follow(stream)
            yield stream, rate
            clock.advance(every_s)


@settings(max_examples=25, deadline=None)
@given(
    shards=st.sampled_from([4, 7, 16]),
    rates=st.lists(st.floats(0.0, 40_000.0) | st.sampled_from([0.0, 4096.0, 4097.0]), min_size=1, max_size=60),
)
def test_shards_follow_traffic_as_they_do_in_the_local_kinesis(shards: int, rates: list[float]) -> None:
    filling = Filling(sample())
    theirs, ours, growth = [], [], Growth(filling, shards)
    for stream, rate in on_the_server(shards, rates):
        theirs.append(stream.open_shards)
        stream.meter.count(*filling.counted(60 * rate))
    for minute, rate in enumerate(rates):
        ours.append(growth.at(60 * minute))
        growth.store(60 * rate)
    assert ours == theirs


@pytest.mark.parametrize(
    "step",
    [
        Step(start=4000.0, peak=40_000.0, step_s=30.0, hold_s=600.0),
        Step(start=1000.0, peak=20_000.0, step_s=0.0, hold_s=1200.0),
        Step(start=4000.0, peak=30_000.0, step_s=900.0, hold_s=900.0),
    ],
)
def test_a_step_does_to_the_simulated_stream_what_it_does_to_the_local_kinesis(step: Step) -> None:
    filling, waiting = Filling(sample()), 0.0
    waits_at: list[int] = []
    queue: deque[list[float]] = deque()  # second, events of it that wait
    longest_s = 0.0
    for second, (stream, rate) in enumerate(on_the_server(4, map(step.rate, range(7200)), every_s=1)):
        waiting += rate
        taken = min(waiting, 2048.0 * stream.open_shards)
        waiting -= taken
        stream.meter.count(*filling.counted(taken))
        queue.append([second, rate])
        while queue and queue[0][1] <= taken + 1e-6:
            taken -= queue.popleft()[1]
        if queue:
            queue[0][1] -= taken
            longest_s = max(longest_s, second + 1 - queue[0][0])
        if waiting > 1e-6 * rate:
            waits_at.append(second)
        elif second >= step.step_s + step.hold_s:
            break
    found = simulate(filling, step, 4)
    assert waits_at and (found.at_s, found.lasts_s) == (waits_at[0], waits_at[-1] + 1 - waits_at[0])
    assert (found.shards_after, found.is_over) == (stream.open_shards, True)
    assert found.longest_wait_s == pytest.approx(longest_s, abs=1.0)


def test_a_rise_is_followed_to_its_end_however_long_it_takes() -> None:
    found = simulate(Filling(sample()), Step(start=4000.0, peak=300_000.0, step_s=8 * 3600.0, hold_s=60.0), 4)
    assert found.at_s is not None and found.at_s > 6 * 3600  # 128 shards are all that four become
    assert found.is_over


def test_what_waits_for_a_key_that_is_too_hot_may_wait_for_ever() -> None:
    hot = EventSample(hash_keys={0: 1}, event_bytes=512.0, events_a_record=100.0, order_rows=3.0)
    step = Step(start=3000.0, peak=3000.0, step_s=0.0, hold_s=0.0)
    assert not simulate(Filling(hot), step, 4).is_over  # one shard takes 2,048


def test_what_the_slow_rise_reaches_is_more_than_the_step_does() -> None:
    filling = Filling(sample())
    limits = [holds_up_to(filling, Step(start=4000.0, peak=0.0, step_s=step_s), 4) for step_s in (30.0, 7200.0)]
    assert limits[0] == pytest.approx(8192, rel=0.02)
    assert limits[1] > 2 * limits[0]


def test_plain_records_break_at_a_thousand_a_second_and_shard() -> None:
    filling = Filling(sample(event_bytes=300.0, together=1.0))
    assert filling.capacity(4) == pytest.approx(4000.0)


def test_a_hot_key_breaks_first_however_many_shards_there_are() -> None:
    found = assess(plan(9000.0, shards=64), sample(hot=255), ENOUGH)
    assert found.first is not None and found.first.part in ("stream", "hottest key")
    key = next(limit for limit in found.limits if limit.part == "hottest key")
    assert key.rate == pytest.approx(2 * 2048.0)
    assert not found.fits
    assert "64 shards are not enough" in found.limits[0].advice or "spread the keys" in found.limits[0].advice


def test_the_first_part_to_break_is_named_with_its_rate_and_what_to_do() -> None:
    slow = Capacities(
        agent=PLENTY, live=Capacity(value=2500.0, source="bench live"), node=PLENTY, cold=PLENTY, warehouse=PLENTY
    )
    found = ready(3000.0, capacities=slow)
    assert found.first is not None
    assert (found.first.part, found.first.rate, found.fits) == ("live", 2500.0, False)
    assert "2 of them take 3,750/s" in found.first.advice
    assert ready(2000.0, capacities=slow).fits  # 2,500 with headroom


def test_the_warehouse_takes_an_order_with_its_lines() -> None:
    rows = Capacities(
        agent=PLENTY, live=PLENTY, node=PLENTY, cold=PLENTY, warehouse=Capacity(value=9000.0, source="bench")
    )
    found = ready(1000.0, capacities=rows)
    assert found.first is not None and (found.first.part, found.first.rate) == ("warehouse", 3000.0)


def test_what_was_never_measured_does_not_fit() -> None:
    found = ready(10.0, capacities=capacities_of(Results()))
    assert not found.fits and not found.short
    assert [limit.part for limit in found.unknown] == ["agents", "live", "OpenSearch", "cold", "warehouse"]


def test_what_our_parts_reach_is_read_from_the_committed_benchmarks() -> None:
    def one(bench: str, name: str, unit: str, value: float, beside: float) -> Outcome:
        figure = Figure(
            name=name,
            unit=unit,
            better="lower",
            target=1.0,
            values=[value],
            baseline="x",
            baseline_values=[beside],
        )
        return msgspec.convert({**as_fields(bench, [figure]), "date": "2026-11-27T08:00:00+00:00"}, Outcome)

    measured = Results()
    for outcome in (
        one("producers", "aggregated", "CPU-s/M lines", 5.0, 10.0),
        one("live", "drain_rate", "events/s", 6000.0, 8000.0),
        one("cold", "cpu", "CPU-s/M orders", 20.0, 10.0),
        one("warehouse", "take_vs_write_dataframe", "rows/s", 30_000.0, 1000.0),
    ):
        measured = measured.having(outcome)
    of = capacities_of(measured)
    found = [each.value for each in (of.agent, of.live, of.node, of.cold, of.warehouse) if each]
    assert found == [200_000.0, 6000.0, 8000.0, 50_000.0, 30_000.0]
    assert of.live and of.live.source.startswith("bench live, drain_rate, 2026-11-27 on ")
    plain = capacities_of(measured, aggregate=False)
    assert plain.agent is None and plain.cold is None and plain.live == of.live  # those of aggregates are not theirs


def test_without_warm_throughput_the_one_that_is_needed_is_shown_beside() -> None:
    found = ready(40_000.0)
    bare, needed = found.options
    assert not found.fits and (bare.step.lasts_s > 0, needed.step.lasts_s) == (True, 0.0)
    assert "--warm 50000" in found.limits[0].advice
    assert ready(40_000.0, warm=[20_000.0, 50_000.0]).fits
    assert [option.shards for option in ready(40_000.0, warm=[20_000.0, 50_000.0]).options] == [4, 16, 32]


def test_a_peak_that_needs_more_shards_than_doubling_reaches_is_given_the_most_allowed() -> None:
    many = sample(keys=9600)  # as good as even over 128, 150 and 200 shards
    peak = 147 * 2048 / 1.25
    found = assess(plan(peak), many, ENOUGH)
    assert "--shards 200" in found.limits[0].advice
    assert (found.options[-1].shards, found.options[-1].step.at_rate) == (200, None)
    assert assess(plan(peak), many, ENOUGH, warm=[found.wanted]).fits
    assert assess(plan(peak, shards=150), many, ENOUGH).fits
    beyond = assess(plan(peak * 4 / 3 * 1.05), many, ENOUGH)
    assert "200 shards are not enough either" in beyond.limits[0].advice


def test_a_rate_of_millions_is_advised_in_full() -> None:
    tiny = sample(event_bytes=20.0, together=10_000.0)
    found = assess(plan(1_234_567.0), tiny, ENOUGH)
    assert "--warm 1543209)" in found.limits[0].advice  # rounded up: less would not be enough


def test_a_sample_of_real_lines_has_the_keys_and_the_size_of_the_agents_records() -> None:
    same = [line.replace(b'"customer_id":"', b'"customer_id":"ONE", "was":"') for line in lines(100)]
    one = sample_of(same)
    assert (one.hottest_key_share, one.hottest_share(64)) == (1.0, 1.0)
    assert 500 < one.event_bytes < 700 and one.events_a_record > 300
    assert one.order_rows == 3.0
    assert sample_of(same, aggregate=False).events_a_record == 1.0


def test_a_line_that_no_record_can_hold_does_not_end_the_sample() -> None:
    some = list(lines(100))
    found = sample_of([b"x" * (2 << 20), *some[:50], b"y" * (2 << 20), *some[50:]])
    assert sum(found.hash_keys.values()) == 100


def test_one_line_is_a_sample_and_a_torn_one_is_a_letter() -> None:
    whole = next(lines(1))
    assert (sample_of([whole]).hottest_key_share, sample_of([whole]).order_rows) == (1.0, 3.0)
    assert sample_of([whole, whole[:100]]).order_rows == 2.0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\r\n",
        b"".join(line[: len(line) // 2] + b"\n" for line in lines(20)),
        b'203.0.113.9 - - [27/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8"\n' * 20,
        bytes(range(256)) * 20,
        b"[" * 100_000,
    ],
    ids=["empty", "blank", "torn", "access", "not UTF-8", "deep"],
)
def test_a_file_without_orders_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "spool"
    file.write_bytes(content)
    done = CliRunner().invoke(command.readiness, ["--peak", "10", "--sample", str(file)])
    assert isinstance(done.exception, ConfigError) and "name a spool file with orders" in str(done.exception)


def test_an_export_is_sampled_as_the_replay_would_write_it(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    rows = [f"{number // 2},A{number},x,1,2011-11-0{1 + number % 2} 10:00:00,2.50,17850,UK" for number in range(40)]
    file.write_text("\n".join([head, *rows]))
    found = sample_of(lines_of_export(file, "online-retail"))
    assert (sum(found.hash_keys.values()), found.hottest_key_share, found.order_rows) == (20, 1.0, 3.0)


def test_the_command_says_why_it_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "capacities_of", lambda results, aggregate: ENOUGH)
    spool = tmp_path / "orders.ndjson"
    spool.write_bytes(b"\n".join(lines(2_000)))
    asked = ["--peak", "40000", "--from", "1000", "--sample", str(spool)]
    done = CliRunner().invoke(command.readiness, asked)
    assert done.exit_code == 1
    assert "THE PEAK DOES NOT FIT" in done.stdout and "first to break: stream" in done.stdout
    warm = CliRunner().invoke(command.readiness, [*asked, "--warm", "80000", "--fan-out", "--json"])
    told = json.loads(warm.stdout)
    assert (warm.exit_code, told["fits"], told["options"][-1]["step"]["at_rate"]) == (0, True, None)
    assert CliRunner().invoke(command.readiness, ["--peak", "10", "--from", "20"]).exit_code != 0


def measurable(monkeypatch: pytest.MonkeyPatch, lacking: str = "") -> None:
    """Benches of the registry that say at once what they found, but for one that lacks something."""

    def one(bench: str, name: str, value: float, beside: float) -> SimpleNamespace:
        def run() -> list[Figure]:
            if bench == lacking:
                raise ConfigError(f"{bench} lacks its log")
            figure = Figure(
                name=name,
                unit="x",
                better="lower",
                target=1.0,
                values=[value],
                baseline="x",
                baseline_values=[beside],
            )
            return [figure]

        return SimpleNamespace(run=run)

    for bench, name, value, beside in (
        ("producers", "aggregated", 5.0, 10.0),
        ("live", "drain_rate", 6000.0, 8000.0),
        ("cold", "cpu", 20.0, 10.0),
        ("warehouse", "take_vs_write_dataframe", 30_000.0, 1000.0),
    ):
        monkeypatch.setitem(sys.modules, f"loadtests.bench.{bench}", one(bench, name, value, beside))
    monkeypatch.setattr(command, "read", lambda: pytest.fail("the committed table is not asked"))


def test_what_is_measured_now_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    measurable(monkeypatch)
    done = CliRunner().invoke(command.readiness, ["--peak", "4000", "--shards", "8", "--measure", "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["fits"]) == (0, True)
    assert [limit["rate"] for limit in told["limits"][3:]] == [200_000.0, 6000.0, 8000.0, 50_000.0, 10_000.0]
    assert told["limits"][4]["source"].startswith("bench live, drain_rate, ")


def test_what_cannot_be_measured_keeps_no_other_part_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    measurable(monkeypatch, lacking="live")
    done = CliRunner().invoke(command.readiness, ["--peak", "4000", "--shards", "8", "--measure"])
    told = " ".join(done.stdout.split())
    assert done.exit_code == 1 and "NOT KNOWN: parts were not measured" in told
    assert "- live, OpenSearch: could not be measured here; stderr says why" in told and "50,000" in told
    assert "not measured: live: live lacks its log" in done.stderr
