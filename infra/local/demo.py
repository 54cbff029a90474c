"""The demo: the whole pipeline on this machine, and shoppers in the shop."""

import threading
import time
from collections.abc import Callable

import msgspec
from opensearchpy import OpenSearch, OpenSearchException
from rich.live import Live

from infra.local import pipeline
from infra.local.account import LETTERS, ORDERS, Account, settled_account, store_of, take_account
from infra.local.endpoints import Endpoints
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from infra.local.viewer import viewing
from producers.agent.state import read_ledger

_LOOK_S = 1.0
_LINE_S = 10.0  # between two lines of counters where nothing can be redrawn


class _Order(msgspec.Struct):
    order_id: str


class _Seen(msgspec.Struct):
    """What the demo reads of a board's snapshot."""

    orders: list[_Order]  # newest first


def sell(stack: Supervisor, settings: LocalSettings, *, shoppers: int, seconds: float | None) -> Endpoints:
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
        stack.say(f"\n  shop   {shop.url}   buy something yourself\n  board  {board.url}   and see it arrive\n")
        _watch(stack, endpoints, seconds)
    return endpoints


def drain(stack: Supervisor, endpoints: Endpoints, *, within_s: float, stop: threading.Event) -> Account:
    """Close the shop, wait until the last order has arrived, and return the account; sooner when `stop` is set.

    Raises opensearchpy's errors when OpenSearch has not answered in all that time.
    """
    stack.say("draining; Ctrl-C ends it at once")
    stack.stop_part(pipeline.SHOPPERS)
    stack.stop_part(pipeline.STOREFRONT)
    client = store_of(endpoints.opensearch)
    return settled_account(
        lambda: take_account(endpoints.spool, endpoints.agent_state, client),
        within_s=within_s,
        stop=stop,
        hopeless=lambda: bool(stack.given_up),
    )


def _watch(stack: Supervisor, endpoints: Endpoints, seconds: float | None) -> None:
    """Live counters until the end: redrawn on a terminal, a line now and then elsewhere."""
    client = store_of(endpoints.opensearch)
    end = None if seconds is None else time.monotonic() + seconds
    next_line = 0.0
    with Live(console=stack.console, auto_refresh=False, transient=True) as live:
        while not stack.given_up and (end is None or time.monotonic() < end):
            if stack.wait(_LOOK_S):
                return
            line = _counters(client, endpoints)
            if stack.console.is_terminal:
                live.update(line, refresh=True)
            elif time.monotonic() >= next_line:
                next_line = time.monotonic() + _LINE_S
                stack.say(line)


def _counters(client: OpenSearch, endpoints: Endpoints) -> str:
    acknowledged = read_ledger(endpoints.agent_state).acknowledged_lines
    try:
        orders, letters = (
            client.count(index=pattern, params={"ignore_unavailable": "true"})["count"] for pattern in (ORDERS, LETTERS)
        )
    except OpenSearchException:
        return f"sent {acknowledged:,} · OpenSearch does not answer"
    return f"sent {acknowledged:,} · orders {orders:,} · refused {letters:,}"


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
