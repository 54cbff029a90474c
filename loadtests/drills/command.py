"""`python -m loadtests drill [NAME...]`: faults provoked under load, with what they cost and who noticed."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
from rich.console import Console
from rich.table import Table

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.drills.drill import Drill, Outcome
from loadtests.drills.ground import prepared
from loadtests.drills.holding import hold
from loadtests.drills.table import DRILLS, SHORT, short
from loadtests.proof.command import console_of
from loadtests.sale.plan import RunFolder
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError


@click.command(epilog="; ".join(f"{drill.name}: {drill.expected}" for drill in DRILLS.values()))
@click.argument("names", nargs=-1, type=click.Choice(sorted(DRILLS)), metavar="[NAME...]")
@click.option("--rate", type=click.FloatRange(min=1), default=50.0, show_default=True, help="Orders/s meanwhile.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same orders again.")
@click.option("--short", "in_short", is_flag=True, help=f"Shorter faults; without names: {', '.join(SHORT)}.")
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), help="Keep everything in this new folder.")
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of a table.")
@with_settings(LocalSettings, default_may_be_absent=True)
def drill(
    settings: LocalSettings,
    names: Sequence[str],
    rate: float,
    seed: int,
    in_short: bool,
    run: Path | None,
    as_machine: bool,
) -> None:
    """Hold drills on a stack of its own: all of them, or those named. About a minute each.

    Exit code 0: each fault was in force, nothing was lost in any, and each recovered. 1: not so. 2: the settings or
    options are wrong.
    """
    console = console_of(as_machine)
    chosen = [DRILLS[name] for name in dict.fromkeys(names or (SHORT if in_short else DRILLS))]
    chosen = [short(each) for each in chosen] if in_short else chosen
    held: list[Outcome] = []
    with TemporaryDirectory(prefix="storepulse-drill-") as temporary:
        folder = run.absolute() if run else Path(temporary)
        home = Home(root=folder / "home", downloads=Home.of(settings.local).downloads)
        try:
            with Supervisor(home, console, stop=stop_on_signals()) as stack:
                for outcome in hold_all(stack, settings, chosen, folder, rate=rate, seed=seed):
                    held.append(outcome)  # one by one: whatever ends the rest, these were held
        finally:
            _say(held, console, as_machine=as_machine)
    sys.exit(0 if len(held) == len(chosen) and all(outcome.passed for outcome in held) else 1)


def hold_all(
    stack: Supervisor, settings: LocalSettings, drills: Sequence[Drill], folder: Path, *, rate: float, seed: int
) -> Iterator[Outcome]:
    """One after the other, on one stack; fewer once `stack.stop` is set.

    Raises ConfigError, before anything starts where one of them was held in `folder` before; click.Abort.
    """
    _refuse_used(folder, drills)
    with prepared(stack, settings) as ground:
        for each in drills:
            if stack.stop.is_set() or stack.given_up:
                return
            stack.say(f"{each.name}: {each.expected}")
            outcome = hold(each, ground, RunFolder(folder / each.name), rate=rate, seed=seed)
            if stack.stop.is_set():
                stack.say("  cut short: nothing is known of it")
                return
            stack.say(f"  {'passed' if outcome.passed else 'FAILED'}: {_loss(outcome)}, {_recovery(outcome)}")
            yield outcome


def print_held(held: Sequence[Outcome], console: Console) -> None:
    """A table for people."""
    table = Table(
        "drill",
        "the fault showed by",
        "lines",
        "lost",
        "wrong",
        "recovered within, s",
        "what the operator saw, and where",
    )
    for outcome in held:
        seen = "\n".join(f"{place}: {text}" for place, text in outcome.seen.items())
        wrong = sum(outcome.wrong.values())
        style = None if outcome.passed else "red"
        recovered = "\n".join(
            f"{store} {'never' if value is None else f'{value:.1f}'}" for store, value in outcome.recovered_s.items()
        )
        told = f"{outcome.trouble}\n{seen}" if outcome.trouble else seen
        table.add_row(
            outcome.name,
            f"{outcome.in_force:,} {outcome.sign}",
            f"{outcome.emitted:,}",
            str(sum(outcome.lost.values())),
            str(wrong),
            recovered,
            told,
            style=style,
        )
        table.add_section()
    console.print(table)


def _refuse_used(folder: Path, drills: Sequence[Drill]) -> None:
    for each in drills:
        if RunFolder(folder / each.name).plan_file.exists():
            raise ConfigError(f"{folder / each.name}: a drill is in there already; choose another folder with --run")


def _say(held: Sequence[Outcome], console: Console, *, as_machine: bool) -> None:
    if as_machine:
        click.echo(msgspec.json.format(msgspec.json.encode(held), indent=1).decode())
    elif held:
        print_held(held, console)


def _loss(outcome: Outcome) -> str:
    return f"{outcome.emitted:,} lines, {sum(outcome.lost.values())} lost, {sum(outcome.wrong.values())} wrong"


def _recovery(outcome: Outcome) -> str:
    if outcome.trouble:
        return outcome.trouble
    never = [store for store, value in outcome.recovered_s.items() if value is None]
    if never:
        return f"{', '.join(never)} never recovered"
    return f"recovered within {max(value or 0.0 for value in outcome.recovered_s.values()):.1f} s"
