"""`python -m infra.local demo`: the pipeline on this machine, and what became of every line."""

import sys
from pathlib import Path

import click
from rich.console import Console

from infra.local.commands import home_option, stream_option, with_local_settings
from infra.local.demo import drain, sell, settle
from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from runtime.command import stop_on_signals
from runtime.settings import Transport

UNATTENDED_S = 60.0  # how long the demo runs where nobody can press Ctrl-C


@click.command()
@home_option
@stream_option
@click.option("--seconds", type=click.FloatRange(min=1), help="Sell for so long. Default: until Ctrl-C; 60 unattended.")
@click.option(
    "--shoppers", type=click.IntRange(min=1), default=20, show_default=True, help="People in the shop at once."
)
@with_local_settings
def demo(
    settings: LocalSettings, home: Path | None, stream: Transport | None, seconds: float | None, shoppers: int
) -> None:
    """Shop, pipeline and live board; ends with the account. Exit code 0 only if it balances to the line.

    Ctrl-C closes the shop and takes the account; a second one does not wait for it.
    """
    if seconds is None and not sys.stdin.isatty():
        seconds = UNATTENDED_S
    with Supervisor(Home.of(settings.local, home), Console(), stop=stop_on_signals()) as stack:
        sell(stack, settings.over(stream), shoppers=shoppers, seconds=seconds)
        again = stop_on_signals()
        is_sent = drain(stack, within_s=settings.local.drain_s, stop=again)
        code = settle(stack, within_s=settings.local.drain_s, stop=again)
        stack.say("stopping")
        given_up = stack.given_up
    if given_up or code or not is_sent:
        sys.exit(code or 1)
