"""`python -m loadtests proof RUN`: what became of every line of a run, how fresh it was, what it cost."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.proof.outcome import Proof
from loadtests.proof.prove import prove, with_namespace
from loadtests.proof.report import as_json, print_proof, write_report
from loadtests.proof.samples import read_samples
from loadtests.proof.thresholds import FILE, thresholds
from loadtests.sale.day import NAMESPACE, empty_spool, start_pipeline, take_account
from loadtests.sale.plan import RunFolder
from loadtests.sale.settings import settings_in
from runtime.command import stop_on_signals, with_settings

WAIT_S = 180.0
_WIDTH = 130


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=WAIT_S,
    show_default=True,
    help="Look again for so many seconds while lines are missing.",
)
@click.option(
    "--thresholds",
    "limits_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=FILE,
    help="TOML file. Default: loadtests/thresholds.toml.",
)
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of tables.")
@with_settings(LocalSettings, default_may_be_absent=True)
def proof(settings: LocalSettings, run: Path, wait_s: float, limits_file: Path, as_machine: bool) -> None:
    """Prove a RUN of `sale-day`: its folder. Writes report.html and proof.json into it.

    A run on a stack of its own has it started again, and what its agent had not sent is sent.

    Exit code 0: every threshold is kept. 1: one is broken. 2: the settings, the run or the thresholds are wrong.
    """
    folder = RunFolder(run.absolute())
    thresholds(limits_file)  # a file that is none is refused before anything starts
    console, stop = console_of(as_machine), stop_on_signals()
    with ExitStack() as running:
        if folder.plan().is_local:
            empty_spool(running.enter_context(_stores(folder, settings, console, stop)), settings)
        found = prove_run(folder, console, stop, wait_s=wait_s, limits_file=limits_file)
    if as_machine:
        click.echo(as_json(found))
    sys.exit(1 if found.broken else 0)


def prove_run(
    folder: RunFolder, console: Console, stop: threading.Event, *, wait_s: float, limits_file: Path = FILE
) -> Proof:
    """The proof of a run whose stores are there; printed, and written into its folder."""
    plan = folder.plan()
    settings = settings_in(plan.settings_file)
    if plan.is_local:
        settings = with_namespace(settings, NAMESPACE)
    if plan.into == "spool":
        take_account(folder, plan.settings_file, wait_s=wait_s)
    found = prove(
        folder,
        settings,
        thresholds(limits_file),
        wait_s=wait_s,
        stop=stop,
        say=lambda line: console.print(line, highlight=False),
    )
    print_proof(found, console)
    page = write_report(folder.root, found, read_samples(folder.samples))
    console.print(f"report: {page}", highlight=False, soft_wrap=True)
    return found


def console_of(as_machine: bool) -> Console:
    """For people; beside a JSON object on stderr. Wide enough for the tables where nobody looks."""
    console = Console(stderr=as_machine)
    return console if console.is_terminal else Console(stderr=as_machine, width=_WIDTH)


@contextmanager
def _stores(
    folder: RunFolder, settings: LocalSettings, console: Console, stop: threading.Event
) -> Iterator[Supervisor]:
    home = Home(root=folder.home, downloads=Home.of(settings.local).downloads)
    with Supervisor(home, console, stop=stop) as stack:
        start_pipeline(stack, settings, {})
        yield stack
