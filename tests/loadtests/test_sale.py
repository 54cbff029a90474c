"""A rehearsal's ends: what is refused before anything starts, and what a machine does that is not alone."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from infra.local.home import Home
from infra.local.settings import LocalSettings
from loadtests.proof.command import console_of
from loadtests.sale import away, command, day, load
from loadtests.sale.load import Locust
from loadtests.sale.plan import Plan, RunFolder
from loadtests.shapes import Knot, Shape
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

ALONE = Locust(web_port=None, master_port=1)
MASTER = Locust(web_port=None, master_port=1, expected_workers=2)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "settings.toml").write_text("")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def plan(tmp_path):
    flat = Shape(knots=(Knot(0.0, 1.0), Knot(6.0, 1.0)))
    return Plan(
        run_id="r", seed=1, shape_name="x", orders=flat, visits=None, settings_file=str(tmp_path / "settings.toml")
    )


@pytest.fixture
def sale_day(monkeypatch, folder):
    """The command, with options."""
    monkeypatch.setattr(command, "stop_on_signals", threading.Event)
    environ = {
        "STOREPULSE_SETTINGS": str(folder.root.parent / "none.toml"),
        "STOREPULSE_LOCAL_HOME": str(folder.root.parent),
    }

    def run(*options):
        words = ["--headless", "--run", str(folder.root), *options]
        return CliRunner().invoke(command.sale_day, words, env=environ)

    return run


def test_a_folder_with_a_run_in_it_is_refused_before_anything_starts(sale_day, folder, plan, monkeypatch):
    monkeypatch.setattr(command, "rehearse", lambda *_, **__: pytest.fail("a stack would start"))
    folder.make(plan)
    refused = sale_day()
    assert isinstance(refused.exception, ConfigError)
    assert "a run is in there already" in str(refused.exception)
    assert not folder.home.exists()


@pytest.mark.parametrize("options", [(), ("--bind", "10.0.0.1")])
def test_workers_on_other_machines_have_to_find_this_one_and_the_stack(sale_day, folder, options):
    refused = sale_day("--workers", "2", *options)
    assert isinstance(refused.exception, ConfigError)
    assert not folder.home.exists()


def test_a_rehearsal_whose_ledgers_are_on_other_machines_says_what_is_left_to_do(sale_day, folder, monkeypatch):
    monkeypatch.setattr(command, "rehearse_away", lambda *_: 0)
    monkeypatch.setattr(command, "prove_run", lambda *_, **__: pytest.fail("there is nothing to prove yet"))
    against = str(folder.root.parent / "settings.toml")
    done = sale_day("--workers", "2", "--bind", "10.0.0.1", "--against", against)
    assert done.exit_code == 0, done.exception
    assert f"python -m loadtests proof {folder.root}" in done.output

    monkeypatch.setattr(command, "rehearse_away", lambda *_: 1)
    assert sale_day("--workers", "2", "--bind", "10.0.0.1", "--against", against).exit_code == 1


def test_only_a_rehearsal_that_was_to_send_here_has_to_have_sent_here(monkeypatch, folder, plan):
    monkeypatch.setattr(day, "load", lambda *_, **__: 0)
    folder.make(plan)
    load.log_of(folder).write_text("no such host\n")
    stack = SimpleNamespace(stop=threading.Event(), say=print)
    assert day.run_load(stack, folder, plan, MASTER, watch=None) == 0
    with pytest.raises(ConfigError, match="no such host"):
        day.run_load(stack, folder, plan, ALONE, watch=None)


def test_whoever_helps_watches_on_until_the_last_probes_were_seen(monkeypatch, folder, plan):
    log, left = [], [2, 1, 0]

    class Sightings:
        @property
        def waiting(self):
            log.append(f"{left[0]} on their way")
            return {"lake": left.pop(0)}

    @contextmanager
    def watching(*_, **__):
        yield SimpleNamespace(sightings=Sightings())
        log.append("looks no more")

    monkeypatch.setattr(day, "_LOOK_S", 0.001)
    monkeypatch.setattr(away, "watching", watching)
    monkeypatch.setattr(away, "Sampler", lambda *_: None)
    monkeypatch.setattr(away, "load", lambda *_, **__: log.append("sent") or 3)
    folder.make(plan)
    stop = threading.Event()
    code = away.help_out(folder, LocalSettings(), console_of(True), stop, join="10.0.0.1", processes=1)
    assert code == 3
    assert log == ["sent", "2 on their way", "1 on their way", "0 on their way", "looks no more"]


def test_locust_carries_the_mark_of_the_stack_that_is_to_end_what_is_left_of_it(monkeypatch, folder, plan):
    marks = []
    monkeypatch.setattr(load, "run_errand", lambda *_, home, **__: marks.append(home.root) or 0)
    folder.make(plan)
    home = Home(root=folder.home, downloads=folder.root)
    load.load(SimpleNamespace(home=home, stop=threading.Event(), given_up=[]), ALONE, folder, plan)
    assert marks == [home.root]
