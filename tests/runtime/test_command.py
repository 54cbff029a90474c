from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runtime.command import EXIT_CONFIG, run, with_settings
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
