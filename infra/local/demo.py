"""The demo: the whole pipeline on this machine, and shoppers in the shop."""

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing

import msgspec
from rich.live import Live

from infra.local import pipeline
from infra.local.counters import Counters
from infra.local.endpoints import Endpoints
from infra.local.errand import run_errand
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from infra.local.viewer import viewing
from runtime.command import stop_on_signals

_LOOK_S = 1.0
_LINE_S = 10.0  # between two lines of counters where nothing can be redrawn


class _Order(msgspec.Struct):
    order_id: str


class _Seen(msgspec.Struct):
    """What the demo reads of a board's snapshot."""

    orders: list[_Order]  # newest first


def sell(stack: Supervisor, settings: LocalSettings, *, shoppers: int, seconds: float | None) -> None:
    """Start everything and sell until `stack.stop` is set or `seconds` are over. All of it is left running.

    Raises ConfigError for what the operator has to change, click.Abort when stopped before the shop was open.
    """
    started = time.monotonic()
    home = stack.home
    chosen = stack.ports_for(pipeline.PORTS)
    shop = pipeline.storefront(home, port=chosen[pipeline.STOREFRONT])
    board = pipeline.board(home, port=chosen[pipeline.BOARD])
    endpoints = bring_up(stack, settings, beside=[shop, board])
    stack.start([pipeline.agent(home), pipeline.live(home)])
    with viewing(board.url, _first_order(stack, started)):
        stack.add(pipeline.shoppers(home, shop.url, shoppers))
        stack.start([pipeline.cold(home), pipeline.keeper(home)])
        stack.say(f"\n  shop   {shop.url}   buy something yourself\n  board  {board.url}   and see it arrive\n")
        _watch(stack, endpoints, seconds)


def drain(stack: Supervisor, *, within_s: float, stop: threading.Event) -> bool:
    """Close the shop and send what it still had to say: after that nothing is emitted. Sooner when `stop` is set.

    Returns whether the stream has taken it all.
    """
    stack.say("draining; Ctrl-C ends it at once")
    for name in (pipeline.SHOPPERS, pipeline.STOREFRONT):
        stack.stop_part(name)
    return send_the_rest(stack, within_s=within_s, stop=stop)


def send_the_rest(stack: Supervisor, *, within_s: float, stop: threading.Event) -> bool:
    """Stop the agent, send what it has left, and every file's last heartbeat. Sooner if `stop` is set.

    Returns whether the streams have taken it all.
    """
    # Not through the agent: one that has just died would come back to find its folders taken.
    stack.stop_part(pipeline.AGENT)
    draining = pipeline.last_lines(stack.home, within_s=within_s)
    with stack.home.log_of(pipeline.AGENT).open("ab") as log, tempfile.TemporaryFile() as said:
        code = run_errand(draining, home=stack.home, stop=stop, output=said, errors=log)
        said.seek(0)
        for line in said.read().decode(errors="replace").splitlines():
            stack.say(line)
    return code == 0


def settle(stack: Supervisor, *, within_s: float, stop: threading.Event) -> int:
    """Print the account of all three stores once it balances, as it is when the time is over or `stop` is set.

    Returns the exit code of `python -m consumers account`; not 0 where `stop` came first.
    """
    waiting = pipeline.account(stack.home, "--wait", f"{within_s:g}")
    code = run_errand(waiting, home=stack.home, stop=stop, hopeless=lambda: bool(stack.given_up))
    if code < 0:  # it was stopped before it could look once
        code = run_errand(pipeline.account(stack.home), home=stack.home, stop=stop_on_signals())
    return abs(code) or int(stop.is_set())


def _watch(stack: Supervisor, endpoints: Endpoints, seconds: float | None) -> None:
    """Live counters until the end: redrawn on a terminal, a line now and then elsewhere."""
    end = None if seconds is None else time.monotonic() + seconds
    next_line = 0.0
    with (
        closing(Counters(endpoints)) as counters,
        Live(console=stack.console, auto_refresh=False, transient=True) as live,
    ):
        while not stack.given_up and (end is None or time.monotonic() < end):
            if stack.wait(_LOOK_S):
                return
            line = counters.line()
            if stack.console.is_terminal:
                live.update(line, refresh=True)
            elif time.monotonic() >= next_line:
                next_line = time.monotonic() + _LINE_S
                stack.say(line)


def _first_order(stack: Supervisor, started: float) -> Callable[[bytes], None]:
    """A viewer that says, once, when the board shows an order that it did not show at first."""
    newest: list[str | None] = []  # order ids: at first, and as soon as it is another one

    def shown(snapshot: bytes) -> None:
        if len(newest) == 2:
            return
        orders = msgspec.json.decode(snapshot, type=_Seen).orders
        order_id = orders[0].order_id if orders else None
        if not newest:
            newest.append(order_id)
        elif order_id != newest[0]:
            newest.append(order_id)
            stack.say(f"first order on the board {time.monotonic() - started:.1f} s after the start")

    return shown
