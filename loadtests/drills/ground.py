"""The ground that drills are held on: a whole pipeline under load, and hands that reach its processes."""

import dataclasses
import datetime as dt
import os
import signal
import sys
from collections.abc import Iterator
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
from infra.local.stack import REDSHIFT, bring_up
from infra.local.state import PartState, read_state
from infra.local.supervisor import Supervisor
from loadtests.drills.faults import CONTROL, Rule
from loadtests.sale.day import agent_of
from loadtests.sale.settings import SaleSettings, settings_in
from runtime.errors import ConfigError

GATEWAY, SECOND_LIVE = "gateway", "live-2"
BACK_S = 150.0  # longer than any part takes to start on busy cores
_LOOK_S, _ANSWER_S = 0.5, 10.0
# Letters are sent again, and lists looked at, in the time that a drill has.
_ENVIRON = {
    "STOREPULSE_REFERENCE_POLL_S": "5",
    "STOREPULSE_KEEPER_RESEND_S": "5",
    "STOREPULSE_KEEPER_RESEND_WAIT_S": "20",
}


@dataclass(slots=True, kw_only=True)
class Ground:
    """A stack with the shop and all of the pipeline on it. Its AWS, the warehouse's S3 too, is behind the gateway."""

    stack: Supervisor
    endpoints: Endpoints
    shop_url: str
    board_url: str
    settings: SaleSettings
    since: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    _stopped: dict[str, Part] = field(default_factory=dict)
    _killed: dict[str, int] = field(default_factory=dict)  # restarts before

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
        """kill -9; its attendant starts it again."""
        self._killed[name] = self.part(name).restarts
        self.process(name).kill()

    def await_back(self, name: str) -> None:
        """Until one that was killed is back. Raises ConfigError where it does not come."""
        before = self._killed.pop(name)
        for _ in range(round(BACK_S / _LOOK_S)):
            now = self.part(name)
            if (now.restarts > before and now.condition == "ready") or self.stack.wait(_LOOK_S):
                return
        raise ConfigError(f"{name} did not come back; its log: {self.part(name).log}")

    def stop(self, name: str) -> None:
        """Away, in good order, until `start`. Raises ConfigError when none has that name."""
        self._stopped[name] = self._taken_off(name)

    def stopped(self, name: str) -> Part | None:
        """What `stop` took away; None while it runs."""
        return self._stopped.get(name)

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
        environ = {**_ENVIRON, "STOREPULSE_FLEET_WORKER": SECOND_LIVE}  # its leases are known by that
        self.stack.add(dataclasses.replace(pipeline.live(self.home), name=SECOND_LIVE, environ=environ))

    def end_second_live(self) -> None:
        """Raises ConfigError when it is not there."""
        self._taken_off(SECOND_LIVE)

    def fail(self, *rules: Rule) -> None:
        """The gateway's faults; none: all services answer again. Raises ConfigError."""
        self._gateway("PUT", msgspec.json.encode(rules))

    def refused(self) -> dict[str, int]:
        """Requests that the gateway has refused by now, by service. Raises ConfigError."""
        return msgspec.json.decode(self._gateway("GET"), type=dict[str, int])

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

    def _taken_off(self, name: str) -> Part:
        try:
            return self.stack.stop_part(name)
        except KeyError as error:
            raise ConfigError(f"{name} does not run on {self.home.root}") from error

    def _gateway(self, method: str, body: bytes | None = None) -> bytes:
        url = f"{self.settings.aws.endpoint}{CONTROL}"
        try:
            answer = urllib3.request(method, url, body=body, retries=False, timeout=_ANSWER_S)
        except urllib3.exceptions.HTTPError as error:
            raise ConfigError(f"{url}: the gateway does not answer: {error}") from error
        if answer.status != 200:
            raise ConfigError(f"{url}: the gateway refused the rules (status {answer.status})")
        return answer.data


def through_gateway(redshift: Part, url: str) -> Part:
    """The warehouse with `url` for its S3: when S3 is away, COPY has none either."""
    command = list(redshift.command)
    command[command.index("--s3-endpoint") + 1] = url
    return dataclasses.replace(redshift, command=command)


@contextmanager
def prepared(stack: Supervisor, settings: LocalSettings) -> Iterator[Ground]:
    """Everything started. Raises ConfigError, click.Abort."""
    endpoints = bring_up(stack, settings)
    home, ports = stack.home, stack.ports_for([GATEWAY, *pipeline.PORTS])
    gateway = _gateway(ports[GATEWAY], endpoints.aws.endpoint)
    stack.add(gateway)
    stack.add(through_gateway(stack.stop_part(REDSHIFT), gateway.url))
    endpoints = dataclasses.replace(endpoints, aws=dataclasses.replace(endpoints.aws, endpoint=gateway.url))
    write_settings(home, endpoints.tables())
    shop = pipeline.storefront(home, port=ports[pipeline.STOREFRONT])
    board = pipeline.board(home, port=ports[pipeline.BOARD])
    history = {**pipeline.HURRIED, **_ENVIRON}
    live = dataclasses.replace(pipeline.live(home), environ=_ENVIRON)
    stack.start([shop, agent_of(stack), live, pipeline.cold(home, history), pipeline.keeper(home, history), board])
    ground = Ground(
        stack=stack,
        endpoints=endpoints,
        shop_url=shop.url,
        board_url=board.url,
        settings=settings_in(str(home.settings_file)),
    )
    try:
        yield ground
    finally:
        ground.undo_all()


def _gateway(port: int, to: str) -> Part:
    command = (sys.executable, "-m", "loadtests.drills.faults", "--port", str(port), "--to", to)
    return Part(name=GATEWAY, command=command, ready=TcpReady(port=port), url=f"http://{HOST}:{port}")
