"""What `bench access` judges: every copy of the log has other visitors, times and places."""

import datetime as dt

import pytest

from consumers.stages.access.decode import decode_access
from consumers.stages.access.hit import Request
from loadtests.bench import access
from loadtests.bench.report import Figure
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

LINE = b'83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 17 "-" "Mozilla/5.0"'


def test_each_copy_is_of_another_year_and_visitor() -> None:
    requests = [read for record in access.records_of([LINE], 3) if isinstance(read := decode_access(record), Request)]
    assert [request.hit.time.year for request in requests] == [2015, 2016, 2017]
    assert [request.hit.client for request in requests] == ["83.149.9.216", "94.149.9.216", "105.149.9.216"]
    assert len({request.stamp.o for request in requests if request.stamp}) == 3
    assert requests[0].line == LINE


def test_it_reports_a_rate_beside_the_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "RUNS", 1)
    monkeypatch.setattr(access, "_lines", lambda: [LINE] * 300)
    (figure,) = access.run()
    assert isinstance(figure, Figure)
    assert (figure.name, figure.better, figure.target) == ("judged", "higher", 100_000)
    assert len(figure.values) == len(figure.baseline_values) == 1


def test_lines_that_are_no_hits_are_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_lines", lambda: [b"nonsense"] * 10)
    with pytest.raises(AssertionError, match="only 0 of"):
        access.run()


def test_without_the_log_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(access, "LOG", tmp_path / "none.zst")
    with pytest.raises(ConfigError, match=r"none\.zst"):
        access.run()


def test_days_are_those_of_the_log() -> None:
    (record,) = access.records_of([LINE], 1)
    read = decode_access(record)
    assert isinstance(read, Request) and read.hit.time == dt.datetime(2015, 5, 17, 10, 5, 3, tzinfo=dt.UTC)
