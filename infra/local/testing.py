"""A real stack for tests: quick to start, small, gone afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
from opensearchpy import OpenSearch
from rich.console import Console

from consumers.account.report import Account
from consumers.lake.catalogue import LakeCatalogue
from consumers.lake.read import LakeReader
from consumers.lake.store import LakeStore
from consumers.warehouse.connection import connect
from infra.local import pipeline
from infra.local.endpoints import Endpoints
from infra.local.home import PROJECT, Home
from infra.local.leftovers import MARKER
from infra.local.settings import Local, LocalSettings
from infra.local.sold import Sold, sold_in_lake, sold_in_opensearch, sold_in_warehouse
from infra.local.stack import bring_up
from infra.local.state import PartState, read_state
from infra.local.supervisor import Supervisor
from runtime.settings import Aws, Streams, Transport, Warehouse, load
from runtime.settings import OpenSearch as OpenSearchSettings

DOWNLOADS = PROJECT / ".storepulse" / "downloads"  # shared by all test homes and the developer's own stack


def fast(home: Path, transport: Transport = "kinesis") -> LocalSettings:
    """Settings for tests. Java's first compiler only: half the CPU to start, twice the cost of a document."""
    return LocalSettings(
        local=Local(
            home=str(home),
            downloads=str(DOWNLOADS),
            opensearch_heap_mib=256,
            opensearch_java_options="-XX:TieredStopAtLevel=1",
        ),
        streams=Streams(transport=transport),
    )


@contextmanager
def local_stack(home: Path, *, parts: Collection[str] | None = None) -> Iterator[Endpoints]:
    """The named parts, or all, ready; stopped on leaving. Each test names streams, tables and indices of its own."""
    settings = fast(home)
    with Supervisor(Home.of(settings.local), Console(stderr=True)) as stack:
        yield bring_up(stack, settings, only=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A stack with an agent and all consumers on it, as the demo runs it."""

    stack: Supervisor
    endpoints: Endpoints

    @property
    def home(self) -> Home:
        return self.endpoints.home

    @property
    def spool(self) -> Path:
        return self.endpoints.spool

    @property
    def store(self) -> OpenSearch:
        return OpenSearch([self.endpoints.opensearch.url], timeout=self.endpoints.opensearch.timeout_s)

    def drain(self, *, within_s: float = 600.0) -> None:
        """Send what the agent has left, and every file's last heartbeat. The agent is gone then."""
        self.stack.stop_part(pipeline.AGENT)
        draining = pipeline.last_lines(self.home, within_s=within_s)
        done = subprocess.run(draining, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def account(self, *options: str) -> tuple[int, Account]:
        """Exit code and outcome of `python -m consumers account` with `options`."""
        command = pipeline.account(self.home, "--json", *options)
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, msgspec.json.decode(done.stdout, type=Account)

    def settled(self, *, within_s: float) -> Account:
        """The account of a drained pipeline once nothing is in flight; as it is when the time is over."""
        return self.account("--wait", f"{within_s:g}")[1]

    def sold(self) -> dict[str, Sold]:
        """What each store holds of the sales, by its name."""
        lake = LakeReader(LakeStore(LakeCatalogue(self.endpoints.aws), self.endpoints.lake))
        with connect(self.endpoints.warehouse) as warehouse:
            return {
                "opensearch": sold_in_opensearch(self.store),
                "lake": sold_in_lake(lake),
                "warehouse": sold_in_warehouse(warehouse),
            }

    def part(self, name: str) -> PartState:
        """How a part is. Raises KeyError when none has that name."""
        state = read_state(self.home)
        for part in state.parts if state else []:
            if part.name == name:
                return part
        raise KeyError(name)

    def kill(self, name: str) -> None:
        """kill -9 a part that is ready; its attendant starts it again."""
        part = self.part(name)
        assert part.process is not None, part
        os.kill(part.process.pid, signal.SIGKILL)

    def until(self, holds: Callable[[], bool], *, within_s: float) -> bool:
        """Look every half second until `holds`. Returns whether it came to hold."""
        for _ in range(round(within_s * 2)):
            if holds():
                return True
            self.stack.wait(0.5)
        return False

    def serve(self) -> tuple[str, str]:
        """Start the shop and the board. Returns their addresses."""
        chosen = self.stack.ports_for(pipeline.PORTS)
        shop = pipeline.storefront(self.home, port=chosen[pipeline.STOREFRONT])
        board = pipeline.board(self.home, port=chosen[pipeline.BOARD])
        self.stack.start([shop, board])
        return shop.url, board.url


@contextmanager
def local_pipeline(
    home: Path, *, transport: Transport = "kinesis", before_live: Callable[[Path], None] = lambda _: None
) -> Iterator[Pipeline]:
    """All of it, ready; stopped on leaving. `before_live` gets the home's folder: it may put a catalogue there."""
    settings = fast(home, transport)
    with Supervisor(Home.of(settings.local), Console(stderr=True)) as stack:
        endpoints = bring_up(stack, settings)
        before_live(home)
        place = endpoints.home
        stack.start([pipeline.agent(place), pipeline.live(place), pipeline.cold(place), pipeline.keeper(place)])
        yield Pipeline(stack=stack, endpoints=endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Those of a process that talks to the parts."""

    aws: Aws = Aws()
    opensearch: OpenSearchSettings = OpenSearchSettings()
    warehouse: Warehouse = Warehouse()


class Commands:
    """`python -m infra.local` as a process, on a folder of its own."""

    def __init__(self, root: Path) -> None:
        local = fast(root).local
        self.home = Home.of(local)
        self.environ = {
            **os.environ,
            "STOREPULSE_SETTINGS": str(self.home.settings_file),  # not that of the developer's own stack
            "STOREPULSE_LOCAL_HOME": str(root),
            "STOREPULSE_LOCAL_DOWNLOADS": str(DOWNLOADS),
            "STOREPULSE_LOCAL_OPENSEARCH_HEAP_MIB": str(local.opensearch_heap_mib),
            "STOREPULSE_LOCAL_OPENSEARCH_JAVA_OPTIONS": local.opensearch_java_options,
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local", *arguments],
            cwd=PROJECT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=120)
            return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def status(self) -> Any:
        return json.loads(self.run("status", "--json").stdout)

    def settings(self) -> ClientSettings:
        """What the stack has written for every other command."""
        return load(ClientSettings, file=self.home.settings_file, environ={})

    def processes(self) -> list[psutil.Process]:
        """What runs of the stack, its supervisor apart.

        PostgreSQL's processes write their titles over their environment, but work in their data folder.
        """
        found = []
        for process in psutil.process_iter():
            try:
                is_marked = process.environ().get(MARKER) == str(self.home.root)
                is_inside = Path(process.cwd()).is_relative_to(self.home.root)
                if (is_marked or is_inside) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found
