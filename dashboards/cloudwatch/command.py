"""`python -m dashboards cloudwatch export | diff | deploy`."""

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from dashboards.cloudwatch.account import Account, Difference
from dashboards.cloudwatch.alarms import AlarmSpec, alarms
from dashboards.cloudwatch.body import dashboard_body
from dashboards.cloudwatch.settings import CloudWatchSettings
from runtime.aws import client
from runtime.command import with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage


@click.group()
def cloudwatch() -> None:
    """Alarms and dashboard of CloudWatch, generated from the list of figures."""


@cloudwatch.command()
@with_settings(CloudWatchSettings)
def export(settings: CloudWatchSettings) -> None:
    """Print alarms and dashboard as JSON: requests of PutMetricAlarm, and the body of PutDashboard."""
    wanted, body = _wanted(settings)
    told = {"alarms": [spec.request() for spec in wanted], "dashboard": msgspec.json.decode(body)}
    click.echo(msgspec.json.format(msgspec.json.encode(told)).decode())


@cloudwatch.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(CloudWatchSettings)
def diff(settings: CloudWatchSettings, as_json: bool) -> None:
    """Say what of the account is not as in the list. Exit code 1: something is not, 3: CloudWatch is away."""
    wanted, body = _wanted(settings)
    found = _asked(lambda: _account(settings).differences(wanted, body))
    _say(found, as_json=as_json, nothing=f"{len(wanted)} alarms and the dashboard are as in the list")
    sys.exit(1 if found else 0)


@cloudwatch.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(CloudWatchSettings)
def deploy(settings: CloudWatchSettings, as_json: bool) -> None:
    """Put what is missing or differs; again changes nothing. Exit code 3: CloudWatch is away, run it again.

    For an account without the CDK application, whose stacks make the same alarms.
    """
    if not (settings.cloudwatch.page_topic or settings.cloudwatch.ticket_topic):
        raise ConfigError(
            "[cloudwatch] page_topic and ticket_topic are empty: alarms that are there would be put again so that they"
            " tell nobody; name the SNS topics"
        )
    wanted, body = _wanted(settings)
    done = _asked(lambda: _account(settings).deploy(wanted, body))
    _say(done, as_json=as_json, nothing="nothing to do")


def _wanted(settings: CloudWatchSettings) -> tuple[Sequence[AlarmSpec], str]:
    names = settings.cloudwatch.deployed(settings.aws)
    try:
        return alarms(names), dashboard_body(names)
    except ValueError as error:
        raise ConfigError(f"[cloudwatch]: {error}") from None


def _account(settings: CloudWatchSettings) -> Account:
    return Account(client("cloudwatch", settings.aws))


def _asked(ask: Any) -> list[Difference]:
    try:
        found: list[Difference] = ask()
    except Outage as outage:
        click.echo(f"error: CloudWatch is away: {outage}; what was put stays, run it again", err=True)
        sys.exit(3)
    return found


def _say(found: Sequence[Difference], *, as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"differences": found}))
        return
    for each in found:
        click.echo(f"{each.what}: {each.how}{': ' + ', '.join(each.details) if each.details else ''}")
    if not found:
        click.echo(nothing)
