"""`python -m consumers migrate`: bring the warehouse's tables up to this release."""

import click

from consumers.warehouse.connection import connect
from consumers.warehouse.migrations import migrate, pending
from consumers.warehouse.settings import MigrateSettings
from runtime.clock import SystemClock


def run_migrate(settings: MigrateSettings, *, dry_run: bool = False) -> None:
    """Take the missing migrations, or only name them; says on stdout what it did.

    May run at any time, again, and twice at once. Raises ConfigError for what the operator has to change, Outage while
    the warehouse is away: what was done by then stays done, and the next run goes on.
    """
    with connect(settings.warehouse) as session:
        missing = pending(session)
        if not missing:
            click.echo("warehouse: up to date")
        elif dry_run:
            for migration in missing:
                click.echo(f"warehouse: {migration.name}: to do")
                for statement in migration.statements:
                    click.echo(f"  {statement}")
        else:
            migrate(session, SystemClock(), lambda done: click.echo(f"warehouse: {done}"))
