import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contract.order import Line, Order
from producers.replay.job import Job, Pacing, at_full_speed, at_rate, in_step, write
from producers.replay.mapping import Mapping
from producers.replay.spool import ReplaySpool
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

START = dt.datetime(2011, 1, 1, tzinfo=dt.UTC)


def orders(count: int, minutes_apart: float = 1) -> Iterator[Order]:
    for number in range(count):
        yield Order(
            type="order",
            schema_version=1,
            event_time=START + number * dt.timedelta(minutes=minutes_apart),
            order_id=str(number),
            kind="sale",
            channel="web",
            currency="GBP",
            lines=[Line(sku="TEA", quantity=1, unit_price=1)],
            total=1,
        )


def seconds_at_which_lines_appear(tmp_path: Path, pacing: Pacing, count: int) -> list[float]:
    clock = ManualClock()
    appeared: list[float] = []

    def wait(wait_s: float) -> bool:
        clock.advance(wait_s)
        return False

    with ReplaySpool(tmp_path / "spool") as spool:
        done = write(
            orders(count),
            spool,
            clock=clock,
            wait=wait,
            pacing=pacing,
            on_written=lambda orders: appeared.extend([round(clock.monotonic(), 3)] * orders),
        )
    assert done
    return appeared


def test_a_rate_spreads_orders_evenly(tmp_path: Path) -> None:
    assert seconds_at_which_lines_appear(tmp_path, at_rate(4), 5) == [0, 0.25, 0.5, 0.75, 1]


def test_a_pace_keeps_the_shops_own_rhythm(tmp_path: Path) -> None:
    assert seconds_at_which_lines_appear(tmp_path, in_step(60, START), 4) == [0, 1, 2, 3]


def test_full_speed_waits_for_nothing(tmp_path: Path) -> None:
    assert seconds_at_which_lines_appear(tmp_path, at_full_speed, 4) == [0, 0, 0, 0]


def test_a_high_rate_is_kept_by_small_batches(tmp_path: Path) -> None:
    appeared = seconds_at_which_lines_appear(tmp_path, at_rate(10_000), 10_001)
    assert len(appeared) == 10_001
    assert appeared[-1] == pytest.approx(1, abs=0.01)
    assert len(set(appeared)) > 100


def test_a_stop_leaves_whole_lines_and_says_so(tmp_path: Path) -> None:
    clock = ManualClock()

    def stop_at_the_third(wait_s: float) -> bool:
        clock.advance(wait_s)
        return clock.monotonic() >= 3

    with ReplaySpool(tmp_path / "spool") as spool:
        assert not write(orders(9), spool, clock=clock, wait=stop_at_the_third, pacing=at_rate(1))
    written = (tmp_path / "spool").read_bytes()
    assert [msgspec.json.decode(line)["order_id"] for line in written.splitlines()] == ["0", "1", "2"]


def test_another_job_has_another_spool(tmp_path: Path, export: Path, mapping: Mapping) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_bytes(export.read_bytes())
    changed = tmp_path / "changed.csv"
    changed.write_bytes(export.read_bytes() + b"6,TEA,1,1,2011-09-01 10:00,,\n")
    jobs = [
        Job(file=export, mapping=mapping),
        Job(file=changed, mapping=mapping),
        Job(file=export, mapping=msgspec.structs.replace(mapping, channel="shop")),
        Job(file=export, mapping=mapping, first=dt.date(2011, 1, 1)),
        Job(file=export, mapping=mapping, last=dt.date(2011, 1, 1)),
    ]
    assert len({job.spool_name() for job in jobs}) == len(jobs)
    assert Job(file=copy, mapping=mapping).spool_name() == jobs[0].spool_name()
    assert jobs[0].spool_name().startswith("replay-corner-shop-")


def test_a_job_without_its_file_is_one_line(mapping: Mapping) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv: not readable"):
        Job(file=Path("gone.csv"), mapping=mapping).spool_name()
