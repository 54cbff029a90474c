"""Locust as a process of a run: started, told of, ended."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.local.errand import run_errand
from infra.local.ports import HOST
from infra.local.supervisor import Supervisor
from loadtests.sale.plan import Plan, RunFolder
from loadtests.shapes import Schedule

LOCUSTFILE = Path(__file__).parents[1] / "users" / "locustfile.py"
MASTER_PORT = 5557  # where workers on other machines look: Locust's own
_SAY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Locust:
    """How Locust runs."""

    web_port: int | None  # None: without its page
    master_port: int  # between its processes
    processes: int = 1  # here
    join: str = ""  # address of a master on another machine: this one only helps
    expected_workers: int = 0  # on other machines
    bind: str = HOST  # where the master listens for those


def command_of(locust: Locust, folder: RunFolder, plan: Plan) -> list[str]:
    """The command line."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--plan", str(folder.plan_file)]
    command += ["-H", plan.shop_url or plan.board_url or f"http://{HOST}", "--exit-code-on-error", "0"]
    if locust.join:
        host, _, port = locust.join.partition(":")
        command += ["--worker", "--master-host", host, "--master-port", port or str(locust.master_port)]
        return command + (["--processes", str(locust.processes)] if locust.processes > 1 else [])
    command += ["--only-summary"]
    if locust.web_port is None:
        command += ["--headless"]
    else:
        command += ["--web-host", HOST, "--web-port", str(locust.web_port), "--autostart", "--autoquit", "2"]
    if locust.expected_workers:
        command += ["--master", "--master-bind-host", locust.bind, "--master-bind-port", str(locust.master_port)]
        return [*command, "--expect-workers", str(locust.expected_workers)]
    if locust.processes > 1:
        command += [
            "--processes",
            str(locust.processes),
            "--master-bind-host",
            HOST,
            "--master-bind-port",
            str(locust.master_port),
        ]
        command += ["--master-port", str(locust.master_port)]
    return command


def load(
    stack: Supervisor,
    locust: Locust,
    folder: RunFolder,
    plan: Plan,
    *,
    waiting: Callable[[], dict[str, int]] = dict,
) -> int:
    """Run Locust to its end; its exit code. It is told to stop when `stack.stop` is set or a part has given up."""
    with (folder.root / "locust.log").open("ab") as log:
        progress = _Progress(stack, plan, waiting)
        return run_errand(
            command_of(locust, folder, plan),
            home=stack.home,  # whoever starts a stack there next ends what is left of Locust
            stop=stack.stop,
            hopeless=lambda: progress.tick() or bool(stack.given_up),
            output=log,
            errors=log,
        )


class _Progress:
    """A line now and then: where in the shape the run is."""

    def __init__(self, stack: Supervisor, plan: Plan, waiting: Callable[[], dict[str, int]]) -> None:
        self._stack, self._plan, self._waiting = stack, plan, waiting
        self._schedule = Schedule(plan.orders)
        self._began = self._said = time.monotonic()

    def tick(self) -> bool:
        """False, for whoever asks whether to go on."""
        now = time.monotonic()
        if now - self._said >= _SAY_S:
            self._said = now
            at_s = now - self._began
            phase = next((p.name for p in self._plan.orders.phases if p.start_s <= at_s < p.end_s), "end")
            behind = ", ".join(f"{store} {count}" for store, count in self._waiting().items())
            self._stack.say(
                f"{at_s:5.0f} of {self._plan.orders.seconds:.0f} s  {phase}: {self._plan.orders.rate(at_s):,.0f}/s due,"
                f" {self._schedule.until(at_s):,.0f} so far; probes on their way: {behind or 'none'}"
            )
        return False


def log_of(folder: RunFolder) -> Path:
    """What Locust has said."""
    return folder.root / "locust.log"


def own_process() -> dict[str, int]:
    """This process and Locust, by name."""
    me = psutil.Process()
    found = {"rehearsal": me.pid}
    for child in me.children():
        try:
            if str(LOCUSTFILE) in child.cmdline():
                found["locust"] = child.pid
        except psutil.Error:
            continue
    return found
