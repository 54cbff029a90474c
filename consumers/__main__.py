"""`python -m consumers VERB`: what reads the streams, and what looks after the stores.

Each verb imports its own libraries when it runs: live needs a quarter of the memory that the keeper's take.
"""

import importlib

import click

from consumers.keeper.settings import KeeperSettings, MigrateSettings
from consumers.settings import ColdSettings, LiveSettings
from runtime.command import log_to_stderr, run, stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Outage

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


@consumers.command()
@with_settings(LiveSettings)
def live(settings: LiveSettings) -> None:
    """Index orders in OpenSearch as they arrive, until SIGTERM."""
    from consumers.live_process import run_live

    log_to_stderr()
    run_live(settings, stop_on_signals())


@consumers.command()
@with_settings(ColdSettings)
def cold(settings: ColdSettings) -> None:
    """Write orders, letters and the raw records to S3, a span at a time, until SIGTERM."""
    from consumers.cold_process import run_cold

    log_to_stderr()
    run_cold(settings, stop_on_signals())


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
