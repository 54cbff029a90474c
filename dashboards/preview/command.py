"""`python -m dashboards preview`."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import click

from contract.money import is_currency
from dashboards.preview.page import page
from dashboards.preview.warehouse import warehouse
from dashboards.quicksight.datasets import SETS
from dashboards.quicksight.definition import FROM, TO, definition
from dashboards.quicksight.settings import QuickSightSettings
from dashboards.quicksight.sheets import region_sheets, shop_sheets
from dashboards.quicksight.visuals import CURRENCY
from runtime.clock import SystemClock
from runtime.command import with_settings
from runtime.errors import ConfigError

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("preview.html"), help="File to write.")
@click.option("--regions", is_flag=True, help="The dashboard of groups that see some regions.")
@click.option("--from", "first", type=_DAY, help="First day shown; default: 30 days.")
@click.option("--to", "last", type=_DAY, help="Last day shown; default: today.")
@click.option("--currency", help="ISO 4217; default: the shop's.")
@click.option("--json", "as_json", is_flag=True, help="One object: the file, its sheets and how many visuals.")
@with_settings(QuickSightSettings)
def preview(
    settings: Any,
    out: Path,
    regions: bool,
    first: dt.datetime | None,
    last: dt.datetime | None,
    currency: str | None,
    as_json: bool,
) -> None:
    """QuickSight's sheets as one HTML page: the definitions that are deployed, drawn from the warehouse."""
    if currency is not None and not is_currency(currency):
        raise ConfigError(f"--currency {currency!r}: ISO 4217 has codes like GBP")
    sheets = (region_sheets if regions else shop_sheets)(settings.shop.currency)
    told = definition(sheets, {each.name: f"local/storepulse-{each.name}" for each in SETS}, settings.shop.currency)
    chosen = {FROM: first and first.date(), TO: last and last.date(), CURRENCY: currency}
    name = "storepulse by region" if regions else "storepulse"
    with warehouse(settings.warehouse) as ask:
        text = page(name, told, ask, settings, now=SystemClock().now(), chosen=chosen)
    try:
        draft = out.with_name(out.name + ".new")
        draft.write_text(text)
        draft.replace(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error}") from error
    visuals = {sheet.name: len(sheet.visuals) for sheet in sheets}
    click.echo(json.dumps({"file": str(out), "sheets": visuals}) if as_json else f"{out}: {len(visuals)} sheets")
