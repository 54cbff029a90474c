import logging
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runtime.command import EXIT_CONFIG, errors_alone, run, stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.settings import Aws

pytestmark = pytest.mark.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    aws: Aws = Aws()


@click.group()
def group() -> None:
    """A process."""


@group.command()
@click.option("--loud", is_flag=True)
@with_settings(Process)
def region(settings: Process, loud: bool) -> None:
    """Print the region."""
    click.echo(settings.aws.region.upper() if loud else settings.aws.region)


@group.command()
def broken() -> None:
    raise ConfigError("port 80 is taken: choose another")


def test_a_command_gets_its_settings_and_its_own_options(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[aws]\nregion = "eu-west-1"\n')
    assert CliRunner().invoke(group, ["region", "--settings", str(file), "--loud"]).output == "EU-WEST-1\n"


def test_print_settings_shows_them_and_does_nothing_else() -> None:
    output = CliRunner().invoke(group, ["region", "--print-settings"]).output
    assert "[aws]" in output
    assert 'region = "eu-west-2"  # AWS region' in output


def test_a_config_error_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["process", "broken"])
    with pytest.raises(SystemExit) as stopped:
        run(group)
    assert stopped.value.code == EXIT_CONFIG
    assert capsys.readouterr().err == "error: port 80 is taken: choose another\n"


@group.command()
def quoting() -> None:
    raise ConfigError("no column 'No'; it has PK\x03\x04\n\x1b[31mx")


def test_a_config_error_stays_one_line_whatever_it_quotes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["process", "quoting"])
    with pytest.raises(SystemExit):
        run(group)
    assert capsys.readouterr().err == "error: no column 'No'; it has PK    [31mx\n"


@pytest.fixture
def _handlers_restored() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.timeout(20)  # where the handler takes the lock itself, this waits for ever
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.usefixtures("_handlers_restored")
def test_a_signal_inside_a_wait_sets_the_event_once_the_lock_is_free(number: signal.Signals) -> None:
    stop = stop_on_signals()
    with stop._cond:  # type: ignore[attr-defined] # as `wait` holds it
        signal.raise_signal(number)
        assert not stop.is_set()
    assert stop.wait(10.0)


@group.command()
@with_settings(Process, default_may_be_absent=True)
def early(settings: Process) -> None:
    """Print the region, also before there is a file."""
    click.echo(settings.aws.region)


def test_a_command_that_runs_before_its_file_is_there_takes_the_defaults(tmp_path: Path) -> None:
    absent = {"STOREPULSE_SETTINGS": str(tmp_path / "none.toml")}
    assert CliRunner().invoke(group, ["early"], env=absent).output == "eu-west-2\n"
    refused = CliRunner().invoke(group, ["region"], env=absent)
    assert isinstance(refused.exception, ConfigError)


def test_a_file_that_is_named_on_the_command_line_must_be_there_always(tmp_path: Path) -> None:
    refused = CliRunner().invoke(group, ["early", "--settings", str(tmp_path / "none.toml")])
    assert isinstance(refused.exception, ConfigError)


def test_process_1_of_a_container_ends_by_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(sys, "argv", ["shop"])

    @click.group(invoke_without_command=True)
    def shop() -> None:
        signal.raise_signal(signal.SIGTERM)

    try:
        with pytest.raises(SystemExit) as ended:
            run(shop)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM


def test_errors_alone_are_said_for_as_long_as_the_command_wants_it(caplog: pytest.LogCaptureFixture) -> None:
    below = logging.getLogger("loud.part")
    logging.getLogger("loud").setLevel(logging.INFO)
    with pytest.raises(ConfigError), errors_alone("loud"):
        below.warning("not said")
        below.error("said")
        raise ConfigError("whatever ends it")
    below.info("said again")
    assert [record.getMessage() for record in caplog.records] == ["said", "said again"]
