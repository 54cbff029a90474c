"""Bringing the warehouse's tables up to this release, step by step: see `consumers.keeper.migrate`."""

from collections.abc import Callable

from consumers.warehouse.connection import connect
from consumers.warehouse.migrations import migrate, pending
from runtime.clock import SystemClock
from runtime.settings import Warehouse


def migrate_warehouse(settings: Warehouse, say: Callable[[str], None], *, dry_run: bool = False) -> None:
    """Take the missing migrations, or only name them; `say` hears of each. Raises ConfigError, Outage."""
    with connect(settings) as session:
        missing = pending(session)
        if not missing:
            say("warehouse: up to date")
        elif dry_run:
            for migration in missing:
                say(f"warehouse: {migration.name}: to do")
                for statement in migration.statements:
                    say(f"  {statement}")
        else:
            migrate(session, SystemClock(), lambda done: say(f"warehouse: {done}"))
