"""`python -m consumers account`: what became of every line."""

import datetime as dt
import random
import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.live import Live as Redrawn

from consumers.account.explain import Window
from consumers.account.process import account_of_parts, parts_of
from consumers.account.render import progress_of, show_account
from consumers.account.report import Account, exit_code
from consumers.account.settings import AccountSettings
from consumers.account.verdict import as_json
from runtime.clock import Clock, SystemClock
from runtime.command import errors_alone, stop_on_signals, with_settings
from runtime.errors import ConfigError
from runtime.outage import Stop
from runtime.when import When

LOOK_S = 2.0  # between two looks: of the five reads a second of a shard live takes three and cold one


@click.command()
@click.option("--from", "since", type=When(), help="UTC day or RFC 3339 time. Default: [account] window_days ago.")
@click.option("--to", "until", type=When(), help="The same; not included. Default: now.")
@click.option("--json", "as_object", is_flag=True, help="One JSON object.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Look again for so many seconds until nothing is in flight and every file is final.",
)
@with_settings(AccountSettings)
def account(
    settings: AccountSettings, since: dt.datetime | None, until: dt.datetime | None, as_object: bool, wait_s: float
) -> None:
    """What became of every line that the shop emitted, in OpenSearch, the lake and the warehouse.

    Counts each file's lines up to its agent's heartbeats; what differs is named by file and offset. With --from and
    --to: what arrived at the stream in that time.

    Exit code 0: it balances, apart from lines on their way. 1: it does not, or --wait was over before the end. 2: the
    settings or options are wrong. 3: not everything could be looked at; the rest balances.
    """
    clock = SystemClock()
    taken = take(settings, window_of(settings, since, until, clock), wait_s=wait_s, clock=clock)
    if as_object:
        click.echo(as_json(taken))
    else:
        show_account(taken, Console())
    sys.exit(exit_code(taken, must_be_settled=wait_s > 0))


def window_of(settings: AccountSettings, since: dt.datetime | None, until: dt.datetime | None, clock: Clock) -> Window:
    """The time to account for. Raises ConfigError for one that is none."""
    now = clock.now()
    since = since or (until or now) - dt.timedelta(days=settings.account.window_days)
    if since > now:  # nothing arrived then, and nothing would be found to be missing
        raise ConfigError(f"--from {since.isoformat()} is in the future")
    if until is not None and until <= since:
        raise ConfigError(f"--from {since.isoformat()} is not before --to {until.isoformat()}")
    return Window(since=since, until=until)


def take(settings: AccountSettings, window: Window, *, wait_s: float, clock: Clock) -> Account:
    """Take the account, with progress on stderr where somebody watches."""
    stop = stop_on_signals()
    console = Console(stderr=True)
    with errors_alone("consumers"), Redrawn(console=console, auto_refresh=False, transient=True) as shown:
        parts = parts_of(settings, clock, random.Random(), stop)

        def show(account: Account) -> None:
            if console.is_terminal:
                shown.update(progress_of(account), refresh=True)

        return settled_account(
            lambda thorough: account_of_parts(parts, window, settings.account, thorough=thorough),
            within_s=wait_s,
            stop=stop,
            clock=clock,
            seen=show,
        )


def settled_account(
    take: Callable[[bool], Account],
    *,
    within_s: float,
    stop: Stop,
    clock: Clock,
    seen: Callable[[Account], None] = lambda account: None,
) -> Account:
    """The account once it is settled; as it is when the time is over, or `stop` is set.

    `take(thorough)`: the looks on the way only count, the last one also looks for objects and locates what is missing.
    `seen` hears of each account on the way. Raises nothing of its own.
    """
    give_up_s = clock.monotonic() + within_s
    while within_s > 0:
        account = take(False)
        seen(account)
        if account.settled or clock.monotonic() >= give_up_s:
            break
        if stop.wait(min(LOOK_S, max(0.0, give_up_s - clock.monotonic()))):
            break
    return take(True)
