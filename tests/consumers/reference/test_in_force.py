"""Which snapshot judges what, and what becomes of those that are broken, late or out of reach."""

import datetime as dt
import logging
from typing import Any

import msgspec
import pytest

from consumers.delivery import Backpressure
from consumers.reference.in_force import SnapshotReference
from consumers.reference.polling import Lookout, look_again
from consumers.stages.facts import InForce
from consumers.stages.rules import Rules, thresholds_of
from contract.reference import LEAD, Customer, Price, Snapshot, summary_key
from producers.reference.publish import publish
from runtime.objects.testing import Fault, MemoryObjects
from runtime.outage import Outage, Trouble
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

START = dt.datetime(2026, 11, 27, 8, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


class Bench:
    """A bucket, a clock, a shop that publishes, and a reader."""

    def __init__(self, *, held: int = 2) -> None:
        self.clock = ManualClock(START)
        self.bucket = MemoryObjects()
        self.reader = self.another_reader(held=held)

    def another_reader(self, *, held: int = 2) -> SnapshotReference:
        return SnapshotReference(self.bucket, thresholds_of(Rules()), self.clock, held=held)

    def publish(self, price: int, **options: Any) -> Snapshot:
        """A catalogue of one SKU that costs so much."""
        return publish("catalogue", [Price(sku="A", currency="GBP", price=price)], self.bucket, self.clock, **options)

    def gets(self) -> int:
        return sum(request.startswith("get ") and request.endswith(".parquet") for request in self.bucket.log)


def price_in(facts: InForce) -> int | None:
    return None if facts.prices is None else facts.prices.offers("A", "web", "GBP")[0].price


def test_the_snapshot_in_force_at_arrival_judges_whenever_the_record_is_read() -> None:
    bench = Bench()
    first = bench.publish(100)
    bench.clock.advance(3600)
    second = bench.publish(200)
    bench.reader.look()
    assert second.effective_at == START + 60 * MINUTE + LEAD
    for arrived_at, price in [
        (first.effective_at - MINUTE, None),  # nothing was published then, so nothing is asked
        (first.effective_at, 100),
        (second.effective_at - dt.timedelta(microseconds=1), 100),
        (second.effective_at, 200),
        (second.effective_at + 999 * MINUTE, 200),
        (first.effective_at, 100),
    ]:
        assert price_in(bench.reader.at(arrived_at)) == price
    late = bench.another_reader()
    late.look()
    assert price_in(late.at(first.effective_at + MINUTE)) == 100


def test_a_snapshot_is_there_before_it_judges_and_takes_over_on_the_moment() -> None:
    bench = Bench()
    bench.publish(100)
    bench.reader.look()
    now = bench.clock.now()
    assert price_in(bench.reader.at(now)) == 100
    bench.publish(200)
    bench.reader.look()
    read = bench.gets()
    assert price_in(bench.reader.at(now + LEAD - MINUTE)) == 100
    assert price_in(bench.reader.at(now + LEAD)) == 200
    assert bench.gets() == read  # both were in memory


def test_without_any_snapshot_nothing_is_in_force() -> None:
    bench = Bench()
    bench.reader.look()
    facts = bench.reader.at(START)
    assert (facts.prices, facts.customers) == (None, None)
    assert bench.reader.versions(START, START) == {"catalogue": "none", "customers": "none"}


def test_prices_and_customers_change_by_themselves() -> None:
    bench = Bench()
    bench.publish(100)
    bench.clock.advance(60)
    publish("customers", [Customer(customer_id="C-1")], bench.bucket, bench.clock)
    bench.reader.look()
    assert bench.reader.at(START).customers is None
    facts = bench.reader.at(START + MINUTE)
    assert facts.customers is not None and price_in(facts) == 100
    assert facts.customers.standing("C-1") is not None


@pytest.mark.parametrize(
    "break_it",
    [
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda body: b"",
        lambda body: body[:100] + b"?" + body[101:],
    ],
)
def test_a_corrupt_snapshot_is_refused_with_an_alarm_and_the_old_one_stays(
    break_it: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.publish(100)
    bench.reader.look()
    broken = bench.publish(200)
    key = broken.parts[0].key
    bench.bucket.stored[key] = break_it(bench.bucket.stored[key])
    bench.reader.look()
    (alarm,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert broken.version in alarm.getMessage()
    assert price_in(bench.reader.at(broken.effective_at + MINUTE)) == 100
    bench.reader.look()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1  # once


@pytest.mark.parametrize("summary", [b"", b"{}", b"\xff", b'{"format": 2}'])
def test_a_summary_that_is_none_is_refused(summary: bytes, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.publish(100)
    broken = bench.publish(200)
    bench.bucket.stored[summary_key("catalogue", broken.version)] = summary
    bench.reader.look()
    assert price_in(bench.reader.at(broken.effective_at)) == 100
    assert "is refused" in caplog.text


def test_a_file_of_another_kind_or_with_fewer_rows_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.publish(100)
    customers = publish("customers", [Customer(customer_id="C-1")], bench.bucket, bench.clock)
    good = bench.publish(200)
    for version, changes in {
        "99990101T000000000000Z-a": {"parts": customers.parts},
        "99990101T000000000000Z-b": {"rows": 2},
        "99990101T000000000000Z-c": {"version": "another"},
    }.items():
        lie = msgspec.structs.replace(good, **{"version": version, **changes})  # type: ignore[arg-type]
        bench.bucket.stored[summary_key("catalogue", version)] = msgspec.json.encode(lie)
        bench.reader.look()
        assert price_in(bench.reader.at(good.effective_at)) in (100, 200)
        assert f"{version} is refused" in caplog.text


def test_a_snapshot_that_stays_half_written_is_called_so_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.publish(100)
    bench.reader.look()
    abandoned = bench.publish(200)
    summary = bench.bucket.stored.pop(summary_key("catalogue", abandoned.version))
    for _ in range(30):
        bench.reader.look()
        bench.clock.advance(60)
    assert [record.getMessage() for record in caplog.records if "half written" in record.getMessage()] == [
        f"catalogue {abandoned.version} is half written for 0:11:00, the one before it stays in force: publish it again"
    ]
    assert price_in(bench.reader.at(bench.clock.now())) == 100
    bench.bucket.stored[summary_key("catalogue", abandoned.version)] = summary
    bench.reader.look()
    assert price_in(bench.reader.at(bench.clock.now())) == 200


def test_a_half_published_snapshot_does_not_count_until_it_is_whole() -> None:
    bench = Bench()
    bench.publish(100)

    def die(effect: str) -> None:
        if effect == "put summary":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.publish(200, effect=die)
    bench.reader.look()
    assert price_in(bench.reader.at(START + 999 * MINUTE)) == 100
    whole = bench.publish(300)
    bench.reader.look()
    assert price_in(bench.reader.at(whole.effective_at)) == 300


def test_with_s3_away_the_last_one_goes_on_and_what_it_judges_then_is_stale(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    first = bench.publish(100)
    bench.reader.look()
    bench.bucket.trouble = lambda operation, key: Fault.BEFORE
    trouble = Trouble("reference data", bench.clock)
    bench.clock.advance(90)
    look_again(bench.reader, trouble)
    assert "stale" not in bench.reader.versions(START, bench.clock.now())  # a snapshot of now would judge later
    bench.clock.advance(90)
    look_again(bench.reader, trouble)
    arrived_at = bench.clock.now()
    assert price_in(bench.reader.at(arrived_at)) == 100
    assert bench.reader.is_stale
    assert bench.reader.versions(START, arrived_at) == {
        "catalogue": first.version,
        "customers": "none",
        "stale": (START + LEAD).isoformat(),
    }
    assert "the last one known goes on judging" in caplog.text


def test_what_was_stale_stays_so_after_s3_is_back() -> None:
    bench = Bench()
    bench.publish(100)
    bench.reader.look()
    bench.clock.advance(600)
    bench.reader.look()
    assert not bench.reader.is_stale
    during = START + 5 * MINUTE
    assert "stale" in bench.reader.versions(during, during)
    assert "stale" not in bench.reader.versions(bench.clock.now(), bench.clock.now() + MINUTE)
    assert "stale" not in bench.reader.versions(START, START + MINUTE)


def test_the_versions_of_a_span_are_all_that_judged_it() -> None:
    bench = Bench()
    first = bench.publish(100)
    second = bench.publish(200)
    bench.reader.look()
    at = second.effective_at
    assert bench.reader.versions(START, START)["catalogue"] == first.version
    assert bench.reader.versions(START, at)["catalogue"] == f"{first.version},{second.version}"
    assert bench.reader.versions(at, at)["catalogue"] == second.version


def test_an_older_snapshot_is_read_again_when_it_is_needed_and_no_more_than_two_are_held() -> None:
    bench = Bench()
    snapshots = []
    for price in (1, 2, 3, 4):
        snapshots.append(bench.publish(price))
        bench.clock.advance(600)
    bench.reader.look()
    for snapshot, price in [*zip(snapshots, (1, 2, 3, 4), strict=True), (snapshots[0], 1), (snapshots[3], 4)]:
        assert price_in(bench.reader.at(snapshot.effective_at)) == price
        assert len(bench.reader._loaded) <= 2
    bench.bucket.trouble = lambda operation, key: Fault.BEFORE
    with pytest.raises(Backpressure):
        bench.reader.at(snapshots[1].effective_at)
    assert price_in(bench.reader.at(snapshots[3].effective_at)) == 4


def test_a_start_without_s3_is_an_outage_and_then_it_is_well() -> None:
    bench = Bench()
    bench.publish(100)
    bench.bucket.next_faults(Fault.BEFORE)
    with pytest.raises(Outage):
        bench.reader.look()
    bench.reader.look()
    assert price_in(bench.reader.at(START)) == 100


def test_a_fault_in_a_look_does_not_end_the_looking(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()

    def broken(operation: str, key: str) -> Fault | None:
        raise ZeroDivisionError

    bench.bucket.trouble = broken
    look_again(bench.reader, Trouble("reference data", bench.clock))
    assert "the look failed" in caplog.text


def test_a_host_without_a_thread_looks_when_it_is_asked_to_and_not_more_often_than_it_should() -> None:
    bench = Bench()
    bench.publish(100)
    lookout = Lookout(bench.reader, 20.0, bench.clock)
    bench.bucket.trouble = lambda operation, key: Fault.BEFORE
    with pytest.raises(Outage):  # nothing is judged before the first look
        lookout.look()
    bench.bucket.next_faults()
    lookout.look()
    asked = len(bench.bucket.log)
    bench.clock.advance(19)
    lookout.look()
    assert len(bench.bucket.log) == asked
    bench.clock.advance(1)
    lookout.look()
    assert len(bench.bucket.log) > asked
    bench.clock.advance(20)
    bench.bucket.trouble = lambda operation, key: Fault.BEFORE
    lookout.look()  # what is known goes on judging
