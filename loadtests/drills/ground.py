"""The ground that drills are held on: a whole pipeline under load, and hands that reach its processes."""

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import psutil
import urllib3

from infra.local import pipeline
from infra.local.endpoints import Endpoints, write_settings
from infra.local.home import Home
from infra.local.parts import Part, TcpReady
from infra.local.ports import HOST
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.state import PartState, read_state
from infra.local.supervisor import Supervisor
from loadtests.drills.faults import CONTROL, Rule
from loadtests.sale.settings import SaleSettings, settings_in
from runtime.errors import ConfigError

GATEWAY, SECOND_LIVE = "gateway", "live-2"
BACK_S = 150.0  # longer than any part takes to start on busy cores
_LOOK_S = 0.5
# Letters are sent again, and lists looked at, in the time that a drill has.
_ENVIRON = {
    "STOREPULSE_REFERENCE_POLL_S": "5",
    "STOREPULSE_KEEPER_RESEND_S": "5",
    "STOREPULSE_KEEPER_RESEND_WAIT_S": "20",
}


@dataclass(slots=True, kw_only=True)
class Ground:
    """A stack with all of the pipeline on it. Its AWS goes through the gateway."""

    stack: Supervisor
    endpoints: Endpoints
    board_url: str
    settings: SaleSettings
    _stopped: dict[str, Part] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return self.stack.home

    def part(self, name: str) -> PartState:
        """How a part is. Raises ConfigError when none has that name."""
        state = read_state(self.home)
        for part in state.parts if state else []:
            if part.name == name:
                return part
        raise ConfigError(f"{name} does not run on {self.home.root}")

    def process(self, name: str) -> psutil.Process:
        """Its process. Raises ConfigError while it has none."""
        part = self.part(name)
        process = part.process.process() if part.process else None
        if process is None:
            raise ConfigError(f"{name} is {part.condition}; its log: {part.log}")
        return process

    def kill(self, name: str) -> None:
        """kill -9; its attendant starts it again. Returns once it is back."""
        before = self.part(name)
        self.process(name).kill()

        for _ in range(round(BACK_S / _LOOK_S)):
            now = self.part(name)
            if (now.restarts > before.restarts and now.condition == "ready") or self.stack.wait(_LOOK_S):
                return
        raise ConfigError(f"{name} did not come back; its log: {before.log}")

    def stop(self, name: str) -> None:
        """Away, until `start`."""
        self._stopped[name] = self.stack.stop_part(name)

    def start(self, name: str) -> None:
        """Back again, on the same port and folder."""
        self.stack.add(self._stopped.pop(name))

    def pause(self, name: str) -> None:
        """Stands still in the middle of what it does, and holds all that it holds."""
        os.kill(self.process(name).pid, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        os.kill(self.process(name).pid, signal.SIGCONT)

    def second_live(self) -> None:
        """One more worker of live: takes over what the first one lets go."""
        self.stack.add(dataclasses.replace(pipeline.live(self.home), name=SECOND_LIVE, environ=_ENVIRON))

    def fail(self, *rules: Rule) -> None:
        """The gateway's faults; none: all services answer again."""
        url = f"{self.settings.aws.endpoint}{CONTROL}"
        answer = urllib3.request("PUT", url, body=msgspec.json.encode(rules), retries=False)
        if answer.status != 200:
            raise ConfigError(f"{url}: the gateway refused the rules (status {answer.status})")

    def undo_all(self) -> None:
        """After a drill that was cut short. Raises nothing but what `start` does."""
        for name in (pipeline.LIVE, pipeline.COLD, pipeline.AGENT):
            try:
                process = self.process(name)
                process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
                process.send_signal(signal.SIGCONT)
            except (ConfigError, psutil.Error):
                continue
        for name in list(self._stopped):
            self.start(name)


@contextmanager
def prepared(stack: Supervisor, settings: LocalSettings) -> Iterator[Ground]:
    """Everything started. Raises ConfigError, click.Abort."""
    endpoints = bring_up(stack, settings)
    home, ports = stack.home, stack.ports_for([GATEWAY, pipeline.BOARD])
    url = f"http://{HOST}:{ports[GATEWAY]}"
    command: Sequence[str] = (sys.executable, "-m", "loadtests.drills.faults", "--port", str(ports[GATEWAY]))
    command = (*command, "--to", endpoints.aws.endpoint)
    stack.add(Part(name=GATEWAY, command=command, ready=TcpReady(port=ports[GATEWAY]), url=url))
    endpoints = dataclasses.replace(endpoints, aws=dataclasses.replace(endpoints.aws, endpoint=url))
    write_settings(home, endpoints.tables())
    board = pipeline.board(home, port=ports[pipeline.BOARD])
    history = {**pipeline.HURRIED, **_ENVIRON}
    live = dataclasses.replace(pipeline.live(home), environ=_ENVIRON)
    stack.start([pipeline.agent(home), live, pipeline.cold(home, history), pipeline.keeper(home, history), board])
    ground = Ground(
        stack=stack, endpoints=endpoints, board_url=board.url, settings=settings_in(str(home.settings_file))
    )
    try:
        yield ground
    finally:
        ground.undo_all()
