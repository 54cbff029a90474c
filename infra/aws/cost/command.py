"""`python -m infra.aws cost`."""

import datetime as dt
import json
from dataclasses import replace

import click
from rich.console import Console

from consumers.keeper.cadence import parse_cadence
from infra.aws.cost.levers import TARGET_RATE, levers
from infra.aws.cost.model import estimate, on_lambda
from infra.aws.cost.page import Answer, as_json, show
from infra.aws.cost.sizing import PROFILES, Choice, Mode, Transport
from infra.aws.cost.tables import prices_of, sizes
from runtime.errors import ConfigError

_RATES = (10.0, 1_000.0, 20_000.0)
_MOST = 1e6
_WIDTH = 110  # where there is no terminal


@click.command()
@click.option("--profile", type=click.Choice(sorted(PROFILES)), required=True, help="Whose sizes to price.")
@click.option(
    "--rate", "rates", type=float, multiple=True, help="Events a second, the month's mean. [default: 10, 1000, 20000]"
)
@click.option("--region", help="AWS region, one that prices.toml has. [default: the profile's]")
@click.option("--transport", type=click.Choice(["kinesis", "kafka"]), default="kinesis", show_default=True)
@click.option(
    "--mode",
    type=click.Choice(["on-demand", "provisioned"]),
    default="on-demand",
    show_default=True,
    help="Of Kinesis.",
)
@click.option("--plain", is_flag=True, help="One order a record of the stream, not many.")
@click.option(
    "--warehouse-cadence",
    "cadence",
    help="As [keeper] warehouse_cadence: seconds between two loads, or by hour, such as 00-07:3600,07-24:300."
    " [default: the profile's]",
)
@click.option("--no-backup", is_flag=True, help="Without the second raw copy by Firehose.")
@click.option(
    "--hot-days",
    type=click.FloatRange(0.5, 365),
    help="Days that documents stay in OpenSearch. [default: the profile's]",
)
@click.option(
    "--warehouse-months",
    type=click.FloatRange(0.1, 120),
    help="Months that rows stay in Redshift. [default: the profile's]",
)
@click.option("--json", "is_json", is_flag=True, help="One JSON object, with every line.")
def cost(
    profile: str,
    rates: tuple[float, ...],
    region: str | None,
    transport: Transport,
    mode: Mode,
    plain: bool,
    cadence: str | None,
    no_backup: bool,
    hot_days: float | None,
    warehouse_months: float | None,
    is_json: bool,
) -> None:
    """What all of it costs, in dollars a month and for a million events more, by stage (docs/costs.md).

    Asks nobody: prices and measured sizes are files beside this command.
    """
    if wrong := [rate for rate in rates if not 0 < rate <= _MOST]:
        raise ConfigError(f"--rate {wrong[0]:g}: give events a second, above 0 and at most {_MOST:,.0f}")
    sizing = PROFILES[profile]
    sizing = replace(
        sizing,
        region=region or sizing.region,
        hot_days=hot_days or sizing.hot_days,
        warehouse_months=warehouse_months or sizing.warehouse_months,
        cadence=cadence or sizing.cadence,
    )
    choice = Choice(
        transport=transport,
        mode=mode,
        aggregated=not plain,
        cadence=parse_cadence(sizing.cadence, dt.UTC, "--warehouse-cadence"),
        backup=not no_backup,
    )
    prices, measured = prices_of(sizing.region), sizes()
    asked = sorted(set(rates or _RATES))
    answer = Answer(
        profile=profile,
        region=sizing.region,
        choice=choice,
        cadence=sizing.cadence,
        estimates=[estimate(rate, prices=prices, sizes=measured, sizing=sizing, choice=choice) for rate in asked],
        on_lambda=[on_lambda(rate, prices=prices, sizes=measured, sizing=sizing, choice=choice) for rate in asked],
        levers=levers(TARGET_RATE, prices=prices, sizes=measured, sizing=sizing, choice=choice),
        at_target=estimate(TARGET_RATE, prices=prices, sizes=measured, sizing=sizing, choice=choice),
        prices=prices,
    )
    if is_json:
        click.echo(json.dumps(as_json(answer), indent=2))
    else:
        console = Console()
        show(answer, console if console.is_terminal else Console(width=_WIDTH))
