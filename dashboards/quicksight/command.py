"""`python -m dashboards quicksight VERB`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from dashboards.quicksight.account import Account
from dashboards.quicksight.checks import problems
from dashboards.quicksight.deploy import deploy as apply
from dashboards.quicksight.deploy import plan
from dashboards.quicksight.export import export as write
from dashboards.quicksight.resources import Resource, resources
from dashboards.quicksight.settings import QuickSightSettings, check
from dashboards.quicksight.trouble import Failed
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError

EXIT_CHANGES, EXIT_FAILED = 1, 3
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, for a script.")


@click.group()
def quicksight() -> None:
    """Data sets, analysis and dashboards in QuickSight."""


@quicksight.command()
@_JSON
@with_settings(QuickSightSettings)
def diff(settings: Any, as_json: bool) -> None:
    """Print what `deploy` would change. Exit code 0: nothing; 1: something; 2: a setting is wrong; 3: AWS failed."""
    account, wanted = _ready(settings)
    with _failures():
        changes = plan(account, wanted)
    if as_json:
        told = [{"action": each.action, "resource": each.resource.name, "differs": each.paths} for each in changes]
        click.echo(json.dumps({"changes": told}))
    else:
        for each in changes:
            click.echo(f"{each.action} {each.resource.name}{f': {_some(each.paths)}' if each.paths else ''}")
        click.echo(f"{len(changes)} of {len(wanted)} to change" if changes else "nothing to change")
    sys.exit(EXIT_CHANGES if changes else 0)


@quicksight.command()
@_JSON
@with_settings(QuickSightSettings)
def deploy(settings: Any, as_json: bool) -> None:
    """Bring QuickSight to these definitions, whole or not at all. Exit code 0: done; 2: a setting is wrong; 3: failed
    and undone."""
    account, wanted = _ready(settings)
    with _failures():
        changed = apply(account, wanted, lambda text: click.echo(text, err=as_json))
    if as_json:
        click.echo(json.dumps({"changed": changed, "of": len(wanted)}))
    else:
        click.echo(f"changed {changed} of {len(wanted)}" if changed else "nothing to change")


@quicksight.command()
@_JSON
@click.option("--out", type=click.Path(path_type=Path), default=Path("quicksight"), help="Folder of the files.")
@with_settings(QuickSightSettings)
def export(settings: Any, out: Path, as_json: bool) -> None:
    """Write the definitions as files: JSON for boto3, and a CloudFormation template. Asks nothing of AWS."""
    try:
        written = write(_checked(settings), settings.quicksight.account, out)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error}") from error
    if as_json:
        click.echo(json.dumps({"files": [str(path) for path in written]}))
    else:
        click.echo("\n".join(map(str, written)))


def _ready(settings: QuickSightSettings) -> tuple[Account, list[Resource]]:
    wanted = _checked(settings)
    stop = stop_on_signals()

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            stop.clear()  # what is undone now is waited for as well
            raise Failed("stopped by a signal")

    return Account(client("quicksight", settings.aws), settings, SystemClock(), wait), wanted


def _checked(settings: QuickSightSettings) -> list[Resource]:
    check(settings)
    wanted = resources(settings)
    wrong = problems(wanted)
    if wrong:
        raise AssertionError(f"definitions that QuickSight would refuse: {'; '.join(wrong)}")
    return wanted


class _failures:
    """A Failed becomes one line on stderr and exit code 3."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if isinstance(error, Failed):
            click.echo(f"error: {error}", err=True)
            sys.exit(EXIT_FAILED)


def _some(paths: Any) -> str:
    shown = ", ".join(paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown
