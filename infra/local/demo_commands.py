"""`python -m infra.local demo | account`: the pipeline on this machine, and what became of every line."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from opensearchpy import ConnectionError as OpenSearchAway
from rich.console import Console

from infra.local.account import take_account
from infra.local.commands import home_option
from infra.local.demo import run_demo, show_account, store_of
from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.settings import OpenSearch, load


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """The one section that the account needs of a stack's settings."""

    opensearch: OpenSearch = OpenSearch()


UNATTENDED_S = 60.0  # how long the demo runs where nobody can press Ctrl-C


@click.command()
@home_option
@click.option("--seconds", type=click.FloatRange(min=1), help="Sell for so long. Default: until Ctrl-C; 60 unattended.")
@click.option(
    "--shoppers", type=click.IntRange(min=1), default=20, show_default=True, help="People in the shop at once."
)
@with_settings(LocalSettings)
def demo(settings: LocalSettings, home: Path | None, seconds: float | None, shoppers: int) -> None:
    """Shop, pipeline and live board; ends with the account. Exit code 0 only if it balances to the line."""
    console = Console()
    if seconds is None and not sys.stdin.isatty():
        seconds = UNATTENDED_S
    with Supervisor(Home.of(settings.local, home), console, stop=stop_on_signals()) as stack:
        account = run_demo(stack, settings, shoppers=shoppers, seconds=seconds)
        show_account(account, console)
        stack.say("stopping")
    if not account.balances:
        sys.exit(1)


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_settings(LocalSettings)
def account(settings: LocalSettings, home: Path | None, as_json: bool) -> None:
    """What became of every line of the spool. Exit code 0 only if it balances to the line."""
    place = Home.of(settings.local, home)
    if not place.settings_file.exists():
        raise ConfigError(f"{place.root}: no stack was ever started here; `python -m infra.local up` starts one")
    store = load(_Store, file=place.settings_file).opensearch
    try:
        taken = take_account(place.spool, place.agent_state, store_of(store))
    except OpenSearchAway as error:
        raise ConfigError(f"{store.url}: OpenSearch does not answer; `python -m infra.local up` starts it") from error
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(taken), indent=2))
    else:
        show_account(taken, Console())
    sys.exit(0 if taken.balances else 1)
