"""A sale day from beginning to end: the stack, Locust, the watch, the drain."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping

import click

from infra.local import pipeline
from infra.local.demo import send_the_rest
from infra.local.home import PROJECT
from infra.local.parts import Part
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from loadtests.proof.samples import Sampler
from loadtests.proof.watch import Watch, watching
from loadtests.sale.load import Locust, load, log_of, own_process
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.settings import settings_in
from loadtests.sale.side_by_side import side_by_side
from runtime.errors import ConfigError
from runtime.whole_file import write_whole

NAMESPACE = "Storepulse/Agent"  # of the agent's own counts: throttles and retries are in them
LAST_PROBES_S = 120.0  # slowest cadence of history and a span, and some
_LOOK_S = 0.5

MakePlan = Callable[[str, str, str], Plan]  # settings file, shop's address, board's


def agent_of(stack: Supervisor) -> Part:
    """The agent, counting what it was refused."""
    return dataclasses.replace(pipeline.agent(stack.home), environ={"STOREPULSE_AGENT_METRICS_NAMESPACE": NAMESPACE})


def start_pipeline(stack: Supervisor, settings: LocalSettings, history: Mapping[str, str]) -> None:
    """All processes of the pipeline on a stack of its own, shop and board apart. Raises ConfigError, click.Abort."""
    bring_up(stack, settings)
    place = stack.home
    stack.start([agent_of(stack), pipeline.live(place), pipeline.cold(place, history), pipeline.keeper(place, history)])


def rehearse(
    stack: Supervisor,
    settings: LocalSettings,
    folder: RunFolder,
    make_plan: MakePlan,
    locust: Locust,
    *,
    history: Mapping[str, str],
) -> int:
    """On a stack of its own, up to the moment when nothing more is emitted and all was seen. Locust's exit code.

    The stack is left running. Raises ConfigError for what the operator has to change; click.Abort once stopped: then
    `python -m loadtests proof` takes it from there.
    """
    chosen = stack.ports_for(pipeline.PORTS)
    shop = pipeline.storefront(stack.home, port=chosen[pipeline.STOREFRONT])
    board = pipeline.board(stack.home, port=chosen[pipeline.BOARD])
    start_pipeline(stack, settings, history)
    stack.start([shop, board])
    plan = make_plan(str(stack.home.settings_file), shop.url, board.url)
    folder.make(plan)
    found = settings_in(plan.settings_file)
    sampler = Sampler(folder.samples, found, stack.home, own_process)
    with watching(folder, found, sampler, board_url=board.url) as watch:
        code = run_load(stack, folder, plan, locust, watch)
        await_last(stack, watch)
    if stack.stop.is_set():
        stack.say(f"stopped; `python -m loadtests proof {folder.root}` says what became of what was sent")
        raise click.Abort
    stack.stop_part(pipeline.STOREFRONT)  # after that nothing is emitted
    if not send_the_rest(stack, within_s=settings.local.drain_s, stop=stack.stop):
        stack.say("the agent could not send all that it had; the account says what is on its way")
    return code


def run_load(stack: Supervisor, folder: RunFolder, plan: Plan, locust: Locust, watch: Watch) -> int:
    """Locust, with addresses for people. Raises ConfigError where it could not begin.

    Workers on other machines have their ledgers there: whether those hold anything is for the proof to say.
    """
    if locust.web_port is not None:
        page = f"http://127.0.0.1:{locust.web_port}"
        both = side_by_side(folder.root, plan.run_id, locust_url=page, board_url=plan.board_url)
        stack.say(f"\n  Locust {page}\n  board  {plan.board_url}\n  both   {both.as_uri()}\n")
    code = load(stack, locust, folder, plan, waiting=lambda: watch.sightings.waiting)
    if not (locust.expected_workers or stack.stop.is_set() or any(folder.intended.glob("*.csv"))):
        last = log_of(folder).read_text(errors="replace").strip().splitlines()[-1:]
        raise ConfigError(f"Locust sent nothing; its log: {log_of(folder)}: {' '.join(last)}")
    return code


def empty_spool(stack: Supervisor, settings: LocalSettings) -> None:
    """Of a run that was cut short: what its agent had not sent yet."""
    send_the_rest(stack, within_s=settings.local.drain_s, stop=stack.stop)


def take_account(folder: RunFolder, settings_file: str, *, wait_s: float) -> None:
    """`python -m consumers account` into the run's folder, as it stands after at most `wait_s`; none if it fails."""
    folder.account.unlink(missing_ok=True)  # one of an earlier proof says nothing of now
    command = [
        sys.executable,
        "-m",
        "consumers",
        "account",
        "--settings",
        settings_file,
        "--json",
        "--wait",
        f"{wait_s:g}",
    ]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=False)
    if done.stdout:
        write_whole(folder.account, done.stdout)


def await_last(stack: Supervisor, watch: Watch) -> None:
    """Until every probe was seen everywhere, or it is plain that one is not coming."""
    for _ in range(round(LAST_PROBES_S / _LOOK_S)):
        if not any(watch.sightings.waiting.values()) or stack.given_up or stack.wait(_LOOK_S):
            return
