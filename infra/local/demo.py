"""The demo: the whole pipeline on this machine, shoppers in the shop, and an account at the end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import urllib3
from opensearchpy import OpenSearch, OpenSearchException
from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.local import pipeline, ports
from infra.local.account import Account, take_account
from infra.local.endpoints import Endpoints
from infra.local.settings import LocalSettings
from infra.local.stack import bring_up
from infra.local.supervisor import Supervisor
from producers.agent.state import read_ledger
from runtime.settings import OpenSearch as Store

DRAIN_S = 60.0  # from the last order to its document: two seconds when all is well, a failover and more after a crash
_LOOK_S = 1.0


class _Seen(msgspec.Struct):
    """What the demo reads of a board's snapshot."""

    orders: list[dict[str, object]]


def run_demo(stack: Supervisor, settings: LocalSettings, *, shoppers: int, seconds: float | None) -> Account:
    """Sell until `stack.stop` is set or `seconds` are over, drain, and return the account. The stack is left running.

    Raises ConfigError for what the operator has to change, click.Abort when stopped before the shop was open.
    """
    started = time.monotonic()
    endpoints = bring_up(stack, settings)
    home = stack.home
    chosen = ports.choose(pipeline.PORTS, {}, stack.rng)
    shop = pipeline.storefront(home, port=chosen[pipeline.STOREFRONT])
    board = pipeline.board(home, port=chosen[pipeline.BOARD])
    stack.start([pipeline.agent(home), pipeline.live(home), board, shop])
    with _first_order(stack, board.url, started):
        stack.add(pipeline.shoppers(home, shop.url, shoppers))
        stack.say(f"\n  shop   {shop.url}   buy something yourself\n  board  {board.url}   and see it arrive\n")
        _watch(stack, endpoints, seconds)
    stack.say("draining")
    stack.stop_part(pipeline.SHOPPERS)
    stack.stop_part(pipeline.STOREFRONT)
    return wait_for_account(endpoints)


def show_account(account: Account, console: Console) -> None:
    """The account, a line a figure."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("lines emitted by the shop", str(account.emitted))
    table.add_row("acknowledged by the stream", str(account.acknowledged))
    table.add_row("indexed as orders", str(account.indexed))
    table.add_row("refused", str(sum(account.refused.values())))
    for reason, count in sorted(account.refused.items()):
        table.add_row(f"  {reason}", str(count))
    table.add_row("duplicates", str(account.duplicates))
    table.add_row("in flight", str(account.in_flight))
    console.print(table)
    for line in account.unmatched:
        console.print(f"  {line}", highlight=False)
    verdict = "the account balances to the line" if account.balances else "THE ACCOUNT DOES NOT BALANCE"
    console.print(verdict, style="bold green" if account.balances else "bold red")


def store_of(store: Store) -> OpenSearch:
    """A client for the account's few questions."""
    return OpenSearch([store.url], timeout=store.timeout_s)


def _watch(stack: Supervisor, endpoints: Endpoints, seconds: float | None) -> None:
    """Live counters until the end: redrawn on a terminal, a line every ten seconds elsewhere."""
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
                next_line = time.monotonic() + 10.0
                stack.say(line)


def _counters(client: OpenSearch, endpoints: Endpoints) -> str:
    acknowledged = read_ledger(endpoints.agent_state).acknowledged_lines
    try:
        found = {
            name: client.count(index=pattern, params={"ignore_unavailable": "true"})["count"]
            for name, pattern in (("orders", "orders-*"), ("letters", "letters-*"))
        }
    except OpenSearchException:
        return f"sent {acknowledged:,} · OpenSearch does not answer"
    return f"sent {acknowledged:,} · orders {found['orders']:,} · refused {found['letters']:,}"


def wait_for_account(endpoints: Endpoints) -> Account:
    """The account, once it balances; after DRAIN_S as it then is."""
    client = store_of(endpoints.opensearch)
    end = time.monotonic() + DRAIN_S
    while True:
        account = take_account(endpoints.spool, endpoints.agent_state, client)
        if account.balances or time.monotonic() > end:
            return account
        time.sleep(_LOOK_S)


@contextmanager
def _first_order(stack: Supervisor, board_url: str, started: float) -> Iterator[None]:
    """Say when the board shows an order that it did not show before."""
    connection = urllib3.PoolManager().request("GET", f"{board_url}/events", preload_content=False, timeout=30.0)
    newest: list[object] = []

    def read() -> None:
        with suppress(urllib3.exceptions.HTTPError, ValueError):  # the demo ended first, and closed the connection
            for line in _lines(connection):
                if line.startswith(b"data: "):
                    orders = msgspec.json.decode(line[6:], type=_Seen).orders
                    newest.append(orders[0]["order_id"] if orders else None)
                    if newest[-1] != newest[0]:
                        stack.say(f"first order on the board after {time.monotonic() - started:.1f} s")
                        return

    reader = threading.Thread(target=read, name="first-order", daemon=True)
    reader.start()
    try:
        yield
    finally:
        connection.close()


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
