"""Hold a rate: orders into the spool at a steady pace, and how long each takes until the board and history have it.

An open model: the wait is counted from the moment an order was due. Ten orders a second are probes, after a while to
warm up: a fresh stack has shards to take, an index to create and Java to compile.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
import psutil
from opensearchpy import OpenSearch
from rich.console import Console
from rich.table import Table

from consumers.account.render import show_account
from consumers.account.report import Account
from contract.catalogue import products_from_ndjson
from infra.local import pipeline
from infra.local.demo import send_the_rest
from infra.local.home import PROJECT
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.state import read_state
from infra.local.supervisor import Supervisor
from infra.local.viewer import viewing
from loadtests.history import LAKE, WAREHOUSE, in_history
from loadtests.probes import Probes, percentiles, searched
from loadtests.steady import Shop, paced
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError

PROBES_A_SECOND = 10
WARM_S = 10.0
LONGEST_S = 3000.0  # the board shows an hour, and what has left it cannot be seen there
_LAST_S = 90.0  # for the last probes
_SETTLED_S = 180.0  # for the last orders in all stores: a minute when all is well
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one process of the stack used. OpenSearch's share includes the looks for probes, 30 a second."""

    name: str  # with its children
    cpu_percent: float  # of one core, while orders were written
    pss_mib: float  # proportional share of resident memory, at the end of that


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The outcome. Waits are in seconds from when an order was due."""

    rate: float
    orders: int  # written
    achieved: float  # of those, a second
    seconds: float
    probes: int
    unseen: int  # probes that the board never showed
    found_s: dict[str, float]  # p50, p95, p99, max until a search finds the order
    shown_s: dict[str, float]  # the same until the board shows it
    lake_s: dict[str, float]  # the same until a reader of the lake finds it
    warehouse_s: dict[str, float]  # the same until a query of the warehouse finds it
    processes: list[Process]
    account: Account

    @property
    def is_whole(self) -> bool:
        """No order was lost, and none stayed off the board."""
        return self.account.settled and self.account.emitted.lines == self.orders and not self.unseen


def hold(
    stack: Supervisor,
    settings: LocalSettings,
    *,
    rate: float,
    seconds: float,
    warm_s: float = WARM_S,
    history: Mapping[str, str] = MappingProxyType({}),
) -> Held:
    """Start everything, hold `rate` orders a second for `seconds`, drain, and say what was seen after `warm_s`.

    `history`: environment of cold and keeper, which otherwise go at their own pace.

    The stack's home must be a new one. Raises ConfigError for what the operator has to change, click.Abort when
    `stack.stop` is set before the first order; set later it ends the run, and the account tells what is missing.
    """
    endpoints = bring_up(stack, settings)
    board = pipeline.board(stack.home, port=stack.ports_for([pipeline.BOARD])[pipeline.BOARD])
    agent, live = pipeline.agent(stack.home), pipeline.live(stack.home)
    cold, keeper = pipeline.cold(stack.home, history), pipeline.keeper(stack.home, history)
    stack.start([agent, live, cold, keeper, board])
    clock, client = SystemClock(), OpenSearch([endpoints.opensearch.url], timeout=endpoints.opensearch.timeout_s)
    shop = Shop(endpoints.spool, products_from_ndjson(stack.home.catalogue.read_bytes()), clock)
    probes, before = Probes(clock), _cpu_s(stack)
    with viewing(board.url, probes.board_shows), searched(client, probes), in_history(endpoints, probes):
        written, took_s = _sell(stack, shop, probes, clock, rate, seconds, warm_s)
        processes = _used(stack, before, took_s)
        _await_all(stack, probes)
    account = _account(stack, within_s=_SETTLED_S)
    shown_s = probes.shown_s
    return Held(
        rate=rate,
        orders=written,
        achieved=written / took_s,
        seconds=took_s,
        probes=len(probes),
        unseen=len(probes) - len(shown_s),
        found_s=percentiles(probes.found_s),
        shown_s=percentiles(shown_s),
        lake_s=percentiles(probes.arrived_s(LAKE)),
        warehouse_s=percentiles(probes.arrived_s(WAREHOUSE)),
        processes=processes,
        account=account,
    )


def _sell(
    stack: Supervisor, shop: Shop, probes: Probes, clock: Clock, rate: float, seconds: float, warm_s: float
) -> tuple[int, float]:
    """Write what is due. Returns orders written and seconds taken."""
    start, written = clock.monotonic(), 0
    every = max(1, round(rate / PROBES_A_SECOND))
    for due in paced(rate, seconds, clock, lambda wait_s: stack.wait(wait_s) or bool(stack.given_up)):
        event_id = shop.sell(due.number)
        if due.number % every == 0 and due.at - start >= warm_s:
            probes.expect(event_id, due.at)
        written += 1
    return written, clock.monotonic() - start


def _await_all(stack: Supervisor, probes: Probes) -> None:
    """Before the account is taken: it makes OpenSearch refresh, and the last waits would look shorter."""
    for _ in range(round(_LAST_S / _LOOK_S)):
        arrived = (probes.shown_s, probes.arrived_s(LAKE), probes.arrived_s(WAREHOUSE))
        if all(len(each) == len(probes) for each in arrived) or stack.wait(_LOOK_S):
            return


def _account(stack: Supervisor, *, within_s: float) -> Account:
    """Once all is accounted for, or the time is over."""
    send_the_rest(stack, within_s=within_s, stop=stack.stop)
    command = pipeline.account(stack.home, "--json", "--wait", f"{within_s:g}")
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise ConfigError(f"the account could not be taken (exit code {done.returncode})")
    return msgspec.json.decode(done.stdout, type=Account)


def _processes(stack: Supervisor) -> dict[str, psutil.Process]:
    state = read_state(stack.home)
    assert state is not None
    found = {part.name: part.process.process() for part in state.parts if part.process}
    return {name: process for name, process in found.items() if process}


def _cpu_s(stack: Supervisor) -> dict[psutil.Process, float]:
    return {process: _cpu_s_of(process) for process in _processes(stack).values()}


def _cpu_s_of(process: psutil.Process) -> float:
    """With its children, those that have ended too: PostgreSQL has one for each connection."""
    times = [member.cpu_times() for member in _family(process)]
    return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))


def _pss_of(process: psutil.Process) -> int:
    return sum(member.memory_full_info().pss for member in _family(process))


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _used(stack: Supervisor, before: dict[psutil.Process, float], seconds: float) -> list[Process]:
    """What each part used since `before`; one that was restarted meanwhile counts from its restart."""
    return [
        Process(
            name=name,
            cpu_percent=100 * (_cpu_s_of(process) - before.get(process, 0.0)) / seconds,
            pss_mib=_pss_of(process) / (1 << 20),
        )
        for name, process in _processes(stack).items()
    ]


def as_json(held: Held) -> str:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(held), indent=2).decode()


def print_held(held: Held, console: Console) -> None:
    """Tables for people."""
    waits = Table("seconds from due", *held.found_s, title=f"{held.achieved:,.0f} orders/s for {held.seconds:.0f} s")
    rows = {"found in OpenSearch": held.found_s, "on the board": held.shown_s}
    rows |= {"in the lake": held.lake_s, "in the warehouse": held.warehouse_s}
    for name, row in rows.items():
        waits.add_row(name, *(f"{value:.2f}" for value in row.values()))
    used = Table("process", "CPU % of a core", "PSS MiB")
    for process in held.processes:
        used.add_row(process.name, f"{process.cpu_percent:.1f}", f"{process.pss_mib:.0f}")
    cpu_percent, pss_mib = sum(p.cpu_percent for p in held.processes), sum(p.pss_mib for p in held.processes)
    used.add_row("all", f"{cpu_percent:.1f}", f"{pss_mib:.0f}")
    console.print(waits, used)
    console.print(f"{held.probes} probes, {held.unseen} of them never on the board", highlight=False)
    show_account(held.account, console)
