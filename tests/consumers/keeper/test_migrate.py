"""`python -m consumers migrate` on real parts."""

import uuid
from dataclasses import replace

import pytest

from consumers.keeper.migrate import run_migrate
from consumers.keeper.settings import MigrateSettings
from consumers.lake.testing import OwnLake
from contract.tables import SPANNED
from infra.local.endpoints import Endpoints
from runtime.errors import ConfigError

pytestmark = pytest.mark.integration

TABLES = [table.name for table in SPANNED]


@pytest.fixture
def settings(stack: Endpoints) -> MigrateSettings:
    """A lake that is empty, and the warehouse that all tests share."""
    return MigrateSettings(aws=stack.aws, lake=OwnLake(stack.aws).settings, warehouse=stack.warehouse)


def said(settings: MigrateSettings, *, dry_run: bool = False) -> list[str]:
    """What the command says of the lake."""
    lines: list[str] = []
    run_migrate(settings, lines.append, dry_run=dry_run)
    return [line for line in lines if line.startswith("lake: ")]


def test_what_it_would_do_is_what_it_does_and_then_there_is_nothing_left(settings: MigrateSettings) -> None:
    steps = [f"database {settings.lake.database}", *(f"table {name}" for name in TABLES)]
    for _ in range(2):
        assert said(settings, dry_run=True) == [f"lake: {step}: to do" for step in steps]
    assert said(settings) == [f"lake: {step}: done" for step in steps]
    for dry_run in (True, False):
        assert said(settings, dry_run=dry_run) == ["lake: up to date"]


def test_a_bucket_that_is_not_there_is_the_operators_to_mend(settings: MigrateSettings) -> None:
    lake = replace(settings.lake, bucket=f"nowhere-{uuid.uuid4().hex[:8]}")
    for dry_run in (True, False):
        with pytest.raises(ConfigError, match=r"\[lake\] bucket"):
            said(replace(settings, lake=lake), dry_run=dry_run)
