"""`python -m consumers VERB`: what reads the streams, and what looks after the stores.

Each verb imports its own libraries when it runs: live needs a quarter of the memory that the keeper's take.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from consumers.keeper.settings import KeeperSettings, MigrateSettings
from consumers.settings import ColdSettings, KclPropertiesSettings, LiveSettings
from runtime.command import log_to_stderr, run, stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage

if TYPE_CHECKING:
    from consumers.feeds import KclHost, StreamRole

_ELSEWHERE = {
    "account": "consumers.account.command",
    "identity": "consumers.keys.command",
    "letters": "consumers.letters.command",
    "status": "consumers.fleet.status_command",
    "drain": "consumers.fleet.drain_command",
    "rewind": "consumers.fleet.rewind_command",
}  # each in a module, under its own name


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            command: click.Command = getattr(importlib.import_module(_ELSEWHERE[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Verbs)
def consumers() -> None:
    """Read the streams into the stores, and account for every line."""


_ROLE = click.option(
    "--stream",
    "role",
    type=click.Choice(["transactions", "access"]),
    default="transactions",
    show_default=True,
    help="For the KCL, which reads one stream: the [streams] setting that names it.",
)


def _hosted(command: Callable[..., Any]) -> Callable[..., Any]:
    host = click.option(
        "--host",
        type=click.Choice(["fleet", "kcl"]),
        default="fleet",
        show_default=True,
        help="Who leases and reads the shards: this worker with its fleet, or AWS's MultiLangDaemon (docs/kcl.md).",
    )
    return host(_ROLE(command))


def _host_of(host: str, role: "StreamRole") -> "tuple[threading.Event, KclHost | None]":
    """When to stop, and the daemon that started this process, if one did."""
    if host == "fleet":
        return stop_on_signals(), None
    from consumers.feeds import KclHost
    from consumers.sources.kcl.wire import stdio

    return threading.Event(), KclHost(role=role, wire=stdio())


@consumers.command()
@_hosted
@with_settings(LiveSettings)
def live(settings: LiveSettings, host: str, role: "StreamRole") -> None:
    """Index orders in OpenSearch as they arrive, until SIGTERM."""
    from consumers.live_process import run_live

    log_to_stderr()
    stop, kcl = _host_of(host, role)
    run_live(settings, stop, kcl=kcl)


@consumers.command()
@_hosted
@with_settings(ColdSettings)
def cold(settings: ColdSettings, host: str, role: "StreamRole") -> None:
    """Write orders, letters and the raw records to S3, a span at a time, until SIGTERM."""
    from consumers.cold_process import run_cold

    log_to_stderr()
    stop, kcl = _host_of(host, role)
    run_cold(settings, stop, kcl=kcl)


@consumers.command("kcl-properties")
@click.argument("application", type=click.Choice(["live", "cold"]))
@_ROLE
@click.option(
    "--python",
    default=sys.executable,
    show_default="this one",
    help="The interpreter that the daemon is to start, without spaces in its path.",
)
@with_settings(KclPropertiesSettings)
def kcl_properties(settings: KclPropertiesSettings, application: str, role: "StreamRole", python: str) -> None:
    """Print the file from which AWS's MultiLangDaemon runs live or cold, see docs/kcl.md."""
    from consumers.feeds import require_kinesis_stream
    from consumers.sources.kcl.properties import properties

    require_kinesis_stream(settings.streams, role)
    is_live = application == "live"
    section = settings.live if is_live else settings.cold
    text = properties(
        command=[python, "-m", "consumers", application, "--host", "kcl", "--stream", role],
        stream=getattr(settings.streams, role),
        application=section.application if role == "transactions" else section.access_application,
        aws=settings.aws,
        fleet=settings.fleet if is_live else settings.cold_fleet,
        reading=settings.reading if is_live else settings.cold_reading,
        kcl=settings.kcl,
    )
    click.echo(text, nl=False)


@consumers.command()
@with_settings(KeeperSettings)
def keeper(settings: KeeperSettings) -> None:
    """Commit what cold wrote to the lake's tables and to the warehouse, until SIGTERM."""
    from consumers.keeper.process import run_keeper

    log_to_stderr()
    run_keeper(settings, stop_on_signals())


@consumers.command()
@click.option("--dry-run", is_flag=True, help="Only print what is to do.")
@with_settings(MigrateSettings)
def migrate(settings: MigrateSettings, dry_run: bool) -> None:
    """Bring the tables of warehouse and lake up to this release."""
    from consumers.keeper.migrate import run_migrate

    try:
        run_migrate(settings, click.echo, dry_run=dry_run)
    except Outage as outage:
        raise ConfigError(f"{outage}; run this again once it answers") from outage


@consumers.command()
def reasons() -> None:
    """Print every reason to refuse a line: what it means, what to do, an example."""
    from contract.reasons_page import page

    click.echo(page(), nl=False)


if __name__ == "__main__":
    run(consumers)
