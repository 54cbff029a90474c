"""`python -m consumers migrate`: bring the tables of warehouse and lake up to this release."""

from collections.abc import Callable

from consumers.keeper.settings import MigrateSettings
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.store import LakeStore
from consumers.warehouse.migrate import migrate_warehouse
from runtime.aws import client
from runtime.objects.s3 import S3Objects


def run_migrate(settings: MigrateSettings, say: Callable[[str], None], *, dry_run: bool = False) -> None:
    """Take the steps that are missing, or only name them; `say` hears of each.

    May run at any time, again, and twice at once. Raises ConfigError for what the operator has to change, Outage while
    a service is away: what was done by then stays done, and the next run goes on.
    """
    migrate_warehouse(settings.warehouse, say, dry_run=dry_run)
    S3Objects(client("s3", settings.aws), settings.lake.bucket).check()
    steps = LakeStore(LakeCatalogue(settings.aws), settings.lake).bring_up_to_date(dry_run=dry_run)
    for step in steps:
        say(f"lake: {step}: {'to do' if dry_run else 'done'}")
    if not steps:
        say("lake: up to date")
