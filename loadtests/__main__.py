"""`python -m loadtests`: the benchmarks."""

import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from rich.console import Console

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.bench.command import bench
from loadtests.drills.command import drill
from loadtests.hold import LONGEST_S, WARM_S, print_held
from loadtests.hold import as_json as held_as_json
from loadtests.hold import hold as hold_rate
from loadtests.judgement.verdicts import judge_month, sentences
from loadtests.kcl.check import check as check_peers
from loadtests.kcl.history import Kind
from loadtests.kcl.java import RELEASES
from loadtests.proof.command import proof
from loadtests.readiness.command import readiness
from loadtests.sale.command import sale_day
from runtime import command
from runtime.command import stop_on_signals, with_settings


@click.group()
def main() -> None:
    """Proofs and benchmarks."""


main.add_command(bench)
main.add_command(readiness)


@main.command()
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=1000.0, show_default=True, help="Orders/s."
)
@click.option(
    "--seconds", type=click.FloatRange(min=2 * WARM_S, max=LONGEST_S), default=60.0, show_default=True, help="How long."
)
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
    if not held.is_whole:
        sys.exit(1)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), default="2011-11-01", show_default=True)
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), default="2011-11-30", show_default=True)
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of text.")
def judge(file: Path, first: datetime, last: datetime, as_machine: bool) -> None:
    """Judge days of the Online Retail export FILE by what the days before have taught, with errors planted beside."""
    found = judge_month(file, first.date(), last.date())
    click.echo(msgspec.json.encode(found).decode() if as_machine else sentences(found))


@main.command("peer-kcl")
@click.option("--release", type=click.Choice(RELEASES), multiple=True, default=RELEASES, help="Default: all of them.")
@click.option(
    "--first",
    type=click.Choice(["java", "python"]),
    multiple=True,
    default=["java", "python"],
    help="Who starts first.",
)
@with_settings(LocalSettings)
def peer_kcl(settings: LocalSettings, release: tuple[str, ...], first: tuple[Kind, ...]) -> None:
    """Share a lease table with the Java KCL: joins, a split, kills, stops. Exit code 0 if all went well."""
    if not check_peers(settings, release, first, Console()):
        sys.exit(1)


main.add_command(sale_day)
main.add_command(proof)
main.add_command(drill)

if __name__ == "__main__":
    command.run(main)
