"""`python -m infra.local demo | account`: the pipeline on this machine, and what became of every line."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from opensearchpy import OpenSearchException
from rich.console import Console
from rich.table import Table

from infra.local.account import Account, take_account
from infra.local.commands import home_option, with_local_settings
from infra.local.demo import drain, sell, store_of
from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from runtime.command import stop_on_signals
from runtime.errors import ConfigError
from runtime.settings import OpenSearch, load

UNATTENDED_S = 60.0  # how long the demo runs where nobody can press Ctrl-C


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """The one section that the account needs of a stack's settings."""

    opensearch: OpenSearch = OpenSearch()


@click.command()
@home_option
@click.option("--seconds", type=click.FloatRange(min=1), help="Sell for so long. Default: until Ctrl-C; 60 unattended.")
@click.option(
    "--shoppers", type=click.IntRange(min=1), default=20, show_default=True, help="People in the shop at once."
)
@with_local_settings
def demo(settings: LocalSettings, home: Path | None, seconds: float | None, shoppers: int) -> None:
    """Shop, pipeline and live board; ends with the account. Exit code 0 only if it balances to the line.

    Ctrl-C closes the shop and takes the account; a second one does not wait for it.
    """
    console = Console()
    if seconds is None and not sys.stdin.isatty():
        seconds = UNATTENDED_S
    with Supervisor(Home.of(settings.local, home), console, stop=stop_on_signals()) as stack:
        endpoints = sell(stack, settings, shoppers=shoppers, seconds=seconds)
        again = stop_on_signals()
        try:
            account = drain(stack, endpoints, within_s=settings.local.drain_s, stop=again)
        except OpenSearchException as error:
            raise _unanswered(endpoints.opensearch) from error
        show_account(account, console)
        stack.say("stopping")
        given_up = stack.given_up
    if given_up or not account.balances:
        sys.exit(1)


@click.command()
@home_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_local_settings
def account(settings: LocalSettings, home: Path | None, as_json: bool) -> None:
    """What became of every line of the spool. Exit code 0 only if it balances to the line."""
    place = Home.of(settings.local, home)
    if not place.settings_file.exists():
        raise ConfigError(f"{place.root}: no stack was ever ready here; `python -m infra.local up` starts one")
    store = load(_Store, file=place.settings_file).opensearch
    try:
        taken = take_account(place.spool, place.agent_state, store_of(store))
    except OpenSearchException as error:
        raise _unanswered(store) from error
    if as_json:
        found = {**msgspec.to_builtins(taken), "balances": taken.balances}
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        show_account(taken, Console())
    sys.exit(0 if taken.balances else 1)


def show_account(account: Account, console: Console) -> None:
    """The account, a line a figure."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("lines emitted by the shop", str(account.emitted))
    table.add_row("acknowledged by the stream", str(account.acknowledged))
    table.add_row("indexed as orders", str(account.indexed))
    table.add_row("refused", str(sum(account.refused.values())))
    for reason, count in sorted(account.refused.items()):
        table.add_row(f"  {reason}", str(count))
    table.add_row("duplicates", str(account.duplicates))
    table.add_row("in flight", str(account.in_flight))
    console.print(table)
    for line in account.unmatched:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    verdict = "the account balances to the line" if account.balances else "THE ACCOUNT DOES NOT BALANCE"
    console.print(verdict, style="bold green" if account.balances else "bold red")


def _unanswered(store: OpenSearch) -> ConfigError:
    return ConfigError(f"{store.url}: OpenSearch does not answer; `python -m infra.local up` starts it")
