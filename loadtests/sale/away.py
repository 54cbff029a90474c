"""A rehearsal against a stack that runs elsewhere: an account's, or one that `infra.local up` has started."""

import threading

import click
from rich.console import Console

from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.proof.samples import Sampler
from loadtests.proof.watch import watching
from loadtests.sale.day import await_last, run_load
from loadtests.sale.load import MASTER_PORT, Locust, load, own_process
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.settings import settings_in


def rehearse_away(stack: Supervisor, folder: RunFolder, plan: Plan, locust: Locust) -> int:
    """Load what is there; Locust's exit code. `stack` runs nothing but Locust. Raises ConfigError, click.Abort."""
    settings = settings_in(plan.settings_file)
    folder.make(plan)
    sampler = Sampler(folder.samples, settings, None, own_process)
    with watching(folder, settings, sampler, board_url=plan.board_url) as watch:
        code = run_load(stack, folder, plan, locust, watch)
        await_last(stack, watch)
    if stack.stop.is_set():
        stack.say(f"stopped; `python -m loadtests proof {folder.root}` says what became of what was sent")
        raise click.Abort
    return code


def help_out(
    folder: RunFolder,
    settings: LocalSettings,
    console: Console,
    stop: threading.Event,
    *,
    join: str,
    processes: int,
) -> int:
    """Send a share of somebody else's rehearsal, and watch one's own probes. Locust's exit code.

    The folder's ledgers, probes and sightings belong beside those of the machine that proves. Raises ConfigError.
    """
    plan = folder.plan()
    folder.make_folders()
    found = settings_in(plan.settings_file)
    home = Home(root=folder.home, downloads=Home.of(settings.local).downloads)
    locust = Locust(web_port=None, master_port=MASTER_PORT, join=join, processes=processes)
    with Supervisor(home, console, stop=stop) as stack:
        sampler = Sampler(folder.samples, found, None, own_process)
        with watching(folder, found, sampler, board_url=plan.board_url) as watch:
            code = load(stack, locust, folder, plan, waiting=lambda: watch.sightings.waiting)
            await_last(stack, watch)
    return code
