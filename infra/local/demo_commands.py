"""`python -m infra.local demo | account`: the pipeline on this machine, and what became of every line."""

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from opensearchpy import OpenSearchException
from rich.console import Console
from rich.table import Table

from contract.reasons import Reason
from infra.local.account import Account, store_of, take_account
from infra.local.commands import home_option, with_local_settings
from infra.local.demo import drain, sell
from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from producers.agent.settings import Spooling
from producers.agent.spool import SUFFIX
from runtime.command import stop_on_signals
from runtime.errors import ConfigError
from runtime.settings import OpenSearch, load

UNATTENDED_S = 60.0  # how long the demo runs where nobody can press Ctrl-C


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stack:
    """What the account needs of a stack's settings."""

    opensearch: OpenSearch = OpenSearch()
    agent: Spooling = Spooling()


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
    stack = load(_Stack, file=place.settings_file)
    try:
        taken = take_account(Path(stack.agent.spool), Path(stack.agent.state), store_of(stack.opensearch))
    except OpenSearchException as error:
        raise _unanswered(stack.opensearch) from error
    if as_json:
        found = {**msgspec.to_builtins(taken), "balances": taken.balances}
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        show_account(taken, Console())
    sys.exit(0 if taken.balances else 1)


def show_account(account: Account, console: Console) -> None:
    """The account, a line a figure."""
    about = defaultdict(str, {str(reason): reason.about for reason in Reason})
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("lines emitted by the shop", str(account.emitted))
    if account.deleted:
        table.add_row("  in files deleted since", str(account.deleted))
    table.add_row("acknowledged by the stream", str(account.acknowledged))
    table.add_row("indexed as orders", str(account.indexed))
    table.add_row("refused", str(sum(account.refused.values())))
    for reason, count in sorted(account.refused.items()):
        table.add_row(f"  {reason}", str(count), about[reason])
    table.add_row("duplicates", str(account.duplicates))
    table.add_row("in flight", str(account.in_flight))
    console.print(table)
    for line in account.unmatched:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for name in account.unread:
        console.print(f"  {name}: not read, its name does not end in {SUFFIX}", highlight=False, markup=False)
    verdict, style = _verdict(account)
    console.print(verdict, style=style)


def _verdict(account: Account) -> tuple[str, str]:
    """A sentence, and how it is printed. Lines on their way are no gap: most often a process is not running."""
    if account.balances:
        return "the account balances to the line" if account.emitted else "nothing was emitted yet", "bold green"
    unsent = account.emitted - account.acknowledged
    if unsent > 0 and account.in_flight == unsent:
        return f"THE ACCOUNT DOES NOT BALANCE: {unsent} lines are not sent yet; is the agent running?", "bold yellow"
    if account.in_flight > 0 and unsent == 0:
        why = f"{account.in_flight} lines are sent and not found; is live running?"
        return f"THE ACCOUNT DOES NOT BALANCE: {why}", "bold red"
    return "THE ACCOUNT DOES NOT BALANCE", "bold red"


def _unanswered(store: OpenSearch) -> ConfigError:
    return ConfigError(f"{store.url}: OpenSearch does not answer; `python -m infra.local up` starts it")
