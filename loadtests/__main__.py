"""`python -m loadtests`: the benchmarks."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.bench.registry import BENCHES, run
from loadtests.bench.report import as_json, print_table
from loadtests.hold import as_json as held_as_json
from loadtests.hold import hold as hold_rate
from loadtests.hold import print_held
from runtime import command
from runtime.command import stop_on_signals, with_settings


@click.group()
def main() -> None:
    """Proofs and benchmarks."""


@main.command(epilog="; ".join(f"{name}: {about}" for name, about in BENCHES.items()))
@click.argument("name", type=click.Choice(sorted(BENCHES)))
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of a table.")
def bench(name: str, as_machine: bool) -> None:
    """Measure NAME: medians of three runs, beside a baseline measured in turn with them."""
    figures = run(name)
    if as_machine:
        click.echo(as_json(name, figures))
    else:
        print_table(name, figures)


@main.command()
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=1000.0, show_default=True, help="Orders/s."
)
@click.option("--seconds", type=click.FloatRange(min=5), default=60.0, show_default=True, help="How long.")
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of a table.")
@with_settings(LocalSettings)
def hold(settings: LocalSettings, rate: float, seconds: float, as_machine: bool) -> None:
    """Hold a rate of orders on a stack of its own: waits, CPU and memory. Exit code 0 if none is lost."""
    console = Console(stderr=as_machine)
    with TemporaryDirectory(prefix="storepulse-hold-") as folder:
        home = Home(root=Path(folder), downloads=Home.of(settings.local).downloads)
        with Supervisor(home, console, stop=stop_on_signals()) as stack:
            held = hold_rate(stack, settings, rate=rate, seconds=seconds)
    click.echo(held_as_json(held)) if as_machine else print_held(held, console)
    if not held.account.balances or held.unseen:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main)
