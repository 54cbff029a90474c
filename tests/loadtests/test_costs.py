"""What processes used, from samples that come as they can."""

from datetime import UTC, datetime, timedelta

import pytest

from loadtests.proof import samples as module
from loadtests.proof.costs import acknowledged, processes
from loadtests.proof.samples import Sample, Sampler, Sent, Used, read_samples
from loadtests.sale.settings import SaleSettings
from producers.agent.report import AgentReport, RoadReport, Trouble, write_report
from producers.agent.settings import Spooling

pytestmark = pytest.mark.unit


def sample(at_s, cpu_s=0.0, mib=100.0, pid=1, lines=None):
    roads = {} if lines is None else {"order": Sent(condition="well", lines=lines, pending=0, troubles=[])}
    used = Used(pid=pid, cpu_s=cpu_s, memory_mib=mib)
    return Sample(at_us=round(at_s * 1e6), processes={"live": used}, lag={}, agent=roads)


def cost(samples, sent, *, until_s=1e6):
    (found,) = processes(samples, 0, round(until_s * 1e6), sent)
    return found


def test_cpu_is_cpu_time_by_time_however_unequal_the_intervals_between_samples():
    found = cost([sample(0), sample(1, cpu_s=1.0), sample(100, cpu_s=1.0)], [0, 0, 0])
    assert found.cpu_percent == pytest.approx(1.0)
    assert found.cpu_percent_max == pytest.approx(100.0)


def test_memory_grows_with_lines_and_not_with_time():
    # Nearly all of them in the last third of the time.
    lines = [n * 1_000 + max(0, n - 66) * 300_000 for n in range(100)]
    found = cost([sample(n, mib=100 + each * 2e-6) for n, each in enumerate(lines)], lines)
    assert found.memory_slope_mib == pytest.approx(2.0)
    assert found.memory_slope_lines == lines[99] - lines[33]


def test_the_slope_is_of_the_time_in_which_lines_are_sent():
    samples = [sample(n, mib=100.0 if n < 40 else 900.0) for n in range(80)]
    assert cost(samples, [n * 1e6 for n in range(80)], until_s=39).memory_slope_mib == pytest.approx(0.0)


def test_the_slope_is_of_the_last_process_of_a_name():
    samples = [sample(n, pid=1 if n < 30 else 2, mib=500.0 if n < 30 else 100.0) for n in range(60)]
    found = cost(samples, [n * 1e6 for n in range(60)])
    assert (found.memory_slope_mib, found.restarts) == (pytest.approx(0.0), 1)
    assert found.memory_slope_lines == 19e6


def test_too_few_samples_and_a_run_in_which_nothing_was_sent_have_no_slope():
    assert cost([sample(n) for n in range(13)], [n * 1e6 for n in range(13)]).memory_slope_mib is None
    assert cost([sample(n) for n in range(60)], [0.0] * 60).memory_slope_mib is None


def test_what_the_agent_has_sent_is_of_the_time_of_a_sample_however_long_the_look_at_lags_takes(tmp_path, monkeypatch):
    looks = []
    monkeypatch.setattr(module, "views_of", lambda *_: [])
    monkeypatch.setattr(module, "read_report", lambda folder: looks.append("agent"))
    take = module.take
    monkeypatch.setattr(module, "take", lambda *given: looks.append("lag") or take(*given))
    Sampler(tmp_path / "samples", SaleSettings(), None).sample()
    assert looks == ["agent", "lag"]
    assert len(read_samples(tmp_path / "samples")) == 1


def test_what_the_agent_has_sent_goes_on_where_it_was_started_again():
    counts = [None, 100, 250, 40, 60, None, 90]
    assert acknowledged([sample(n, lines=lines) for n, lines in enumerate(counts)]) == [0, 100, 250, 290, 310, 310, 340]


def test_a_trouble_of_before_the_run_is_not_in_its_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "views_of", lambda *_: [])
    settings = SaleSettings(agent=Spooling(state=str(tmp_path)))
    sampler = Sampler(tmp_path / "samples", settings, None)
    now = datetime.now(UTC)
    errors = [Trouble(at=now - timedelta(minutes=5), text="of the drill before"), Trouble(at=now, text="of this one")]
    road = RoadReport(
        kind="order", stream="s", condition="well", waits_s=0, silent_s=0, lines=1, bytes=1, pending=0, lines_a_s=0,
        bytes_a_s=0, caught_up_at=None, errors=errors, unreadable={},
    )  # fmt: skip
    write_report(tmp_path, AgentReport(pid=1, started_at=now, at=now, roads=[road]))
    sampler.sample()
    (sample,) = read_samples(tmp_path / "samples")
    assert sample.agent["order"].troubles == ["of this one"]
